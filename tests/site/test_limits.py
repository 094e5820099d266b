"""Rate limits over several processes, and with a Redis that does not answer."""

import os
import signal
import time
import zlib
from collections import Counter

import httpx
import pytest

from tests.processes import at_once
from trading.models import Order
from wallets.usernames import account_named

pytestmark = pytest.mark.django_db(transaction=True)


def test_count_fifty_requests_at_once_to_two_servers_together(make_api_process, shopper, coin):
    apis = [make_api_process(RATE_LIMIT_ORDERS="7/h") for _ in range(2)]
    body = {"crypto": "ABAN", "total": "1.00"}

    def order(number):
        return httpx.post(f"{apis[number % 2]}orders/", json=body, headers=shopper.headers, timeout=30)

    answers = at_once(50, order)
    assert Counter(answer.status_code for answer in answers) == {201: 7, 429: 43}
    assert Order.objects.count() == 7
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.json()["code"] for answer in refused} == {"rate_limited"}
    assert all(0 < int(answer.headers["Retry-After"]) <= 3600 for answer in refused)


def test_end_at_the_second_that_retry_after_gives(make_api_process):
    """A call one second before the end of Retry-After is refused, and a call after it is not."""
    api = make_api_process(RATE_LIMIT_LOGIN="1/m")
    name = name_whose_minute_ends_soon()

    def sign_in():
        return httpx.post(f"{api}accounts/auth/login/", json={"username": name, "password": "wrong"}, timeout=30)

    assert sign_in().status_code == 401
    asked = time.time()
    refused = sign_in()
    assert refused.status_code == 429
    told = time.time()  # a refusal of a sign-in is held back for half a second
    wait = int(refused.headers["Retry-After"])
    assert wait >= 3
    time.sleep(asked + wait - 1.2 - time.time())
    assert sign_in().status_code == 429
    time.sleep(max(told + wait - time.time(), 0))
    assert sign_in().status_code == 401


def name_whose_minute_ends_soon():
    """Return a username whose window ends in seven seconds: windows begin at a different second for each caller."""
    end = (int(time.time()) + 7) % 60
    callers = ((name, f"127.0.0.1 {account_named(name)}") for name in map("account{}".format, range(10_000)))
    return next(name for name, caller in callers if zlib.crc32(caller.encode()) % 60 == end)


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL])
def test_on_sign_in_apply_without_redis_and_cost_half_a_second_at_most(make_api_process, own_redis, fault):
    redis, environment = own_redis
    api = make_api_process(**environment, RATE_LIMIT_LOGIN="5/h")

    def sign_in(name="alice"):
        begun = time.monotonic()
        answer = httpx.post(f"{api}accounts/auth/login/", json={"username": name, "password": "wrong"}, timeout=30)
        return answer.status_code, time.monotonic() - begun

    usual = max(sign_in(name)[1] for name in "abc")
    os.kill(redis.pid, fault)
    answers = [sign_in() for _ in range(7)]
    assert [status for status, _ in answers] == [401] * 5 + [429] * 2
    assert max(seconds for _, seconds in answers) < usual + 0.5
