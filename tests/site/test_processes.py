"""Tests that need several processes: locks, idempotency keys, and servers that stop answering."""

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx
import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from exchange_site.stack.processes import API, PROJECT, WORKER
from settlement.verification import verify_everything
from tests.conftest import process_environment
from tests.processes import at_once, insist, somebody_waits_for_a_lock, wait_for
from trading.models import Order
from wallets.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)


def post_order(base, shopper, body, **headers):
    return httpx.post(f"{base}orders/", json=body, headers={**shopper.headers, **headers}, timeout=30)


def test_of_fifty_orders_at_once_a_customer_gets_only_the_ten_they_can_pay(two_apis, make_shopper, coin):
    shopper = make_shopper("120.00")
    body = {"crypto": "ABAN", "amount": "3"}
    answers = at_once(50, lambda number: insist(lambda: post_order(two_apis[number % 2], shopper, body)))
    outcomes = Counter((answer.status_code, answer.json().get("code")) for answer in answers)
    assert outcomes == {(201, None): 10, (400, "insufficient_funds"): 40}
    assert (Order.objects.count(), Transaction.objects.filter(kind="purchase").count()) == (10, 10)
    assert 1 <= ProcrastinateJob.objects.count() <= 10  # orders that are placed together ask for one claim
    assert shopper.wallet.balance == 0
    assert verify_everything() == []


def test_fifty_orders_at_once_with_one_key_place_one_order(two_apis, shopper, coin):
    body = {"crypto": "ABAN", "amount": "3"}
    headers = {"Idempotency-Key": "one-key"}
    answers = at_once(50, lambda number: insist(lambda: post_order(two_apis[number % 2], shopper, body, **headers)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Counter(answer.headers.get("Idempotent-Replayed") for answer in answers) == {"true": 49, None: 1}
    assert (Order.objects.count(), ProcrastinateJob.objects.count()) == (1, 1)
    assert shopper.wallet.balance == Decimal("88.00")


def test_fifty_withdrawals_at_once_with_one_key_withdraw_once(two_apis, shopper):
    def withdraw(number):
        return httpx.patch(
            f"{two_apis[number % 2]}accounts/wallet/withdraw/",
            json={"amount": "60"},
            headers={**shopper.headers, "Idempotency-Key": "k"},
            timeout=30,
        )

    assert {answer.json()["balance"] for answer in at_once(50, withdraw)} == {"40.00"}
    assert Transaction.objects.filter(kind="withdrawal").count() == 1


def test_a_name_registered_many_times_at_once_is_given_once(two_apis):
    def register(number):
        body = {"username": "alice", "password": "password123"}
        while True:
            answer = httpx.post(f"{two_apis[number % 2]}accounts/auth/register/", json=body, timeout=30)
            if answer.status_code != 503:  # busy: a process hashes few passwords at once
                return answer.status_code
            time.sleep(0.1)

    assert Counter(at_once(8, register)) == {201: 1, 409: 7}


def test_each_order_cancelled_and_claimed_at_once_has_one_outcome(two_apis, make_shopper, coin):
    from django.db import connection
    from django.utils import timezone

    from settlement.services.claiming import claim_waiting_orders

    shopper = make_shopper("1000.00")
    orders = [post_order(two_apis[0], shopper, {"crypto": "ABAN", "amount": "3"}).json()["id"] for _ in range(20)]

    def race(number):
        if number == 10:
            claim_waiting_orders(coin_id=coin.pk, now=timezone.now())
            connection.close()
            return None
        url = f"{two_apis[number % 2]}orders/{orders[number % 20]}/cancel/"
        return httpx.post(url, headers=shopper.headers, timeout=30).status_code

    statuses = Counter(at_once(21, race))
    states = Counter(Order.objects.values_list("state", flat=True))
    assert states["cancelled"] == statuses[200]
    assert states["cancelled"] + states["settling"] == 20
    assert shopper.wallet.balance == 1000 - 12 * states["settling"]
    assert verify_everything() == []


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL])
def test_a_frozen_or_killed_redis_costs_a_call_half_a_second_at_most(make_api_process, shopper, coin, own_redis, fault):
    redis, environment = own_redis
    api = make_api_process(**environment)

    def timed(call):
        begun = time.monotonic()
        assert call().status_code in {200, 201}
        return time.monotonic() - begun

    def order():
        return post_order(api, shopper, {"crypto": "ABAN", "total": "1.00"})

    def read():
        return httpx.get(f"{api}orders/", headers=shopper.headers, timeout=30)

    before = statistics.median(timed(call) for call in (order, read) * 3)
    os.kill(redis.pid, fault)
    for call in (order, read) * 4:
        assert timed(call) < before + 0.5
    assert Order.objects.count() == 7


def test_without_postgres_the_answer_is_a_quick_503(make_api_process, shopper):
    from exchange_site.stack.processes import free_port

    api = make_api_process(POSTGRES_PORT=str(free_port()))
    begun = time.monotonic()
    answer = httpx.get(f"{api}accounts/wallet/", headers=shopper.headers, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"]
    assert time.monotonic() - begun < 5
    ready = httpx.get(api.replace("/api/v1/", "/health/ready/"), timeout=30)
    assert (ready.status_code, ready.json()["postgres"]) == (503, "unavailable")


def test_a_wallet_frozen_while_an_order_waits_for_its_lock_refuses_the_order(two_apis, shopper, coin):
    """The flag is in the locked row, so the order reads its value after the wait."""
    from django.db import transaction

    from wallets.models import Wallet

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Wallet.objects.select_for_update(no_key=True).get(pk=shopper.wallet.pk)
            waiting = pool.submit(post_order, two_apis[0], shopper, {"crypto": "ABAN", "amount": "3"})
            wait_for(somebody_waits_for_a_lock)
            Wallet.objects.filter(pk=shopper.wallet.pk).update(frozen=True)
        assert waiting.result().json()["code"] == "account_frozen"
    assert not Order.objects.exists()


def test_a_wallet_locked_for_too_long_is_busy(two_apis, shopper, coin):
    from django.db import transaction

    from wallets.models import Wallet

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Wallet.objects.select_for_update(no_key=True).get(pk=shopper.wallet.pk)
        waiting = pool.submit(post_order, two_apis[0], shopper, {"crypto": "ABAN", "amount": "3"})
        answer = waiting.result()
    assert (answer.status_code, answer.json()["code"]) == (409, "busy")


def test_production_refuses_development_secrets():
    environment = {name: value for name, value in os.environ.items() if "SECRET" not in name}
    for extra in ({}, {"SECRET_KEY": "x" * 50}, {"SECRET_KEY": "x" * 50, "JWT_SECRET_KEY": "x" * 50}):
        done = subprocess.run(
            [sys.executable, "manage.py", "check"],
            env={**environment, "DEBUG": "False", **extra},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        assert "SECRET_KEY must" in done.stderr


@pytest.mark.parametrize(
    ("program", "variable", "words"),
    [
        (API, "PORT", "The API cannot listen on 127.0.0.1:"),
        (WORKER, "WORKER_METRICS_PORT", "The worker cannot serve metrics on port "),
    ],
)
def test_a_taken_port_costs_one_sentence(simulator, program, variable, words):
    with socket.create_server(("", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            program,
            cwd=PROJECT,
            env=process_environment(**{variable: port}),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[-1].startswith(words + port)
    assert "Traceback" not in ended.stderr
