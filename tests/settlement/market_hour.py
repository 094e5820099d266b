"""An hour of a market that moves, a house that sells in it, and customers who are honest or quicker than the house.

The clock is the test's: readings, orders, claims and purchases happen at its moments, through the real services and
the real ledger, and the venue's prices are a tape of the exchange simulator. So an hour takes a minute, its intervals are
those of production, and a seed repeats it.
"""

import heapq
import itertools
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import Sum

from exchange_site.simulator.tapes import read_tape
from settlement.models import IN_FLIGHT, Attempt
from settlement.services.claiming import claim_waiting_orders
from settlement.services.funding import record_funds
from settlement.services.price_feed import confirm_prices, refresh_prices
from settlement.services.stepping import take_next_step
from tests.settlement.honest_venue import HonestVenue, make_market, make_rules
from trading.models import DayLoss, Order, OrderState
from trading.offers import load_offer
from trading.services.asked_orders import OrderRequest
from trading.services.placing import place_order
from wallets.exceptions import DomainError

COIN = "TAPE"
VOLATILITY = 1.0
"""The standard deviation of a year's logarithmic return."""
READ_EVERY = 10
READ_TAKES = 0.3
AFTER_A_JUMP = 60
AMPLE = Decimal(10) ** 9


@dataclass(kw_only=True)
class Tally:
    """What became of the orders of one kind of customer. Results are the house's, in dollars."""

    tried: int = 0
    tried_in_calm: int = 0
    got_in_calm: int = 0
    refused: Counter = field(default_factory=Counter)
    placed: dict = field(default_factory=dict)
    ended: Counter = field(default_factory=Counter)
    bought: Decimal = Decimal(0)
    result: Decimal = Decimal(0)
    worst: Decimal = Decimal(0)

    def describe(self):
        share = self.result / self.bought if self.bought else Decimal(0)
        return (
            f"{len(self.placed)} orders of {self.tried} tries, {dict(self.ended)}, refused {dict(self.refused)},"
            f" bought for {self.bought}, the house's result {self.result:.2f} ({share:.3%}), worst order {self.worst:.3%}"
        )


class Hour:
    """The market, the house and the clock. Customers are added with `add`; `play` lets the hour pass."""

    def __init__(self, *, clock, coin, seed, jumps, seconds=3600):
        self.clock, self.coin, self.begun_at = clock, coin, clock.now
        self.chance, self.jumps, self.seconds = random.Random(seed), jumps, seconds
        tape = {
            "seed": seed,
            "volatility": VOLATILITY,
            "seconds": seconds,
            "jumps": [{"at": at, "rate": f"{rate:f}"} for at, rate in self.jumps],
        }
        market = make_market("20.00", tick="0.0001", tape=read_tape(tape), started_at=clock.milliseconds)
        self.venue = HonestVenue(
            clock,
            markets={COIN: market},
            rules={COIN: make_rules(price_tick=Decimal("0.0001"))},
            travel=timedelta(milliseconds=50),
        )
        self.tallies = defaultdict(Tally)
        self.offer, self.sold_seconds = None, 0
        self._events, self._numbers = [], itertools.count()
        self._delivered = Decimal(0), Decimal(0)
        self._works_at = None

    # What customers see and do

    @property
    def second(self):
        return (self.clock.now - self.begun_at).total_seconds()

    @property
    def ask(self):
        """The venue's ask at this moment, which the house has not seen yet."""
        return self.venue.ticker(COIN).ask

    def price(self):
        """Return the house's price of this moment, or None while it does not sell."""
        try:
            return self.offer.ensure_sellable(now=self.clock.now)
        except DomainError:
            return None

    def place(self, kind, principal, **wanted):
        """Place an order for a kind of customer. Return it, or None if it is refused."""
        tally = self.tallies[kind]
        tally.tried += 1
        is_calm = not any(at <= self.second < at + AFTER_A_JUMP for at, _ in self.jumps)
        tally.tried_in_calm += is_calm
        request = OrderRequest(**({} if "quote" in wanted else {"coin_name": COIN}), **wanted)
        try:
            placed = place_order(buyer=principal, order_request=request, now=self.clock.now)
        except DomainError as error:
            tally.refused[type(error).__name__] += 1
            return None
        tally.placed[placed.order.pk] = is_calm
        if placed.job_deferred:
            self._work_soon()
        return placed.order

    def at(self, second, act):
        """Do something at a second of the hour."""
        heapq.heappush(self._events, (second, next(self._numbers), act))

    def after(self, seconds, act):
        self.at(self.second + seconds, act)

    # The house

    def play(self):
        """Let the hour pass, and then the time until the last pool is bought."""
        self._read()
        for second in range(1, self.seconds):
            self.at(second, self._look)
        for second in range(READ_EVERY, self.seconds + READ_EVERY, READ_EVERY):
            self.at(second + READ_TAKES, self._read)
            self.at(second + READ_EVERY / 2, self._work)
        while self._events:
            self._run_next()
        self.clock.now += settings.POOLS.max_age
        self._read()
        self._work()
        while self._events:
            self._run_next()
        self._sum_up()

    def _run_next(self):
        second, _, act = heapq.heappop(self._events)
        self.clock.now = max(self.clock.now, self.begun_at + timedelta(seconds=second))
        act()

    def _look(self):
        self.sold_seconds += self.price() is not None

    def _read(self):
        """Do what a worker does every ten seconds."""
        now = self.clock.now
        record_funds(venue="binance", free=AMPLE, read_at=now)
        refresh_prices(venues=[self.venue], now=now)
        confirm_prices(second=self.venue, now=now)
        self.offer = load_offer(coin_name=COIN)

    def _work_soon(self):
        if self._works_at is None or self._works_at < self.second:
            self._works_at = self.second + self.chance.uniform(0.05, 0.6)
            self.at(self._works_at, self._work)

    def _work(self):
        """Do what a worker does when a job comes: claim the orders that are due, and take the next step."""
        self._works_at = None
        claim_waiting_orders(coin_id=self.coin.pk, now=self.clock.now)
        self._step()

    def _step(self):
        attempt = Attempt.objects.filter(coin=self.coin, state__in=IN_FLIGHT).first()
        if attempt is None:
            return
        if attempt.next_step_at > self.clock.now:
            self.after((attempt.next_step_at - self.clock.now).total_seconds() + 0.1, self._step)
            return
        take_next_step(batch_id=attempt.batch_id, get_venue=lambda _: self.venue)
        self._count_delivered()
        if Attempt.objects.filter(coin=self.coin, state__in=IN_FLIGHT).exists():
            self.after(self.chance.uniform(0.05, 0.3), self._step)
        elif Order.objects.filter(coin=self.coin, state__in=(OrderState.PENDING, OrderState.SETTLING)).exists():
            self._work_soon()

    def _count_delivered(self):
        """Give each order that was completed by the last step its share of what its coins cost the house."""
        sums = DayLoss.objects.filter(coin=self.coin).aggregate(coins=Sum("coins"), cost=Sum("cost"))
        delivered = sums["coins"] or Decimal(0), sums["cost"] or Decimal(0)
        coins, cost = delivered[0] - self._delivered[0], delivered[1] - self._delivered[1]
        self._delivered = delivered
        if not coins:
            return
        for order in Order.objects.filter(completed_at=self.clock.now):
            self._count(order, cost=order.amount * cost / coins)

    def _count(self, order, *, cost):
        tally = next(tally for tally in self.tallies.values() if order.pk in tally.placed)
        paid = order.subtotal - getattr(order, "rebate", Decimal(0))
        tally.bought += paid
        tally.result += paid - cost
        tally.worst = min(tally.worst, (paid - cost) / paid)

    def _sum_up(self):
        orders = Order.objects.in_bulk()
        for tally in self.tallies.values():
            for pk, is_calm in tally.placed.items():
                state = orders[pk].state
                tally.ended[state if state != OrderState.REFUNDED else f"refunded: {orders[pk].reason}"] += 1
                tally.got_in_calm += is_calm and state == OrderState.COMPLETED
