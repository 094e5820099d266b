"""The arbitrageur of test_arbitrage.py against real processes: API, worker, and a simulator whose tape runs fast.

All intervals that are settings run ten times as fast as those of production, and the tape does too. What takes time by
itself, a claim and a purchase, is not faster; so the house is slower here than it is.
"""

import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx
import pytest
from django.db.models import F, Sum

from settlement.models import Attempt
from settlement.verification import verify_everything
from tests.conftest import Shopper
from tests.processes import wait_for
from tests.trading.test_price_rules import add_rule
from trading.models import Order, OrderState
from trading.services.coins import put_on_sale
from wallets.models import Wallet, WalletRole
from wallets.verification import sum_house_wallet

SPEED = 10
SECONDS = 40
JUMPS = ((12.3, "0.1"), (26.3, "0.1"))
"""Seconds of the test, and rates."""
AFTER_A_JUMP = 6
QUICK = {
    "PRICE_REFRESH_CRON": "* * * * * *",
    "PRICE_MAX_AGE_SECONDS": "6",
    "PRICE_VALID_SECONDS": "2",
    "QUOTE_TTL_SECONDS": "1",
    "RATE_LIMIT_USER": "100000/m",
    "RATE_LIMIT_ORDERS": "100000/m",
    "RATE_LIMIT_ANON": "100000/m",
    "RISK_MAX_ORDERS": "100000",
    "RISK_MAX_VALUE": "100000000",
}
COIN = "TAPE"
OPEN = (OrderState.PENDING, OrderState.POOLED, OrderState.SETTLING)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(200)]


class Customer:
    """A customer with a connection of their own, and the ids of the orders that they got."""

    def __init__(self, url, *, seed=0):
        self.shopper = Shopper("10000000.00")
        self.chance, self.placed, self.refused, self.late = random.Random(seed), [], [], []
        self._client = httpx.Client(base_url=url, headers=self.shopper.headers, timeout=20)

    def place(self, total):
        began = time.monotonic()
        answer = self._client.post("orders/", json={"crypto": COIN, "total": total})
        if answer.status_code == 201:
            self.placed.append((began, answer.json()["id"]))
        else:
            self.refused.append((began, answer.json()["code"]))

    def leave(self):
        self._client.close()

    def price(self):
        """Return the house's price, or None while it does not sell."""
        coin = self._client.get(f"exchanges/crypto-currencies/{COIN}/").json()
        return Decimal(coin["price"]) if coin.get("is_available", True) and coin["price"] else None


@pytest.fixture
def customers(world):
    """Two arbitrageurs and two honest customers, who all hang up in the end."""
    url, _ = world
    everybody = [Customer(url, seed=seed) for seed in (0, 0, 0, 1)]
    yield everybody[:2], everybody[2:]
    for each in everybody:
        each.leave()


@pytest.fixture
def world(simulator, make_api_process, make_worker):
    """A house that has read the first price of a tape which runs fast. The address of its API, and the tape's begin."""
    simulator.set_prices(**{COIN: "20.00"})
    simulator.set_account(balances={"USDT": "100000000"}, commission_rate="0.001")
    coin = put_on_sale(name=COIN)
    add_rule(spread="0.005")
    url = make_api_process(**QUICK, EXCHANGE_URL=simulator.url)
    make_worker(**QUICK, EXCHANGE_URL=simulator.url)
    wait_for(lambda: hasattr(type(coin).objects.get(pk=coin.pk), "current_price"), seconds=40)
    jumps = [{"at": at * SPEED, "rate": rate} for at, rate in JUMPS]
    tape = {"seed": 20, "volatility": 1.0, "speed": SPEED, "jumps": jumps}
    simulator.set_market(**{COIN: {"tape": tape, "spread": "0.0002"}})
    return url, time.monotonic()


def test_nobody_earns_by_being_quicker_than_real_processes(world, customers, simulator):
    _, begun = world
    arbitrageurs, honest = customers

    def buy_when_too_cheap(customer):
        while time.monotonic() < begun + SECONDS:
            ask = Decimal(simulator.market()[f"{COIN}USDT"]["ask"])
            price = customer.price()
            if price is not None and price < ask:
                customer.place("100.00")
            else:
                time.sleep(0.02)

    def buy_by_chance(customer):
        while time.monotonic() < begun + SECONDS:
            time.sleep(customer.chance.expovariate(1.5))
            customer.place(f"{customer.chance.randint(1200, 30_000) / 100:.2f}")

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(buy_when_too_cheap, customer) for customer in arbitrageurs]
        done += [pool.submit(buy_by_chance, customer) for customer in honest]
        for each in done:
            each.result()
    wait_for(lambda: not Order.objects.filter(state__in=OPEN).exists(), seconds=90)

    gains = [results_of(customer) for customer in arbitrageurs]
    tried, got = count_in_calm(honest, begun=begun)
    sys.stdout.write(
        f"\narbitrageurs: {[len(customer.placed) for customer in arbitrageurs]} orders, the house's results {gains};"
        f" honest: {got} of {tried} in calm, the house's results {[results_of(customer) for customer in honest]}\n"
    )
    assert sum(len(customer.placed) for customer in arbitrageurs) >= 5, "the house was too cheap for a while"
    assert sum(gains) >= 0
    assert got >= tried * 0.95
    assert house_result() >= 0
    assert verify_everything() == []


def results_of(customer):
    """Return the house's result of a customer's completed orders, each at the average cost of its batch's purchases."""
    orders = Order.objects.filter(customer=customer.shopper.user, state=OrderState.COMPLETED)
    result = Decimal(0)
    for order in orders:
        bought = Attempt.objects.filter(batch_id=order.batch_id).aggregate(
            cost=Sum("cost"), coins=Sum(F("executed") - F("commission"))
        )
        result += (
            order.subtotal - getattr(order, "rebate", Decimal(0)) - order.amount * bought["cost"] / bought["coins"]
        )
    return round(result, 2)


def count_in_calm(customers, *, begun):
    """Return how many orders were tried outside of the time after a jump, and how many of them were bought."""
    states = dict(Order.objects.values_list("pk", "state"))
    tried = [(at - begun, states[pk] == OrderState.COMPLETED) for each in customers for at, pk in each.placed]
    tried += [(at - begun, False) for each in customers for at, _ in each.refused]
    calm = [got for at, got in tried if not any(jump <= at < jump + AFTER_A_JUMP for jump, _ in JUMPS)]
    return len(calm), sum(calm)


def house_result():
    stock = Wallet.objects.get(role=WalletRole.INVENTORY, asset=COIN).cost or Decimal(0)
    return sum_house_wallet(role=WalletRole.TRADING_RESULT) + stock
