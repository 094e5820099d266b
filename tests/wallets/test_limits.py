"""Rate limits in one process. tests/site/test_limits.py tests them over several."""

import time
from decimal import Decimal
from ipaddress import ip_network
from types import SimpleNamespace

import pytest

from tests.configure import configure
from wallets.exceptions import RateLimited
from wallets.runtime import redis_store
from wallets.runtime.redis_round import RedisRound
from wallets.web import limits
from wallets.web.addresses import client_address, wider_networks
from wallets.web.limits import LOGIN, USER, Limit, count_call, count_dollars, read_again, take_back


def count_once(*, limit, caller):
    [usage] = count_call(limits=[limit], caller=caller)
    return usage


pytestmark = pytest.mark.django_db


@pytest.fixture
def problem():
    def read(response):
        assert response["Content-Type"] == "application/problem+json"
        return response.status_code, response.json()["code"]

    return read


def fields(header):
    """Parse `"user";r=9;t=3, "orders";r=4;t=5` into {"user": {"r": 9, "t": 3}, …}."""
    found = {}
    for policy in header.split(", "):
        name, *parameters = policy.split(";")
        found[name.strip('"')] = {key: int(value) for key, value in (each.split("=") for each in parameters)}
    return found


class TestCountCall:
    @pytest.fixture(autouse=True)
    def three_an_hour(self, settings):
        configure(settings, "LIMITS", login="3/h")

    def test_allows_as_many_calls_as_the_quota(self):
        usages = [count_once(limit=LOGIN, caller="alice") for _ in range(5)]
        assert [usage.remaining for usage in usages] == [2, 1, 0, 0, 0]
        assert [usage.exceeded for usage in usages] == [False, False, False, True, True]
        assert all(1 <= usage.reset_seconds <= 3600 for usage in usages)
        with pytest.raises(RateLimited) as refused:
            usages[-1].ensure_within()
        assert refused.value.retry_after_seconds == usages[-1].reset_seconds

    def test_counts_callers_and_limits_separately(self, settings):
        configure(settings, "LIMITS", user="3/h")
        for caller, limit in [("alice", LOGIN), ("bob", LOGIN), ("alice", Limit("user"))]:
            assert count_once(limit=limit, caller=caller).remaining == 2

    def test_costs_one_round_trip(self, monkeypatch):
        trips = []
        real = redis_store.with_redis
        monkeypatch.setattr("wallets.runtime.redis_round.with_redis", lambda command: trips.append(1) or real(command))
        count_once(limit=LOGIN, caller="alice")
        count_once(limit=LOGIN, caller="alice")
        count_call(limits=(USER, LOGIN), caller="alice")
        assert len(trips) == 3

    @pytest.mark.parametrize("redis", ["with", "without"])
    def test_counts_up_to_the_first_limit_that_is_exceeded(self, settings, redis, request):
        if redis == "without":
            request.getfixturevalue("without_redis")
            limits._counted_here.clear()
        configure(settings, "LIMITS", user="9/h")
        for left in ([2, 8], [1, 7], [0, 6], [0, 6], [0, 6]):
            usages = count_call(limits=(LOGIN, USER), caller="alice")
            assert [usage.remaining for usage in usages] == left
        assert [usage.exceeded for usage in usages] == [True, False]

    @pytest.mark.parametrize("redis", ["with", "without"])
    def test_can_be_taken_back_and_never_below_nothing(self, redis, request):
        if redis == "without":
            request.getfixturevalue("without_redis")
            limits._counted_here.clear()
        usages = count_call(limits=(LOGIN,), caller="alice")
        assert [usage.remaining for usage in take_back(usages)] == [3]
        take_back(usages)
        assert count_once(limit=LOGIN, caller="alice").remaining == 2

    def test_leaves_an_expired_counter_alone_when_it_is_taken_back(self):
        usages = count_call(limits=(LOGIN,), caller="alice")
        redis_store.with_redis(lambda redis: redis.flushall())
        take_back(usages)
        assert redis_store.with_redis(lambda redis: redis.keys("*")) == []

    def test_counts_a_call_against_each_of_several_limits(self, settings):
        configure(settings, "LIMITS", user="9/h")
        for left in ([8, 2], [7, 1], [6, 0], [5, 0]):
            usages = count_call(limits=(USER, LOGIN), caller="alice")
            assert [usage.remaining for usage in usages] == left
        assert [usage.exceeded for usage in usages] == [False, True]
        assert count_once(limit=USER, caller="alice").remaining == 4

    def test_is_known_later_without_another_count(self, monkeypatch):
        ends_at = int(time.time()) + 100
        monkeypatch.setattr(limits, "_get_window", lambda caller, seconds: ends_at)
        counted = count_call(limits=(LOGIN,), caller="alice")
        monkeypatch.setattr("wallets.runtime.redis_round.with_redis", None)
        monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: ends_at - 40))
        [later] = read_again(counted, caller="alice")
        assert (later.remaining, later.reset_seconds) == (2, 41)
        monkeypatch.setattr(limits, "_get_window", lambda caller, seconds: ends_at + 3600)
        [in_next_window] = read_again(counted, caller="alice")
        assert (in_next_window.remaining, in_next_window.reset_seconds) == (3, 3641)

    def test_reads_prefetched_keys_in_the_same_round_trip(self):
        redis_store.with_redis(lambda redis: redis.set("kept", "7"))
        redis_round = RedisRound()
        redis_round.prefetch("missing", "kept")
        usages = count_call(limits=(USER, LOGIN), caller="alice", redis_round=redis_round)
        assert (redis_round.find("missing"), redis_round.find("kept")) == (None, "7")
        assert usages[1].remaining == 2
        assert redis_store.with_redis(lambda redis: redis.get("kept")) == "7"

    def test_finds_no_prefetched_key_without_redis(self, without_redis):
        redis_round = RedisRound()
        redis_round.prefetch("kept")
        count_call(limits=(LOGIN,), caller="alice", redis_round=redis_round)
        assert redis_round.find("kept") is None

    def test_tells_a_caller_to_wait_a_second_at_least(self, monkeypatch):
        monkeypatch.setattr(limits, "_get_window", lambda caller, seconds: int(time.time()) - 2)
        assert count_once(limit=LOGIN, caller="alice").reset_seconds == 1

    def test_writes_counters_that_expire(self):
        count_once(limit=LOGIN, caller="alice")
        [key] = redis_store.with_redis(lambda redis: redis.keys("rl:*"))
        assert 3600 <= redis_store.with_redis(lambda redis: redis.ttl(key)) <= 3605

    def test_counts_in_the_process_without_redis(self, without_redis):
        limits._counted_here.clear()
        usages = [count_once(limit=LOGIN, caller="alice") for _ in range(5)]
        assert [usage.remaining for usage in usages] == [2, 1, 0, 0, 0]
        assert usages[-1].exceeded


class TestHeaders:
    def test_show_what_remains_of_every_limit(self, api, shopper, coin, settings):
        configure(settings, "LIMITS", user="9/h", orders="3/m")
        answer = api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper)
        assert answer["RateLimit-Policy"] == '"user";q=9;w=3600, "orders";q=3;w=60'
        left = fields(answer["RateLimit"])
        assert (left["user"]["r"], left["orders"]["r"]) == (8, 2)
        assert 1 <= left["user"]["t"] <= 3600
        assert 1 <= left["orders"]["t"] <= 60

    @pytest.mark.parametrize(
        "path", ["orders/", "transactions/", "accounts/wallet/", "accounts/holdings/", "orders/9/"]
    )
    def test_are_on_every_answer_of_a_signed_in_call(self, api, shopper, path):
        assert fields(api("GET", path, by=shopper)["RateLimit"])["user"]["r"] > 0

    def test_are_on_refusals_too(self, api, shopper):
        for method, path, body in [("POST", "orders/", {}), ("PATCH", "accounts/wallet/withdraw/", {"amount": "900"})]:
            assert api(method, path, body, by=shopper)["RateLimit"]


class TestLimits:
    def refused(self, problem, answer):
        assert problem(answer) == (429, "rate_limited")
        left = fields(answer["RateLimit"])
        assert int(answer["Retry-After"]) in {each["t"] for each in left.values() if each["r"] == 0}
        return True

    def test_apply_to_all_calls_of_a_customer(self, api, shopper, make_shopper, settings, problem):
        configure(settings, "LIMITS", user="2/h")
        for _ in range(2):
            assert api("GET", "accounts/wallet/", by=shopper).status_code == 200
        for method, path in [("GET", "accounts/wallet/"), ("GET", "orders/"), ("POST", "orders/1/cancel/")]:
            assert self.refused(problem, api(method, path, by=shopper))
        assert api("GET", "accounts/wallet/", by=make_shopper()).status_code == 200

    def test_apply_to_orders(self, api, shopper, coin, settings, problem):
        configure(settings, "LIMITS", orders="1/h")
        body = {"crypto": "ABAN", "amount": "3"}
        assert api("POST", "orders/", body, by=shopper).status_code == 201
        assert self.refused(problem, api("POST", "orders/", body, by=shopper))
        assert shopper.wallet.balance == 88
        assert api("GET", "orders/", by=shopper).status_code == 200

    def test_apply_to_deposits_and_withdrawals(self, api, shopper, settings, problem):
        configure(settings, "LIMITS", wallet="2/h")
        for path in ("deposit", "withdraw"):
            assert api("PATCH", f"accounts/wallet/{path}/", {"amount": "1"}, by=shopper).status_code == 200
        for path in ("deposit", "withdraw"):
            assert self.refused(problem, api("PATCH", f"accounts/wallet/{path}/", {"amount": "1"}, by=shopper))
        assert shopper.wallet.balance == 100

    def test_apply_to_sign_ins_to_one_account(self, api, shopper, settings, problem):
        configure(settings, "LIMITS", login="2/h")
        name = shopper.user.username
        for tried in (name, name.upper()):
            answer = api("POST", "accounts/auth/login/", {"username": tried, "password": "wrong-one"})
            assert problem(answer) == (401, "invalid_credentials")
        body = {"username": name, "password": "wrong-one"}
        assert self.refused(problem, api("POST", "accounts/auth/login/", body))
        other = {"username": "somebody-else", "password": "wrong-one"}
        assert problem(api("POST", "accounts/auth/login/", other)) == (401, "invalid_credentials")

    def test_apply_to_sign_ins_from_one_address(self, api, settings, problem):
        configure(settings, "LIMITS", login_address="2/h")
        for name in ("a", "b"):
            assert api("POST", "accounts/auth/login/", {"username": name, "password": "x"}).status_code == 401
        assert self.refused(problem, api("POST", "accounts/auth/login/", {"username": "c", "password": "x"}))

    def test_apply_to_new_accounts(self, api, settings, problem):
        configure(settings, "LIMITS", register="1/h")
        body = {"username": "alice", "password": "password123"}
        assert api("POST", "accounts/auth/register/", body).status_code == 201
        assert self.refused(problem, api("POST", "accounts/auth/register/", {**body, "username": "bob"}))

    def test_apply_to_calls_without_a_valid_token(self, api, coin, settings, problem):
        configure(settings, "LIMITS", anonymous="2/h")
        assert api("GET", "exchanges/crypto-currencies/").status_code == 200
        assert problem(api("GET", "accounts/wallet/", Authorization="Bearer guess")) == (401, "token_invalid")
        assert self.refused(problem, api("GET", "exchanges/crypto-currencies/ABAN/"))
        assert self.refused(problem, api("GET", "accounts/wallet/", Authorization="Bearer guess"))
        assert self.refused(problem, api("POST", "accounts/auth/refresh/", {"refresh": "x"}))

    def test_do_not_apply_to_health_and_documents(self, client, api, settings):
        configure(settings, "LIMITS", anonymous="1/h")
        for _ in range(3):
            assert client.get("/health/").status_code == 200
            assert api("GET", "openapi.json").status_code == 200


class TestClientAddress:
    @pytest.fixture
    def address(self, rf, settings):
        def of(peer, forwarded=None, *, trusted=("10.0.0.0/8", "2001:db8:ffff::/48")):
            configure(settings, "LIMITS", trusted_proxies=[ip_network(each) for each in trusted])
            headers = {"X-Forwarded-For": forwarded} if forwarded is not None else {}
            return client_address(rf.get("/", REMOTE_ADDR=peer, headers=headers))

        return of

    @pytest.mark.parametrize(
        ("peer", "forwarded", "expected"),
        [
            ("192.0.2.1", None, "192.0.2.1"),
            ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # any caller can send the header
            ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("10.0.0.1", "nonsense", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.7, nonsense, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
            ("2001:db8:ffff::1", "2001:db8:7:8::9", "2001:db8:7:8::/64"),
            ("::ffff:192.0.2.1", None, "192.0.2.1"),
            ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("", None, "unknown"),
            # Ports, quotes and zones, as proxies write them.
            ("10.0.0.1", "203.0.113.7:51234", "203.0.113.7"),
            ("10.0.0.1", "203.0.113.9:1, 203.0.113.7:51234, 10.0.0.2:443", "203.0.113.7"),
            ("10.0.0.1", "[2001:db8:7:8::9]:443", "2001:db8:7:8::/64"),
            ("10.0.0.1", "2001:db8:7:8:9:a:b:c:51234", "2001:db8:7:8::/64"),
            ("10.0.0.1", "2001:db8:7:8::9:51234", "2001:db8:7:8::/64"),
            ("10.0.0.1", "2001:db8:7:8::9:443", "2001:db8:7:8::/64"),
            ("10.0.0.1", "[2001:db8:7:8::9]", "2001:db8:7:8::/64"),
            ("10.0.0.1", '"[2001:db8:7:8::9]:443"', "2001:db8:7:8::/64"),
            ("10.0.0.1", '"203.0.113.7:51234"', "203.0.113.7"),
            ("10.0.0.1", "[::ffff:203.0.113.7]:51234", "203.0.113.7"),
            ("10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"),
            ("10.0.0.1", "fe80:0:0:8::9%eth0", "fe80:0:0:8::/64"),
            ("10.0.0.1", "[fe80:0:0:8::9%25eth0]:1", "fe80:0:0:8::/64"),
            ("10.0.0.1:51234", "203.0.113.7:51234", "203.0.113.7"),
            ("203.0.113.7:51234", None, "203.0.113.7"),
            # A hop that is no address ends the search at the proxy that reported it; what is left of it is not believed.
            ("10.0.0.1", "198.51.100.7, unknown", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.7, _hidden:7", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.7, 203.0.113.7:", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.7, 203.0.113.7:443:1", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.7, 203.0.113.007", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.7, [203.0.113.7", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.7, 203.0.113.7 203.0.113.8", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.7,", "10.0.0.1"),
        ],
    )
    def test_is_the_last_address_that_is_not_a_trusted_proxy(self, address, peer, forwarded, expected):
        assert address(peer, forwarded) == expected

    def test_ignores_the_header_by_default(self, address):
        assert address("10.0.0.1", "198.51.100.7", trusted=()) == "10.0.0.1"

    def test_ignores_the_header_forwarded(self, rf, settings):
        configure(settings, "LIMITS", trusted_proxies=[ip_network("10.0.0.0/8")])
        request = rf.get("/", REMOTE_ADDR="10.0.0.1", headers={"Forwarded": "for=198.51.100.7"})
        assert client_address(request) == "10.0.0.1"

    def test_has_two_wider_networks_in_ipv6(self, address):
        assert wider_networks(address("2001:db8:1:2ff::9")) == ("2001:db8:1:200::/56", "2001:db8:1::/48")
        assert wider_networks(address("192.0.2.1")) == wider_networks("unknown") == ()


class TestCountDollars:
    """At most so many within a minute, whenever that begins."""

    @staticmethod
    def count(amount, *, caller="alice"):
        count_dollars(limit="some-dollars", caller=caller, amount=Decimal(amount), most=Decimal("20.00"))

    @staticmethod
    def counted(entries):
        """Let dollars have been counted some seconds ago."""
        now = redis_store.with_redis(lambda client: client.time())[0]
        fields = {str(now - ago): cents for ago, cents in entries.items()}
        redis_store.with_redis(lambda client: client.hset("some-dollars:alice", mapping=fields))

    def test_fit_up_to_the_last_cent(self):
        self.count("12.34")
        self.count("7.66")
        with pytest.raises(RateLimited) as refused:
            self.count("0.01")
        assert 55 <= refused.value.retry_after_seconds <= 61
        self.count("20.00", caller="bob")

    def test_do_not_fit_twice_around_the_turn_of_a_minute(self):
        """With a counter for each minute on the clock, twice as many fit within two seconds."""
        self.counted({50: 1500})
        with pytest.raises(RateLimited) as refused:
            self.count("5.01")
        assert 5 <= refused.value.retry_after_seconds <= 11
        self.count("5.00")

    def test_wait_until_enough_of_the_oldest_are_a_minute_old(self):
        self.counted({50: 500, 30: 500, 10: 1000})
        with pytest.raises(RateLimited) as refused:
            self.count("7.00")
        assert 25 <= refused.value.retry_after_seconds <= 31

    def test_are_forgotten_after_a_minute(self):
        self.counted({62: 2000})
        self.count("20.00")
        assert redis_store.with_redis(lambda client: client.hlen("some-dollars:alice")) == 1
        assert 0 < redis_store.with_redis(lambda client: client.ttl("some-dollars:alice")) <= 61

    @pytest.mark.parametrize(
        "write",
        [
            lambda client, key: client.set(key, "x"),
            lambda client, key: client.hset(key, mapping={"x": "y", "-1": "9", "9e99": "9", "1": "nan"}),
            lambda client, key: client.hset(key, mapping={str(number): "9" for number in range(1000)}),
            lambda client, key: client.hset(key, str(client.time()[0]), "-5000"),
        ],
    )
    def test_are_counted_whatever_stands_in_redis(self, write):
        redis_store.with_redis(lambda client: write(client, "some-dollars:alice"))
        self.count("20.00")
        with pytest.raises(RateLimited):
            self.count("0.01")

    def test_are_counted_alike_without_redis(self, without_redis, monkeypatch):
        limits._counted_here.clear()
        at = 1_000_000.0
        monkeypatch.setattr("wallets.web.limits.time.time", lambda: at)
        self.count("15.00")
        at += 50
        with pytest.raises(RateLimited) as refused:
            self.count("5.01")
        assert refused.value.retry_after_seconds == 10
        self.count("5.00")
        at += 10
        self.count("15.00")
