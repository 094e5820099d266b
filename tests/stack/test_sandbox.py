"""docs/sandbox.md: each row of its tables is tried over HTTP on a stack as `task dev` starts it."""

import json
import re
import subprocess
import sys
import threading
import time
import uuid
from datetime import datetime

import httpx
import pytest

from exchange_site.stack.processes import PROJECT
from exchange_site.stack.running import running_stack
from tests.processes import wait_for
from tests.stack.test_stack import OWN_SERVERS, new_folder

PAGE = (PROJECT / "docs/sandbox.md").read_text()
POOL_SECONDS = 3
ENVIRONMENT = {
    **OWN_SERVERS,
    "POOL_MAX_AGE_SECONDS": str(POOL_SECONDS),  # the page says an hour
    **{f"RATE_LIMIT_{name}": "100000/m" for name in ("USER", "ANON", "REGISTER", "ORDERS", "WALLET")},
}
ENDS = {"refunded": "refunded_at", "completed": "completed_at"}
BUSY_SECONDS = 240
"""How long a test waits for a state. What the page promises is compared with the order's own times."""

DECIDING = """
from trading.services.reviewing import {decision}_within_transaction as decide
from wallets.models import User
from wallets.runtime.clock import database_now
decide(order_id={order_id}, decided_by=User.objects.get(username="admin"), note="a test", now=database_now())
"""

pytestmark = pytest.mark.timeout(1200)


def rows_after(heading):
    """Return the cells of the first table below a line, each without its backticks."""
    lines = PAGE[PAGE.index(heading) :].splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    for line in lines[begin + 1 :]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split(" | ")]


def words_of(cell):
    return re.findall(r"`([^`]+)`", cell)


ORDERED = [(words_of(row[0])[0], *row[1:2], *row[3:]) for row in rows_after("Place the order of the second column")]
REFUSED = [(words_of(row[0])[0], *row[1:]) for row in rows_after("Two are refused when they are ordered")]


def body_of(coin, cell):
    return {"crypto": coin, **json.loads("{" + words_of(cell)[0] + "}")}


class Customer:
    """A customer with 10,000 dollars."""

    def __init__(self, api):
        self.client = httpx.Client(base_url=f"{api}/api/v1/", timeout=60)
        named = {"username": f"reader{uuid.uuid4().hex[:12]}", "password": "password123"}
        wait_for(lambda: self._sign_up(named), seconds=60)
        self.client.patch("accounts/wallet/deposit/", json={"amount": "10000"}).raise_for_status()

    def _sign_up(self, named):
        """Register, unless the one place for a password hash is taken just now."""
        answer = self.client.post("accounts/auth/register/", json=named)
        if answer.status_code == 201:
            self.client.headers["Authorization"] = f"Bearer {answer.json()['access']}"
        return answer.status_code == 201

    def leave(self):
        self.client.close()

    def place(self, **body):
        answer = self.client.post("orders/", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def order(self, order_id):
        return self.client.get(f"orders/{order_id}/").raise_for_status().json()

    def until(self, order_id, *states):
        return wait_for(
            lambda: found if (found := self.order(order_id))["state"] in states else None, seconds=BUSY_SECONDS
        )

    def balance(self):
        return self.client.get("accounts/wallet/").raise_for_status().json()["balance"]


class Watched:
    """One order of each row, placed at once by one customer, and what a program saw that asked for all of them.

    Besides one of an ordinary coin, which says how slow this machine is at the same time.
    """

    def __init__(self, api):
        self.customer = Customer(api)
        self._see_that_a_worker_buys()
        self.seen, self.reasons, self._ended = {}, {}, threading.Event()
        self.ids = {coin: self.customer.place(**body_of(coin, cell))["id"] for coin, cell, *_ in ORDERED}
        self.ordinary = self.customer.place(crypto="ABAN", amount="1")["id"]
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _see_that_a_worker_buys(self):
        self.customer.until(self.customer.place(crypto="ABAN", amount="1")["id"], "completed")

    def ordinary_seconds(self):
        order = self.customer.until(self.ordinary, "completed")
        return seconds_between(order["created_at"], order["completed_at"])

    def _watch(self):
        while not self._ended.wait(0.2):
            for order in self.customer.client.get("orders/").json():
                states = self.seen.setdefault(order["crypto"], [])
                if order["state"] not in states[-1:]:
                    states.append(order["state"])
                self.reasons.setdefault(order["crypto"], set()).add(order["reason"])

    def end(self):
        self._ended.set()
        self._watcher.join(60)
        self.customer.leave()


@pytest.fixture(scope="module")
def stack():
    with new_folder() as folder, running_stack(folder, environment=ENVIRONMENT) as addresses:
        yield addresses


@pytest.fixture(scope="module")
def watched(stack):
    found = Watched(stack.api)
    yield found
    found.end()


@pytest.fixture
def customer(stack):
    found = Customer(stack.api)
    yield found
    found.leave()


def seconds_between(earlier, later):
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def command(stack, *arguments):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env={**stack.environment, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


@pytest.mark.parametrize(("coin", "_body", "states", "reason", "within"), ORDERED, ids=[row[0] for row in ORDERED])
def test_an_order_ends_as_the_page_says(watched, coin, _body, states, reason, within):
    states, reason = words_of(states), words_of(reason)[0]
    order = watched.customer.until(watched.ids[coin], states[-1])
    assert str(order["reason"] or "null") == reason
    time.sleep(0.5)  # the watcher's next look
    seen = watched.seen[coin]
    assert seen == [state for state in states if state in seen], "in this order, and no other state"
    assert (order["settling_at"] is not None) == ("settling" in states)
    if within == "at once":
        assert seen == states
        return
    taken = seconds_between(order["created_at"], order[ENDS[states[-1]]])
    if "settle_by" in within:
        taken -= POOL_SECONDS
    assert 0 < taken < int(within.split()[0]) + 3 * watched.ordinary_seconds()


def test_the_refunded_ones_are_paid_back_and_the_others_paid(watched):
    for coin, order_id in watched.ids.items():
        watched.customer.until(order_id, words_of(next(row for row in ORDERED if row[0] == coin)[2])[-1])
    assert watched.customer.balance() == "9800.00"  # HOLD, LOST, SLOW and two of ABAN cost 20.00 each, PARTLY 100.00
    held = {row["crypto"]: row["amount"] for row in watched.customer.client.get("accounts/holdings/").json()}
    assert held == {"ABAN": "2.00000000", "LOST": "1.00000000", "PARTLY": "5.00000000", "SLOW": "1.00000000"}


@pytest.mark.parametrize(("coin", "body", "answer"), REFUSED)
def test_a_refusal_is_as_the_page_says_and_costs_nothing(customer, coin, body, answer):
    status, code = int(answer.split()[0]), words_of(answer)[0]
    wait_for(
        lambda: customer.client.get("exchanges/crypto-currencies/SOLDOUT/").json()["unavailable_reason"],
        seconds=BUSY_SECONDS,
    )
    for path in ("orders/", "quotes/"):
        refused = customer.client.post(path, json=body_of(coin, body))
        assert (refused.status_code, refused.json()["code"]) == (status, code), path
        assert ("Retry-After" in refused.headers) == (status == 503)
    assert (customer.balance(), customer.client.get("orders/").json()) == ("10000.00", [])


def test_the_list_says_what_is_not_sold_and_why(stack):
    wait_for(lambda: listed(stack)["SOLDOUT"]["unavailable_reason"] == "sales_stopped", seconds=BUSY_SECONDS)
    magic = {name: coin for name, coin in listed(stack).items() if coin["title"].startswith("Sandbox: ")}
    assert set(magic) == {row[0] for row in [*ORDERED, *REFUSED]}
    assert [name for name, coin in magic.items() if not coin["is_available"]] == ["SOLDOUT"]
    assert {coin["price"] for coin in magic.values()} == {"20.00000000"}


def listed(stack):
    coins = httpx.get(f"{stack.api}/api/v1/exchanges/crypto-currencies/", timeout=60).raise_for_status().json()
    return {coin["name"]: coin for coin in coins}


def test_a_held_order_cannot_be_cancelled_and_too_many_are_refused(customer):
    held = [customer.place(crypto="HOLD", amount="1") for _ in range(5)]
    assert {order["state"] for order in held} == {"held"}
    cancelled = customer.client.post(f"orders/{held[0]['id']}/cancel/")
    assert (cancelled.status_code, cancelled.json()["code"]) == (409, "order_not_cancellable")
    sixth = customer.client.post("orders/", json={"crypto": "HOLD", "amount": "1"})
    assert (sixth.status_code, sixth.json()["code"]) == (403, "too_many_held")
    assert customer.place(crypto="ABAN", amount="1")["state"] == "pending"
    assert customer.balance() == "9880.00"


def test_held_orders_end_as_staff_decide(stack, customer):
    released, refunded = (customer.place(crypto="HOLD", amount="1")["id"] for _ in range(2))
    for decision, order_id in (("release", released), ("refund", refunded)):
        done = command(stack, "shell", "-v", "0", "-c", DECIDING.format(decision=decision, order_id=order_id))
        assert done.returncode == 0, done.stderr
    assert customer.until(released, "completed")["reason"] is None
    assert customer.until(refunded, "refunded")["reason"] == "refused_after_review"
    assert customer.balance() == "9980.00"


def test_a_lost_answer_is_unclear_until_it_is_found_for_those_who_wait_too(customer):
    ids = [customer.place(crypto="LOST", amount="1")["id"] for _ in range(2)]
    seen = wait_for(
        lambda: reasons if "venue_unclear" in (reasons := [customer.order(each)["reason"] for each in ids]) else None,
        seconds=BUSY_SECONDS,
    )
    assert set(seen) <= {"venue_unclear", None}
    assert [customer.until(each, "completed")["reason"] for each in ids] == [None, None]


def test_an_ordinary_coin_is_bought_while_magic_ones_are_not(customer):
    slow = [customer.place(crypto=coin, amount="2")["id"] for coin in ("SLOW", "MOVED", "LOST", "REFUSE")]
    ordinary = customer.place(crypto="ABAN", amount="1")["id"]
    customer.until(ordinary, "completed")
    assert customer.order(slow[1])["state"] in {"pending", "settling"}, "MOVED is still tried"


def test_what_the_page_says_of_orders_without_a_magic_coin(customer):
    pooled = customer.place(crypto="TIMEOUT", total="5")
    assert pooled["state"] == "aggregated"
    cancelled = customer.client.post(f"orders/{pooled['id']}/cancel/")
    assert (cancelled.json()["state"], cancelled.json()["reason"]) == ("cancelled", "cancelled_by_customer")
    refused = {
        "insufficient_funds": {"crypto": "ABAN", "total": "10001"},
        "unknown_crypto": {"crypto": "NOSUCH", "total": "20"},
        "price_above_max": {"crypto": "ABAN", "total": "20", "max_price": "19.99"},
        "quote_invalid": {"quote": "ABAN:altered"},
    }
    for code, body in refused.items():
        assert customer.client.post("orders/", json=body).json()["code"] == code
        assert f"`{code}`" in PAGE


@pytest.mark.parametrize(
    ("path", "coin", "change", "reason"),
    [
        ("prices", "DOGE", "0.132", "suspended"),
        ("market", "ADA", {"status": "BREAK"}, "not_trading"),
    ],
)
def test_the_simulators_port_makes_what_no_magic_coin_shows(stack, customer, path, coin, change, reason):
    wait_for(lambda: listed(stack)[coin]["is_available"], seconds=BUSY_SECONDS)
    httpx.put(f"{stack.simulator}/control/{path}", json={f"{coin}USDT": change}, timeout=60).raise_for_status()
    wait_for(lambda: listed(stack)[coin]["unavailable_reason"] == reason, seconds=BUSY_SECONDS)
    refused = customer.client.post("orders/", json={"crypto": coin, "total": "20"})
    assert (refused.status_code, refused.json()["code"]) == (503, "price_unavailable")
    assert f"| `{reason}` | `PUT /control/{path}`" in PAGE


def test_the_books_are_right_afterwards(stack, watched):
    for coin, order_id in watched.ids.items():
        watched.customer.until(order_id, words_of(next(row for row in ORDERED if row[0] == coin)[2])[-1])
    for name in ("verify_ledger", "reconcile"):
        done = command(stack, name)
        assert done.returncode == 0, done.stdout + done.stderr
