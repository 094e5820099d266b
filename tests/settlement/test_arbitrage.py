"""Customers who see the venue's prices before the house does, beside honest ones, for an hour of a market with jumps."""

import os
import random
import sys
import time
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings

from settlement.verification import verify_everything
from tests.configure import configure
from tests.conftest import Shopper
from tests.settlement.honest_venue import Clock
from tests.settlement.market_hour import COIN, Hour
from tests.trading.test_price_rules import add_rule
from trading.models import Order, OrderState
from trading.quotes import sign_quote
from trading.services.cancelling import cancel_order
from trading.services.coins import put_on_sale
from trading.services.quoting import make_quote
from wallets.exceptions import DomainError
from wallets.models import Wallet, WalletRole
from wallets.runtime import clock as database_clock
from wallets.verification import sum_house_wallet

SEED = int(os.environ.get("ARBITRAGE_SEED", "20"))
LARGE_EVERY, SMALL_EVERY = 20, 25
"""Seconds between two orders of honest customers, on average."""
QUOTE_TOTAL = Decimal("200.00")
QUOTES_EVERY = 7
CHAINS = 2
FALL = Decimal("0.001")
TAKER_RATE = Decimal("0.001")
MOST_LOSS = Decimal("1.01") / (1 - TAKER_RATE) - 1
"""MAX_LOSS_OF_AN_ORDER and the venue's commission: what the house loses at most by an order, as a share of its subtotal."""

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]


@pytest.fixture
def clock(monkeypatch):
    clock = Clock(now=database_clock.database_now() + timedelta(minutes=1))
    clock.rule(monkeypatch)
    return clock


@pytest.fixture
def begin(clock, settings):
    """Begin an hour in which risk rules hold no order: somebody may have many accounts."""
    configure(settings, "RISK", max_orders=10**6, max_cancels=10**6, max_value=Decimal(10) ** 9)
    configure(settings, "QUOTES", max_per_minute=Decimal(10) ** 9)
    add_rule(spread="0.005")
    return lambda **wanted: Hour(clock=clock, coin=put_on_sale(name=COIN), seed=SEED, **wanted)


def let_honest_customers_buy(hour):
    """Let orders arrive by chance, whatever the price is."""
    buyer = Shopper("100000000.00").principal

    def large():
        hour.place("honest, large", buyer, total=Decimal(hour.chance.randint(1200, 50_000)) / 100)
        come_again(LARGE_EVERY, large)

    def small():
        hour.place("honest, pooled", buyer, total=Decimal(hour.chance.randint(200, 900)) / 100)
        come_again(SMALL_EVERY, small)

    def come_again(every, act):
        second = hour.second + hour.chance.expovariate(1 / every)
        if second < hour.seconds:
            hour.at(second, act)

    come_again(LARGE_EVERY, large)
    come_again(SMALL_EVERY, small)


def let_arbitrageur_buy(hour, *, accounts):
    """Let somebody buy as much as they can in every second in which the venue's ask is above the house's price."""
    principals = [Shopper("10000000.00").principal for _ in range(accounts)]

    def look():
        price = hour.price()
        if price is not None and price < hour.ask:
            for principal in principals:
                hour.place("arbitrageur", principal, total=Decimal("100.00"))

    for second in range(1, hour.seconds):
        hour.at(second + 0.01, look)


def let_quotes_be_taken(hour):
    """Let somebody take quotes always, and use one at its end, or at a profit, only if the ask has risen meanwhile."""
    account = Shopper("10000000.00").principal
    ttl = int(settings.QUOTES.ttl.total_seconds())

    def take():
        try:
            quote = make_quote(
                customer_id=account.user_id, coin_name=COIN, amount=None, total=QUOTE_TOTAL, now=hour.clock.now
            )
        except DomainError:
            return
        decide(quote, left=ttl - 1)

    def decide(quote, *, left):
        if hour.ask > quote.priced.price or (left == 0 and hour.ask > quote.priced.market_price):
            hour.place("quotes", account, quote=sign_quote(quote))
        elif left:
            hour.after(1, lambda: decide(quote, left=left - 1))

    for second in range(1, hour.seconds - ttl, QUOTES_EVERY):
        hour.at(second + 0.02, take)


def let_pooled_orders_be_cancelled(hour):
    """Let somebody have an order in the pool always, and cancel it whenever the market has fallen since."""
    account = Shopper("10000000.00").principal

    def place():
        order = hour.place("cancels", account, total=Decimal("4.00"))
        hour.after(1, lambda: watch(order))

    def watch(order):
        if hour.second >= hour.seconds:
            return
        if order is None or not Order.objects.filter(pk=order.pk, state=OrderState.POOLED).exists():
            place()
            return
        if hour.ask < order.market_price * (1 - FALL):
            with suppress(DomainError):
                cancel_order(customer=account, order_id=order.pk, now=hour.clock.now)
        hour.after(1, lambda: watch(order))

    for chain in range(CHAINS):
        hour.at(3 + chain, place)


def play(hour):
    """Let the hour pass, and show what became of everybody's orders."""
    begun = time.monotonic()
    hour.play()
    for kind, tally in sorted(hour.tallies.items()):
        sys.stdout.write(f"\n{kind}: {tally.describe()}")
    sys.stdout.write(f"\nsold {hour.sold_seconds} s of {hour.seconds}, {time.monotonic() - begun:.0f} s\n")
    assert_results_are_the_ledgers(hour)


def test_nobody_earns_by_being_quicker_than_the_house(begin):
    chance = random.Random(SEED)
    jumps = [(900 * n + chance.uniform(100, 800), Decimal(rate)) for n, rate in enumerate(("0.1", "-0.1", "0.1"))]
    hour = begin(jumps=jumps)
    let_honest_customers_buy(hour)
    let_arbitrageur_buy(hour, accounts=25)
    let_quotes_be_taken(hour)
    let_pooled_orders_be_cancelled(hour)
    play(hour)
    for kind in ("arbitrageur", "quotes", "cancels"):
        tally = hour.tallies[kind]
        assert len(tally.placed) >= 200
        assert tally.result >= 0
    for kind in ("honest, large", "honest, pooled"):
        tally = hour.tallies[kind]
        assert tally.got_in_calm >= tally.tried_in_calm * Decimal("0.95")
    assert hour.sold_seconds >= hour.seconds * 0.8


@pytest.mark.parametrize(
    "jump",
    [
        "0.009",
        "0.017",
        "0.03",
        *(pytest.param(jump, marks=pytest.mark.matrix) for jump in ("0.004", "0.014", "0.049", "0.1")),
    ],
)
def test_a_jump_of_any_size_costs_no_more_than_the_bound_of_an_order(begin, jump):
    """A jump comes right after a reading, and the house does not see it for ten seconds."""
    hour = begin(jumps=[(100.5, Decimal(jump)), (200.5, Decimal(jump))], seconds=300)
    let_arbitrageur_buy(hour, accounts=5)
    let_quotes_be_taken(hour)
    let_pooled_orders_be_cancelled(hour)
    play(hour)
    for tally in hour.tallies.values():
        assert tally.worst >= -MOST_LOSS
        assert not tally.ended.keys() & {OrderState.PENDING, OrderState.SETTLING}, "bought or refunded in time"


def assert_results_are_the_ledgers(hour):
    """Check that the results of all customers together are what the ledger says."""
    assert verify_everything() == []
    result = sum((tally.result for tally in hour.tallies.values()), Decimal(0))
    stock = Wallet.objects.get(role=WalletRole.INVENTORY, asset=COIN).cost
    booked = sum_house_wallet(role=WalletRole.TRADING_RESULT) + stock
    assert abs(result - booked) < Decimal("0.000001")
