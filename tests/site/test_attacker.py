"""A day of an attacker, in seconds: one process serves honest customers while somebody tries everything at once.

The process trusts the tests as its proxy, so the attacker has as many addresses as they like. Limits are about
those of production. What each attack gets is asked at the end: nothing for the attacker, and nothing worse than a moment's wait
for anybody else.
"""

import base64
import hashlib
import hmac
import json
import re
import socket
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from decimal import Decimal
from itertools import cycle

import httpx
import jwt
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from tests.conftest import make_coin
from trading.models import Order
from trading.offers import LIST_KEY
from trading.services.coins import save_coin
from wallets.models import SecurityEvent, TokenFamily, Transaction, User, Wallet
from wallets.runtime.redis_store import with_redis
from wallets.services.accounts import register
from wallets.services.credentials import change_password
from wallets.services.tokens import rotate_refresh_token, sign_out, start_token_family

pytestmark = pytest.mark.django_db(transaction=True)

LIMITS = {
    "TRUSTED_PROXIES": "127.0.0.1",
    "RATE_LIMIT_USER": "1000/h",
    "RATE_LIMIT_ORDERS": "60/m",
    "RATE_LIMIT_WALLET": "30/m",
    "RATE_LIMIT_ANON": "60/m",
    "RATE_LIMIT_REFRESH": "30/m",
    "RATE_LIMIT_REFRESH_ADDRESS": "1200/m",
    "RATE_LIMIT_REGISTER": "5/m",
    "RATE_LIMIT_LOGIN": "5/m",
    "RATE_LIMIT_LOGIN_ACCOUNT": "30/h",
    "RATE_LIMIT_LOGIN_ADDRESS": "20/m",
    "RISK_MAX_ORDERS": "25",
    "RISK_MAX_HELD": "5",
    "LOGLEVEL": "INFO",
}
ROUNDS = 5  # of each honest customer, who stays within all limits
MOST_TRIES = 12
GUESS = "guess-of-the-attacker"
STAFF, STAFF_PASSWORD, OFFICE = "chief", "password-of-staff", "203.0.113.99"
PRICES = {"ABAN": "4.00", "PENNY": "0.01", "ETH": "3000.00", "DOGE": "0.10"}


class Seen:
    """The answers that the customers and the attacker received."""

    def __init__(self):
        self.answers = Counter()  # by who, status and code

    def note(self, who, answer):
        try:
            code = answer.json().get("code", "")
        except (ValueError, AttributeError):
            code = "busy" if "Too many sign-ins" in answer.text else ""
        self.answers[who, answer.status_code, code] += 1
        return answer

    def of(self, who):
        return {(status, code) for name, status, code in self.answers if name == who}


class Honest:
    """A customer who tries again after the time that a refusal names, as a good client does."""

    def __init__(self, client, seen, *, name, address):
        self.name, self.address, self.password = name, address, f"password-of-{name}"
        self.expected = Decimal(0)
        self.bought = Decimal(0)
        self.tokens = None
        self._seen = seen
        self._client = client

    def call(self, method, path, body=None, *, status=200, **headers):
        if self.tokens and not path.startswith("accounts/auth/"):
            headers["Authorization"] = f"Bearer {self.tokens['access']}"
        headers["X-Forwarded-For"] = self.address
        for _ in range(MOST_TRIES):
            answer = self._seen.note("honest", self._client.request(method, path, json=body, headers=headers))
            if answer.status_code != 503:
                break
            time.sleep(int(answer.headers["Retry-After"]))
        assert answer.status_code == status, (self.name, method, path, answer.text)
        return answer.json() if answer.content else None

    def sign_in(self):
        self.tokens = self.call("POST", "accounts/auth/login/", {"username": self.name, "password": self.password})

    def refresh(self):
        """Refresh in two tabs at once, and once more because the answers were lost."""
        body = {"refresh": self.tokens["refresh"]}
        with ThreadPoolExecutor(2) as tabs:
            answered = list(tabs.map(lambda _: self.call("POST", "accounts/auth/refresh/", body), range(2)))
        answered.append(self.call("POST", "accounts/auth/refresh/", body))
        assert answered[0] == answered[1] == answered[2]
        self.tokens = answered[0]

    def live_a_round(self, number):
        if number % 2 == 0:
            self.sign_in()
        else:
            self.refresh()
        self.deposit(f"{self.name}-deposit-{number}")
        self.order(f"{self.name}-order-{number}")
        self.look_at_the_wallet()

    def deposit(self, key):
        for _ in range(2):  # the answer to the first is lost
            answer = self.call("PATCH", "accounts/wallet/deposit/", {"amount": "10.00"}, **{"Idempotency-Key": key})
        self.expected += 10
        assert Decimal(answer["balance"]) == self.expected

    def order(self, key):
        body, headers = {"crypto": "ABAN", "amount": "0.5"}, {"Idempotency-Key": key}
        first, again = (self.call("POST", "orders/", body, status=201, **headers) for _ in range(2))
        assert (first["id"], first["total_price"]) == (again["id"], "2.00")
        self.expected -= 2
        self.bought += Decimal("0.5")

    def look_at_the_wallet(self):
        assert Decimal(self.call("GET", "accounts/wallet/")["balance"]) == self.expected

    def withdraw_everything(self):
        answer = self.call("PATCH", "accounts/wallet/withdraw/", {"amount": str(self.expected)})
        self.expected = Decimal(0)
        assert Decimal(answer["balance"]) == 0


class Attacker:
    """Has an account, many addresses, write access to Redis, and old tokens of others. Each method is one attack."""

    name, password = "mallory", "password-of-mallory"

    def __init__(self, api, seen, *, loot):
        self.url, self._seen, self._loot = httpx.URL(api), seen, loot
        self._numbers = iter(range(1_000_000))
        self.tokens = register(username=self.name, password=self.password, email="", now=timezone.now())
        self.own = {"Authorization": f"Bearer {self.tokens.access}"}
        self.attacks = (
            self.lock_out_a_customer,
            self.guess_on,
            self.lock_out_staff,
            self.flood_with_sign_ins,
            self.flood_with_bodies,
            self.flood_with_large_forms,
            self.flood_with_pages,
            self.replay,
            self.use_a_key_of_somebody_else,
            self.forge_tokens,
            self.forge_redis,
            self.forge_names,
            self.forge_addresses,
            self.forge_cursors,
            self.downgrade,
            self.order_off_the_step,
            self.fill_the_reviews,
        )

    def new_address(self):
        number = next(self._numbers)
        return f"198.18.{number // 250 % 250}.{number % 250 + 1}"

    def send(self, who, method, path, *, address=None, headers=None, **content):
        """Send a request through the proxy, which adds the caller's true address to what they pretend."""
        headers = dict(headers or {})
        pretended = headers.pop("X-Forwarded-For", None)
        true = address or self.new_address()
        headers["X-Forwarded-For"] = f"{pretended}, {true}" if pretended else true
        answer = httpx.request(method, self.url.join(path), headers=headers, timeout=60, **content)
        return self._seen.note(who, answer)

    def guess(self, name, *, password=GUESS, who="guesses", **named):
        body = {"username": name, "password": password}
        return self.send(who, "POST", "accounts/auth/login/", json=body, **named)

    def lock_out_a_customer(self):
        for name in ("victim", "VICTIM", "ｖｉｃｔｉｍ", "Victim", "ⓥictim", "victim\u0000", "ﷺ" * 26):
            for _ in range(3):
                self.guess(name)
            for _ in range(3):  # as if from the victim's own address
                self.guess(name, address="198.51.100.1", headers={"X-Forwarded-For": "203.0.113.1"})
        self.guess("password-of-victim")  # typed into the wrong field

    def guess_on(self):
        for name in ("victim", "Ｖictim", "carol", "olga"):
            self.guess(name)

    def lock_out_staff(self):
        for name in (STAFF, STAFF.upper(), "ｃｈｉｅｆ"):
            for _ in range(4):
                enter(self, name=name, password=GUESS, address=self.new_address())

    def flood_with_sign_ins(self):
        for _ in range(3):
            self.guess(uuid.uuid4().hex, who="floods")

    def flood_with_bodies(self):
        """Begin bodies that never end, and send forms that are too large."""
        head = f"POST /api/v1/orders/ HTTP/1.1\r\nHost: {self.url.host}\r\n"
        lines = []
        for more in ("Content-Length: 60000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n5\r\n{", "X: "):
            for _ in range(4):
                lines.append(socket.create_connection((self.url.host, self.url.port), timeout=30))
                lines[-1].sendall((head + more).encode())
        large = "x" * 100_000
        for path in ("/admin/login/", "/api/v1/accounts/auth/login/", "/api/v1/orders/"):
            with suppress(httpx.TransportError):  # the answer may be lost when the connection is closed
                assert self.send("floods", "POST", path, data={"more": large}).status_code == 413
        time.sleep(1)
        for line in lines:
            line.close()

    def flood_with_large_forms(self):
        """Begin more forms of the admin than it reads at once, and forge sessions for some."""
        heads = [
            f"POST /admin/trading/coin/add/ HTTP/1.1\r\nHost: {self.url.host}\r\nContent-Length: 2000000\r\n{more}\r\nx"
            for more in ("", "Cookie: sessionid=abcdefghijklmnopqrstuvwxyz012345\r\n")
        ]
        lines = [self.connect() for _ in range(20)]
        for line, head in zip(lines, cycle(heads)):
            line.sendall(head.encode())
        self.hear("forms", lines)

    def flood_with_pages(self):
        """Ask for more pages at once than may wait, from one address; the proxy adds it."""
        address = self.new_address()
        head = f"GET /admin/login/ HTTP/1.1\r\nHost: {self.url.host}\r\nX-Forwarded-For: {address}\r\n\r\n"
        lines = [self.connect() for _ in range(300)]
        for line in lines:
            line.sendall(head.encode())
        self.hear("pages", lines)

    def connect(self):
        return socket.create_connection((self.url.host, self.url.port), timeout=60)

    def hear(self, who, lines):
        """Note the answer on each line."""
        for line in lines:
            with closing(line), suppress(ConnectionError):
                answer = line.recv(65_536).decode()
                code = re.search(r'"code": "(\w+)"', answer)
                self._seen.answers[who, int(answer[9:12]), code[1] if code else ""] += 1

    def replay(self):
        """Use tokens from before a sign-out, a new password and a replacement, and somebody else's idempotency key."""
        for access, refresh in self._loot["ended"]:
            by = {"Authorization": f"Bearer {access}"}
            for method, path, body in (
                ("GET", "accounts/wallet/", None),
                ("PATCH", "accounts/wallet/withdraw/", {"amount": "1"}),
                ("PATCH", "accounts/wallet/deposit/", {"amount": "1"}),
                ("POST", "orders/", {"crypto": "ABAN", "amount": "0.5"}),
                ("POST", "orders/1/cancel/", {}),
                ("GET", "orders/", None),
                ("GET", "transactions/", None),
                ("GET", "accounts/holdings/", None),
                ("POST", "accounts/auth/logout/", {"refresh": refresh}),
            ):
                self.send("replays", method, path, json=body, headers=by)
            self.send("replays", "POST", "accounts/auth/refresh/", json={"refresh": refresh})
        self.send("replays", "POST", "accounts/auth/refresh/", json={"refresh": self._loot["replaced"]})

    def use_a_key_of_somebody_else(self):
        """The key is the attacker's own then, and finds nothing of its owner."""
        keyed = {**self.own, "Idempotency-Key": "victim-order-0"}
        self.send("keys", "POST", "orders/", json={"crypto": "ABAN", "amount": "1.25"}, headers=keyed)

    def forge_tokens(self):
        """Sign a victim's claims with other keys and algorithms, or not at all."""
        claims = jwt.decode(self._loot["ended"][0][0], options={"verify_signature": False})
        claims |= {"exp": int(time.time()) + 900}
        tokens = [signed(changed, key=key) for changed in wrong_claims(claims) for key in (b"", b"secret")]
        tokens += [signed(claims, key=key, algorithm="HS512") for key in (b"", b"secret")]
        tokens += [f"{encoded({'alg': alg, 'typ': 'JWT'})}.{encoded(claims)}." for alg in ("none", "None", "nOnE", "")]
        tokens += [self.tokens.access[:-4], f"{self.tokens.access}.x", "..", "~" * 4000]
        for token in tokens:
            self.send("forges", "GET", "accounts/wallet/", headers={"Authorization": f"Bearer {token}"})
            self.send("forges", "POST", "accounts/auth/refresh/", json={"refresh": token})
        as_access = {"Authorization": f"Bearer {self.tokens.refresh}"}
        self.send("forges", "GET", "accounts/wallet/", headers=as_access)
        self.send("forges", "POST", "accounts/auth/refresh/", json={"refresh": self.tokens.access})

    def forge_redis(self):
        """Write cheap offers and senseless pools, and bring back what stood there before; then buy."""
        offer = json.dumps({"coin_id": 1, "name": "ETH", "price": "0.01", "price_source": "fixed", "suspended": False})
        for key in ("offer:2:ETH", "offer:3:ETH", "offers:3", LIST_KEY):
            with_redis(lambda client, key=key: client.set(key, offer))
        for value in ("-5", "9" * 30, "text"):
            with_redis(lambda client, value=value: client.set("pool:ABAN", value))
            self.send("buys", "POST", "orders/", json={"crypto": "ETH", "amount": "1"}, headers=self.own)
            self.send("reads", "GET", "exchanges/crypto-currencies/")
        with_redis(lambda client: client.set(LIST_KEY, self._loot["offers"]))

    def forge_names(self):
        """Register names that look like a victim's or ours."""
        for name in (
            "ｖｉｃｔｉｍ",
            "vісtіm",
            "VICTIM",
            "ⅴictim",
            "chіef",
            "ａｄｍｉｎ",
            "adm1n",
            "찄" * 150,
            "ﷺ" * 26,
            "a b",
        ):
            body = {"username": name, "password": GUESS}
            self.send("names", "POST", "accounts/auth/register/", json=body)

    def forge_addresses(self):
        """Pretend other addresses: the true one is counted, whatever its form, so the guesses end after five.

        More than ten are made, because a minute may end in between.
        """
        address = self.new_address()
        name = uuid.uuid4().hex
        pretended = ("203.0.113.1", "203.0.113.1:51234", "[::1", "unknown", "x" * 4000, '"[2001:db8::1]:7"', ",,") * 2
        true = (f"{address}:{port}" for port in range(50_000, 50_014))
        for pretends, written in zip(pretended, true, strict=True):
            self.guess(name, who="addresses", address=written, headers={"X-Forwarded-For": pretends})

    def forge_cursors(self):
        stranger = base64.urlsafe_b64encode(b'["2999-01-01T00:00:00+00:00", 9223372036854775807, "0000000000000000"]')
        for cursor in (stranger.decode(), "x", "W10", "=" * 50, "\u00e9", "LTE", "bnVsbA", "W1tbW1tb"):
            for path in ("orders/", "transactions/"):
                self.send("cursors", "GET", path, params={"cursor": cursor}, headers=self.own)

    def downgrade(self):
        """Speak older or other forms of the protocol."""
        body = json.dumps({"username": "victim", "password": GUESS})
        for kind in ("text/plain", "application/x-www-form-urlencoded", "text/json", "application/xml"):
            self.send("downgrades", "POST", "accounts/auth/login/", content=body, headers={"Content-Type": kind})
        for line in ("GET /api/v1/accounts/wallet/ HTTP/1.0", "GET /api/v1/accounts/wallet/", "GET / HTTP/0.9"):
            with closing(socket.create_connection((self.url.host, self.url.port), timeout=30)) as raw:
                raw.sendall(f"{line}\r\n\r\n".encode())
                with suppress(ConnectionError):
                    assert b" 200 " not in raw.recv(4000).split(b"\r\n")[0]

    def fill_the_reviews(self):
        for _ in range(35):
            self.send("holds", "POST", "orders/", json={"crypto": "PENNY", "amount": "1"}, headers=self.own)

    def order_off_the_step(self):
        for body in (
            {"amount": "1.5"},
            {"amount": "0.1"},
            {"amount": "1.00000001"},
            {"amount": 1e-9},
            {"total": "0.01"},
        ):
            self.send("steps", "POST", "orders/", json={"crypto": "DOGE", **body}, headers=self.own)


def encoded(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def signed(claims, *, key, algorithm="HS256"):
    """Sign by hand: the library refuses such keys."""
    text = f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(claims)}"
    digest = hmac.new(key, text.encode(), {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[algorithm]).digest()
    return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def wrong_claims(claims):
    return [
        claims,
        *({**claims, name: value} for name in ("sub", "version", "family", "exp") for value in ([], "x")),
    ]


def enter(attacker, *, name, password, address):
    """Sign in to the admin, and say whether that worked."""
    with httpx.Client(base_url=attacker.url.join("/"), headers={"X-Forwarded-For": address}, timeout=60) as browser:
        for _ in range(MOST_TRIES):
            browser.get("/admin/login/")
            form = {"username": name, "password": password, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
            answer = attacker._seen.note("admin", browser.post("/admin/login/", data=form))
            if answer.status_code != 503 or password == GUESS:
                return answer.status_code == 302
            time.sleep(int(answer.headers["Retry-After"]))
    return False


def stored_list(api):
    """Have the API store its list of coins in Redis, and return what is there."""
    httpx.get(f"{api}exchanges/crypto-currencies/").raise_for_status()
    return with_redis(lambda client: client.get(LIST_KEY))


def steal(api):
    """Take tokens of ended and of running sign-ins, and a list of coins from the time when all were cheap."""
    victim, carol = User.objects.get(username="victim"), User.objects.get(username="carol")
    now = timezone.now()
    signed_out, before_the_password = start_token_family(user=victim, now=now), start_token_family(user=carol, now=now)
    sign_out(refresh=signed_out.refresh, user_id=victim.pk, now=now)
    change_password(user=carol, password="password-of-carol")
    replaced = start_token_family(user=carol, now=now).refresh
    newest = rotate_refresh_token(refresh=rotate_refresh_token(refresh=replaced, now=now).refresh, now=now)
    coins = [make_coin(name, "0.01", step=Decimal(1 if name == "DOGE" else "0.00000001")) for name in PRICES]
    offers = stored_list(api)
    for coin in coins:
        coin.fixed_price = Decimal(PRICES[coin.name])
        save_coin(coin=coin)
    ended = [(pair.access, pair.refresh) for pair in (signed_out, before_the_password)]
    return {"ended": ended, "replaced": replaced, "tablet": newest.refresh, "offers": offers}


def make_honest(client, seen):
    """Return three customers; the password of one was hashed by an earlier version."""
    customers = [
        Honest(client, seen, name=name, address=f"203.0.113.{number}")
        for number, name in enumerate(("victim", "carol", "olga"), start=1)
    ]
    for one in customers:
        register(username=one.name, password=one.password, email="", now=timezone.now(), address=one.address)
    old_hash = PBKDF2PasswordHasher().encode("password-of-olga", "salt" * 6)
    User.objects.filter(username="olga").update(password=old_hash)
    return customers


class Siege:
    """Runs attacks in threads of their own, each again and again."""

    def __init__(self, attacker):
        self._over = threading.Event()
        alone = [attacker.flood_with_sign_ins] * 12 + [
            attacker.flood_with_bodies,
            attacker.flood_with_large_forms,
            attacker.flood_with_pages,
            attacker.replay,
            attacker.forge_tokens,
        ]
        together = [each for each in attacker.attacks if each not in {*alone, attacker.lock_out_a_customer}]
        self._attacks = [*([attack] for attack in alone), together]
        self._pool = ThreadPoolExecutor(len(self._attacks))

    def __enter__(self):
        self._running = [self._pool.submit(self._repeat, attacks) for attacks in self._attacks]

    def __exit__(self, *_):
        self._over.set()
        self._pool.shutdown()
        for one in self._running:
            one.result()

    def _repeat(self, attacks):
        for attack in cycle(attacks):
            if self._over.is_set():
                return
            attack()


REFUSALS = {
    "guesses": {(401, "invalid_credentials"), (400, "malformed_json")},
    "floods": {(401, "invalid_credentials"), (413, "body_too_large"), (413, "")},
    "forms": {(413, "body_too_large")},
    "pages": {(200, "")},
    "addresses": {(401, "invalid_credentials")},
    "replays": {(401, "token_invalid")},
    "forges": {(401, "token_invalid"), (422, "validation_error")},
    "buys": {(400, "insufficient_funds")},
    "reads": {(200, "")},
    "names": {(409, "username_taken"), (422, "username_not_allowed"), (422, "validation_error")},
    "keys": {(201, "")},
    "holds": {(201, ""), (403, "too_many_held")},
    "steps": {(422, "amount_off_step"), (422, "below_minimum"), (422, "validation_error")},
    "cursors": {(400, "invalid_cursor"), (422, "validation_error")},
    "downgrades": {(415, "unsupported_media_type")},
}
"""What the attacker may be answered, besides `busy` and `rate_limited`."""


@pytest.fixture
def printed(tmp_path):
    """The file with all that the process prints."""
    return tmp_path / "printed"


@pytest.fixture
def api(make_api_process, printed):
    return make_api_process(output=printed, **LIMITS)


@pytest.fixture
def client(api):
    with httpx.Client(base_url=api, timeout=60) as client:
        yield client


def test_an_attacker_gains_nothing_and_refuses_nobody(api, client, printed):
    seen = Seen()
    customers = make_honest(client, seen)
    User.objects.create_user(STAFF, password=STAFF_PASSWORD, is_staff=True, is_superuser=True)
    loot = steal(api)
    attacker = Attacker(api, seen, loot=loot)
    assert enter(attacker, name=STAFF, password=STAFF_PASSWORD, address=OFFICE)
    attacker.send("own", "PATCH", "accounts/wallet/deposit/", json={"amount": "9.00"}, headers=attacker.own)
    for one in customers:
        one.live_a_round(0)

    for attack in attacker.attacks:
        attack()  # once in peace: in the flood many get no other answer than `busy`
    with Siege(attacker):
        for number in range(1, ROUNDS):
            for one in customers:
                one.live_a_round(number)
        assert enter(attacker, name=STAFF, password=STAFF_PASSWORD, address=OFFICE)

    the_honest_have_everything(customers, seen, loot)
    the_attacker_has_nothing(seen)
    the_log_names_the_failures_and_no_secret(printed.read_text())
    call_command("verify_ledger", "--quiet")


def the_honest_have_everything(customers, seen, loot):
    assert seen.of("honest") <= {(200, ""), (201, ""), (503, "busy")}
    for one in customers:
        bought = Order.objects.filter(customer__username=one.name)
        assert [order.charge for order in bought] == [Decimal("2.00")] * ROUNDS
        assert sum(order.amount for order in bought) == one.bought
        assert Wallet.objects.get(owner__username=one.name, asset="USD").balance == one.expected
        one.sign_in()
        one.refresh()
        one.order(f"{one.name}-last")
        one.withdraw_everything()
    assert User.objects.get(username="olga").password.startswith("argon2")
    # The replay of Carol's old token has ended that sign-in, and no other.
    carol = customers[1]
    carol.call("POST", "accounts/auth/refresh/", {"refresh": loot["tablet"]}, status=401)
    assert TokenFamily.objects.filter(user__username="carol", ended_at=None).exists()


def the_attacker_has_nothing(seen):
    errors = {(status, code) for _, status, code in seen.answers if status >= 500}
    assert errors <= {(503, "busy")}
    for who, expected in REFUSALS.items():
        got = seen.of(who) - {(503, "busy"), (429, "rate_limited")}
        assert got <= expected, who
        assert got, who
    assert (429, "rate_limited") in seen.of("guesses")
    assert (429, "rate_limited") in seen.of("addresses")
    assert (429, "rate_limited") in seen.of("pages")
    assert (403, "too_many_held") in seen.of("holds")
    orders = Order.objects.filter(customer__username=Attacker.name)
    assert all(order.price == Decimal(PRICES[order.coin.name]) for order in orders.select_related("coin"))
    assert all(order.charge >= order.amount * order.price for order in orders)
    assert orders.filter(state="held").count() == int(LIMITS["RISK_MAX_HELD"])
    assert not orders.filter(coin__name__in=["ETH", "DOGE"]).exists()
    spent = sum(order.charge for order in orders)
    assert {wallet.asset: wallet.balance for wallet in Wallet.objects.filter(owner__username=Attacker.name)} == {
        "USD": 9 - spent
    }
    assert Transaction.objects.filter(customer__username=Attacker.name).exclude(kind="purchase").count() == 1
    assert set(User.objects.values_list("username", flat=True)) == {"victim", "carol", "olga", STAFF, Attacker.name}


def the_log_names_the_failures_and_no_secret(printed):
    failures = SecurityEvent.objects.filter(kind="sign_in_failed", address__startswith="198.")
    assert failures.filter(realm="api", user__username="victim").exists()
    assert failures.filter(realm="admin", user__username=STAFF).exists()
    assert failures.filter(user=None).exclude(name_hash="").exists()
    assert not failures.filter(address__in=["203.0.113.1", OFFICE]).exists()
    assert SecurityEvent.objects.filter(kind="refresh_reused", user__username="carol").count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(row_to_json(event)::text, ' ') FROM wallets_securityevent event")
        table = cursor.fetchone()[0]
    assert "sign_in_failed" in printed
    assert " ERROR " not in printed  # a flood of refusals does not fill the log with errors
    for secret in ("password-of-", GUESS, "eyJ"):
        assert secret not in table
        assert secret not in printed
