"""An API process and its kept connections, when a server falls silent, becomes a replica, or is altered."""

import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection

from exchange_site.stack.processes import free_port
from settlement.verification import verify_everything
from tests.conftest import make_coin
from tests.owner import owner_parameters, run_as_owner
from tests.processes import wait_for
from tests.proxy import Proxy
from trading.models import Order
from wallets.models import User

pytestmark = pytest.mark.django_db(transaction=True)


def ready(api):
    answer = httpx.get(api.replace("/api/v1/", "/health/ready/"), timeout=30)
    return answer.status_code, {name: value for name, value in answer.json().items() if name not in ("status", "clock")}


def order(api, shopper, *, key=None):
    headers = {**shopper.headers, **({"Idempotency-Key": key} if key else {})}
    return httpx.post(f"{api}orders/", json={"crypto": "ABAN", "total": "12.00"}, headers=headers, timeout=30)


def order_a_little(api, shopper, *, coin):
    body = {"crypto": coin, "amount": "0.25"}
    return httpx.post(f"{api}orders/", json=body, headers=shopper.headers, timeout=30)


def read_wallet(api, shopper):
    return httpx.get(f"{api}accounts/wallet/", headers=shopper.headers, timeout=30)


def assert_unavailable(answer):
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


@contextmanager
def administrator():
    """Yield a connection beside the test's database, which stays writable whatever happens to that."""
    with psycopg.connect(**owner_parameters() | {"dbname": "postgres"}, autocommit=True) as line:
        yield line


def end_all_sessions(line):
    line.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
        [connection.settings_dict["NAME"]],
    )


@pytest.fixture
def fence():
    """Make the test's database read-only for new sessions and end the old ones, as a failover does; and take it back."""

    @contextmanager
    def fenced():
        name = connection.settings_dict["NAME"]
        with administrator() as line:
            line.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
            end_all_sessions(line)
            try:
                yield
            finally:
                line.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')

    yield fenced
    connection.close()


class TestADatabaseThatIsReadOnly:
    def test_is_named_refuses_writes_and_needs_no_restart(self, make_api_process, shopper, coin, fence):
        api = make_api_process()
        assert ready(api) == (200, {"postgres": "ok", "redis": "ok"})
        assert order(api, shopper).status_code == 201
        with fence():
            assert ready(api) == (503, {"postgres": "read_only", "redis": "ok"})
            with ThreadPoolExecutor(8) as pool:
                for answer in pool.map(lambda _: order(api, shopper), range(8)):
                    assert_unavailable(answer)
            assert_unavailable(read_wallet(api, shopper))  # there is no server to connect to
        assert ready(api) == (200, {"postgres": "ok", "redis": "ok"})
        with ThreadPoolExecutor(8) as pool:
            assert {answer.status_code for answer in pool.map(lambda _: order(api, shopper), range(7))} == {201}
        assert Order.objects.count() == 8
        assert verify_everything() == []

    def test_is_a_503_in_the_admin_too(self, client, fence):
        User.objects.create_superuser("boss", password="password123")
        client.raise_request_exception = False
        with fence():
            answer = client.post("/admin/login/", {"username": "boss", "password": "password123"})
            assert (answer.status_code, answer["Retry-After"]) == (503, "1")
        assert client.post("/admin/login/", {"username": "boss", "password": "password123"}).status_code == 302


class TestTheFirstRequestOfEachThread:
    def test_succeeds_after_all_sessions_were_ended(self, make_api_process, shopper, coin):
        api = make_api_process(WEB_THREADS="2")
        for method in (read_wallet, order, read_wallet):
            with ThreadPoolExecutor(4) as pool:
                assert {answer.is_success for answer in pool.map(lambda _: method(api, shopper), range(4))} == {True}  # noqa: B023  used in this round
            with administrator() as line:
                end_all_sessions(line)
        assert Order.objects.count() == 4

    def test_succeeds_after_a_column_got_another_type(self, make_api_process, shopper, coin):
        api = make_api_process(WEB_THREADS="2")

        def everything():
            calls = [
                httpx.get(f"{api}orders/", headers=shopper.headers, timeout=30),
                httpx.get(f"{api}transactions/", headers=shopper.headers, timeout=30),
                read_wallet(api, shopper),
                order(api, shopper),
                httpx.post(f"{api}accounts/auth/refresh/", json={"refresh": shopper.tokens.refresh + "x"}, timeout=30),
            ]
            return [answer.status_code for answer in calls]

        right = [200, 200, 200, 201, 401]
        for _ in range(7):  # so often that all of its statements are prepared
            assert everything() == right
        try:
            for column_type in ("text", "varchar(32)"):
                run_as_owner(f"ALTER TABLE trading_order ALTER COLUMN price_source TYPE {column_type}")
                assert everything()[:3] == right[:3]
        finally:
            connection.close()


@pytest.fixture
def short_timeout():
    """Give up statements after 1.5 seconds, as the role of the tests and as an API process with these variables."""
    role, database = connection.settings_dict["USER"], connection.settings_dict["NAME"]
    change = f"ALTER ROLE {role} IN DATABASE {database} SET statement_timeout ="
    run_as_owner(f"{change} 1500")
    yield {"POSTGRES_STATEMENT_TIMEOUT_MS": "1500"}
    run_as_owner(f"{change} {settings.POSTGRES.statement_timeout_ms}")


class TestALineThatFallsSilent:
    def test_is_given_up_in_time_while_health_answers(self, make_api_process, shopper, coin, short_timeout):
        proxy = Proxy(int(connection.settings_dict["PORT"]))
        try:
            api = make_api_process(POSTGRES_PORT=str(proxy.port), WEB_THREADS="4", **short_timeout)
            assert order(api, shopper, key="first").status_code == 201
            with proxy.held(then_cut=True):
                begun = time.monotonic()
                with ThreadPoolExecutor(3) as pool:
                    waiting = [
                        pool.submit(read_wallet, api, shopper),
                        pool.submit(order, api, shopper),
                        pool.submit(ready, api),
                    ]
                    assert waiting[2].result() == (503, {"postgres": "unavailable", "redis": "ok"})
                    assert time.monotonic() - begun < 4
                    for answer in waiting[:2]:
                        assert_unavailable(answer.result())
                assert time.monotonic() - begun < 12
            assert wait_for(lambda: ready(api)[0] == 200)
            assert {order(api, shopper, key="second").status_code for _ in range(4)} == {201}
        finally:
            proxy.close()
        assert Order.objects.count() == 2

    @pytest.mark.parametrize("silence", ["muted", "held"])
    def test_to_redis_costs_a_call_half_a_second_at_most(self, make_api_process, shopper, coin, own_redis, silence):
        _, environment = own_redis
        proxy = Proxy(int(environment["REDIS_PORT"]))
        try:
            api = make_api_process(**{**environment, "REDIS_PORT": str(proxy.port)})
            assert order(api, shopper).status_code == 201
            with getattr(proxy, silence)():
                assert order(api, shopper).status_code == 201
                assert ready(api) == (200, {"postgres": "ok", "redis": "unavailable"})
            assert wait_for(lambda: ready(api) == (200, {"postgres": "ok", "redis": "ok"}))
        finally:
            proxy.close()


def calls_left(answer):
    """Return what is left of each limit: `"user";r=9;t=3, "orders";r=4;t=5` says 9 and 4."""
    return {name: int(left) for name, left in re.findall(r'"([\w-]+)";r=(\d+)', answer.headers["RateLimit"])}


class TestAnAnswerOfRedisThatComesTooLate:
    SKIPPED_SECONDS = 2.2  # Redis is skipped for two

    @pytest.fixture
    def line(self, own_redis):
        proxy = Proxy(int(own_redis[1]["REDIS_PORT"]))
        yield proxy
        proxy.close()

    @pytest.fixture
    def api(self, make_api_process, own_redis, line):
        threads = {"WEB_ORDER_THREADS": "1", "WEB_THREADS": "2"}
        limits = {"RATE_LIMIT_USER": "1000/d", "RATE_LIMIT_ORDERS": "60/d", "RATE_LIMIT_ANON": "1000/d"}
        return make_api_process(**{**own_redis[1], **threads, **limits, "REDIS_PORT": str(line.port)})

    def test_is_not_that_of_another_customers_order(self, api, line, make_shopper, coin):
        make_coin("OTHER", "5.00")
        first, other = make_shopper(), make_shopper()
        for number in (1, 2, 3):
            answer = order_a_little(api, first, coin="ABAN")
            assert calls_left(answer) == {"user": 1000 - number, "orders": 60 - number}
        assert answer.json()["pool"]["total"] == "3.00"
        with line.late():
            answer = order_a_little(api, first, coin="ABAN")
            assert (answer.status_code, answer.json()["pool"]["total"]) == (201, "4.00")
        time.sleep(self.SKIPPED_SECONDS)
        answer = order_a_little(api, other, coin="OTHER")
        placed = answer.json()
        assert (answer.status_code, placed["crypto"], placed["price"]) == (201, "OTHER", "5.00000000")
        assert placed["pool"]["total"] == placed["total_price"] == "1.25"
        assert calls_left(answer) == {"user": 999, "orders": 59}

    def test_is_not_that_of_another_read(self, api, line, make_shopper, coin):
        first, other = make_shopper(), make_shopper("70.00")
        coins = f"{api}exchanges/crypto-currencies/"
        with ThreadPoolExecutor(4) as pool:
            assert {each.status_code for each in pool.map(lambda _: read_wallet(api, first), range(8))} == {200}
        listed = httpx.get(coins, timeout=30).json()
        for read in (lambda: httpx.get(coins, timeout=30), lambda: read_wallet(api, first)):
            with line.late():
                assert read().status_code == 200
            time.sleep(self.SKIPPED_SECONDS)
            with ThreadPoolExecutor(4) as pool:
                answers = list(pool.map(lambda _: read_wallet(api, other), range(4)))
            assert {answer.json()["balance"] for answer in answers} == {"70.00"}
            left = sorted(calls_left(answer)["user"] for answer in answers)
            assert left in ([996, 997, 998, 999], [992, 993, 994, 995])
            assert httpx.get(coins, timeout=30).json() == listed


class TestARedisThatBecameAReplica:
    def test_is_named_skipped_and_used_again(self, make_api_process, shopper, coin, own_redis):
        _, environment = own_redis
        client = redis.Redis(
            port=int(environment["REDIS_PORT"]), password=environment["REDIS_PASSWORD"], decode_responses=True
        )
        api = make_api_process(**environment)
        assert order(api, shopper).status_code == 201
        assert ready(api) == (200, {"postgres": "ok", "redis": "ok"})
        client.replicaof("127.0.0.1", str(free_port()))
        for _ in range(4):
            assert order(api, shopper).status_code == 201
        assert ready(api) == (200, {"postgres": "ok", "redis": "read_only"})
        client.replicaof("NO", "ONE")
        assert ready(api) == (200, {"postgres": "ok", "redis": "ok"})
        client.flushall()
        wait_for(lambda: read_wallet(api, shopper).is_success and client.dbsize())
        client.close()


def test_a_frozen_postgres_is_not_ready_within_two_seconds(make_api_process):
    from exchange_site.stack.processes import kill, start

    port = free_port()
    # It accepts connections, because the kernel does, and never says a word.
    silent = start(
        ("python", "-c", f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)")
    )
    try:
        api = make_api_process(POSTGRES_PORT=str(port))
        silent.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        assert ready(api)[1]["postgres"] == "unavailable"
        assert time.monotonic() - begun < 4
    finally:
        kill(silent)
