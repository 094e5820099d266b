"""Two thousand seeded orders in markets that stand still, through the real services and the real ledger.

Prices from 1e-10 to 1e6 dollars, steps, taker rates, fees, commission in the coin or in dollars: the house earns by each
order, and no customer pays more than they were promised.
"""

import os
import random
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_CEILING, Context, Decimal

import pytest
from django.db.models import Sum

from settlement.models import Attempt, Batch, BatchState
from settlement.services.claiming import claim_waiting_orders
from settlement.services.stepping import take_next_step
from settlement.verification import verify_everything
from tests.configure import configure
from tests.settlement.honest_venue import Clock, HonestVenue, make_market, make_rules
from tests.trading.test_price_rules import add_rule
from trading.models import DayLoss, Order, OrderState
from trading.quotes import sign_quote
from trading.readings import Reading
from trading.services.asked_orders import OrderRequest
from trading.services.coins import put_on_sale
from trading.services.placing import place_order
from trading.services.prices import record_reading
from trading.services.quoting import make_quote
from wallets.models import Transaction, TransactionKind, Wallet, WalletRole
from wallets.runtime import clock as database_clock
from wallets.verification import sum_house_wallet

CASES = 2_000
GROUPS = (1, 2, 5, 12)
"""So many orders of a coin are bought together."""
SEED = int(os.environ.get("UNMOVED_SEED", "20"))
SIZES = ((400, 9_000), (10_400, 90_000), (104_000, 900_000), (1_040_000, 10_000_000))
"""From and to so many cents: a batch has orders of one size."""
MOST_COINS = Decimal(950_000_000_000)
SPREAD = "0.005"
EXACT = Context(prec=80)
UP = Context(prec=80, rounding=ROUND_CEILING)
CENT = Decimal("0.01")

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


@dataclass(kw_only=True)
class Case:
    """An order that was placed: the most that it was to take in all, and what the coins of its batch cost."""

    order: Order
    most: Decimal
    coins: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)


class StandingMarket:
    """A coin whose market stands still, with steps, rates and fees that are drawn by chance."""

    def __init__(self, number, *, chance, clock):
        self.chance, self.clock = chance, clock
        self.name = f"STILL{number}"
        digits = Decimal(chance.randint(10_000, 99_999))
        price = digits.scaleb(chance.randint(-10, 5) - 4)
        self.tick = Decimal(1).scaleb(price.adjusted() - 4)
        self.market = make_market(price, tick=self.tick)
        self.ask = self.market.ask(0)
        self.taker_rate = Decimal(chance.randint(0, 50)).scaleb(-4)
        self.coin = put_on_sale(name=self.name, step=self._step(most=100), minimum="0.00000001", maximum="999999999999")
        self.rules = make_rules(
            price_tick=self.tick, quantity_step=self._step(most=2), quantity_minimum=Decimal("0.00000001")
        )

    def describe(self):
        return f"{self.name} at {self.ask:f}, steps {self.coin.step} and {self.rules.quantity_step}"

    def _step(self, *, most):
        """Draw a step that is worth at most so many dollars."""
        steps = [
            step for step in map(Decimal, ("0.00000001", "0.00001", "0.01", "1", "1000")) if step * self.ask <= most
        ]
        return self.chance.choice(steps)

    def open(self):
        """Make the coin's rule: the default spread, and a fee."""
        minimum = self.chance.choice(["0", "0", "0.01", "0.99"])
        add_rule(
            coin=self.coin,
            spread=SPREAD,
            fee_rate=Decimal(self.chance.choice([0, 0, 1, self.chance.randint(0, 3 * 10**6)])).scaleb(-8),
            fee_minimum=Decimal(minimum),
            fee_maximum=self.chance.choice([None, Decimal(minimum) + Decimal("0.50"), Decimal(20)]),
        )

    def read(self):
        """Record a reading, as a worker does."""
        ticker = self.market.now(0)
        reading = Reading(bid=ticker.bid, ask=ticker.ask, last=ticker.last, quoted_at=self.clock.now)
        assert record_reading(coin=self.coin, reading=reading, source="test", now=self.clock.now) is None

    def place(self, buyer, *, size):
        """Place an order by amount, by total or by a quote of either, some with the highest price."""
        dollars = Decimal(self.chance.randint(*size)) * CENT
        amount = max(dollars / self.ask // self.coin.step, 1) * self.coin.step
        least = (self.coin.step * self.ask * 2).quantize(CENT, rounding=ROUND_CEILING)
        wanted = self.chance.choice([{"amount": amount}, {"total": max(dollars, least)}])
        if self.chance.random() < 0.4:
            return self._place_by_quote(buyer, wanted)
        most_a_coin = None
        if self.chance.random() < 0.5:
            most_a_coin = (self.ask * Decimal("1.0113")).quantize(self.tick / 100, rounding=ROUND_CEILING)
        request = OrderRequest(coin_name=self.name, max_price=most_a_coin, **wanted)
        order = place_order(buyer=buyer, order_request=request, now=self.clock.now).order
        if most_a_coin is not None:
            assert order.price <= most_a_coin
        return Case(order=order, most=wanted.get("total", order.charge))

    def _place_by_quote(self, buyer, wanted):
        quote = make_quote(
            customer_id=buyer.user_id,
            coin_name=self.name,
            amount=wanted.get("amount"),
            total=wanted.get("total"),
            now=self.clock.now,
        )
        assert quote.priced.charge <= wanted.get("total", quote.priced.charge)
        request = OrderRequest(quote=sign_quote(quote))
        order = place_order(buyer=buyer, order_request=request, now=self.clock.now).order
        return Case(order=order, most=quote.priced.charge)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock(now=database_clock.database_now())
    clock.rule(monkeypatch)
    return clock


@pytest.fixture
def unlimited(settings):
    configure(
        settings,
        "RISK",
        max_orders=10**6,
        max_value=Decimal(10) ** 12,
        window=timedelta(milliseconds=1),
    )
    configure(settings, "POOLS", max_age=timedelta(0))
    configure(settings, "QUOTES", max_per_minute=Decimal(10) ** 12)


def settle(market, cases, *, venue, clock):
    """Claim and buy until every order is completed, and note what the coins of each batch have cost."""
    open_cases = {case.order.pk: case for case in cases}
    before = delivered(market.coin)
    while open_cases:
        batch = claim_waiting_orders(coin_id=market.coin.pk, now=clock.now)
        assert batch, "the orders are due"
        for _ in range(5):
            take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
            if Batch.objects.filter(pk=batch.pk, state=BatchState.SETTLED).exists():
                break
        else:
            raise AssertionError(f"{batch} of {market.describe()} is not settled: {Attempt.objects.last().reason}")
        coins, cost = delivered(market.coin)
        completed = Order.objects.filter(batch_id=batch.pk, state=OrderState.COMPLETED).values_list("pk", flat=True)
        for pk in completed:
            case = open_cases.pop(pk)
            case.coins, case.cost = coins - before[0], cost - before[1]
        before = coins, cost


def delivered(coin):
    """Return the coins that were delivered until now, and their cost to the house."""
    sums = DayLoss.objects.filter(coin=coin).aggregate(coins=Sum("coins"), cost=Sum("cost"))
    return sums["coins"] or Decimal(0), sums["cost"] or Decimal(0)


def test_each_of_two_thousand_orders_earns_the_house(unlimited, settings, clock, make_shopper):
    chance, begun = random.Random(SEED), time.monotonic()
    buyer = make_shopper("1000000000.00")
    cases = []
    for number in range(CASES // sum(GROUPS)):
        market = StandingMarket(number, chance=chance, clock=clock)
        configure(settings, "VENUE", taker_rate=market.taker_rate)
        venue = HonestVenue(
            clock,
            markets={market.name: market.market},
            rules={market.name: market.rules},
            commission_rate=market.taker_rate,
            takes_quote=chance.random() < 0.4,
        )
        market.open()
        clock.now += timedelta(minutes=1)  # the rule is valid since the moment at which Postgres dated it
        market.read()
        for count in GROUPS:
            size = chance.choice([size for size in SIZES if size[1] * CENT <= market.ask * MOST_COINS])
            placed = [market.place(buyer.principal, size=size) for _ in range(count)]
            settle(market, placed, venue=venue, clock=clock)
            cases += placed
    orders = Order.objects.in_bulk()
    for case in cases:
        assert_kept(case, orders[case.order.pk])
    assert_sums(cases, orders)
    sys.stdout.write(f"\n{len(cases)} orders, {Attempt.objects.count()} purchases, {time.monotonic() - begun:.0f} s\n")


def assert_kept(case, order):
    """Check that the customer paid what was promised, and that the house has earned by the order."""
    assert order.state == OrderState.COMPLETED
    assert order.subtotal + order.fee == order.charge == case.order.charge <= case.most
    assert UP.multiply(order.amount, order.price).quantize(CENT, context=UP) == order.subtotal
    assert EXACT.multiply(order.subtotal, case.coins) >= EXACT.multiply(case.cost, order.amount), (
        f"{order.amount} coins for {order.subtotal}, and {case.coins} cost {case.cost}"
    )


def assert_sums(cases, orders):
    """Check the sums of all orders against the ledger."""
    subtotals = sum((order.subtotal for order in orders.values()), Decimal(0))
    fees = sum((order.fee for order in orders.values()), Decimal(0))
    charged = Transaction.objects.filter(kind=TransactionKind.PURCHASE).aggregate(sum=Sum("amount"))["sum"]
    stock = Wallet.objects.filter(role=WalletRole.INVENTORY).aggregate(sum=Sum("cost"))["sum"]
    cost = DayLoss.objects.aggregate(sum=Sum("cost"))["sum"]
    assert len(orders) == len(cases) == CASES
    assert charged == subtotals + fees
    assert sum_house_wallet(role=WalletRole.CLEARING) == 0
    assert sum_house_wallet(role=WalletRole.FEES) == fees
    assert sum_house_wallet(role=WalletRole.TRADING_RESULT) == subtotals - cost - stock
    assert subtotals > cost
    assert verify_everything() == []
