"""A real worker that buys at a venue which lies. Every case has a coin of its own, so all cases run at once.

The worker is `manage.py procrastinate worker`. Between it and the simulator stands a server that can spoil answers.
"""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase
from django.utils import timezone

from exchange_site.stack.processes import WORKER, start, stop
from settlement.models import IN_FLIGHT, Attempt, Batch, BatchState
from settlement.services.intervening.requests import request_intervention
from settlement.to_do.readers import list_to_do
from tests.configure import configure
from tests.conftest import Shopper, make_coin, process_environment
from tests.dialects import BINANCE
from tests.emptying import empty_tables
from tests.patience import stretched
from tests.processes import wait_for
from tests.simulators import running_simulator
from tests.slow_venue import SlowVenue
from trading.models import Order, OrderState
from trading.services.asked_orders import OrderRequest
from trading.services.coins import put_on_sale
from trading.services.placing import place_order
from trading.services.prices import record_price
from wallets.models import User

WITNESS = "WITNESS"
OPENING = Decimal("100000.00")
# Long enough that the page has named the reason before an order is given back, also on a busy machine.
SETTLING_LIMIT = round(stretched(12))
# Limits and intervals of seconds, where production has minutes.
QUICK = {
    "SWEEP_CRON": "* * * * * *",
    "SWEEP_AFTER_SECONDS": "1",
    "PRICE_REFRESH_CRON": "* * * * * *",
    "EXCHANGE_READ_TIMEOUT_SECONDS": "4",
    "EXCHANGE_CALL_TIMEOUT_SECONDS": "5",
    "EXCHANGE_LIST_TIMEOUT_SECONDS": "5",
    "EXCHANGE_RECV_WINDOW_MS": "3000",
    "LOOKUP_FIRST_WAIT_SECONDS": "0.2",
    "LOOKUP_MAX_WAIT_SECONDS": "1",
    "NOT_FOUND_MARGIN_SECONDS": "0",
    "NOT_FOUND_TIMES": "1",
    "RECHECK_FIRST_WAIT_SECONDS": "1",
    "PAUSE_MAX_SECONDS": "1",
    "POOL_MAX_AGE_SECONDS": "2",
    "SETTLING_LIMIT_SECONDS": str(SETTLING_LIMIT),
    "JOB_RETRY_MAX_WAIT_SECONDS": "1",
}


@dataclass
class Told:
    """One case: its coin, its order, the order of another coin that was placed meanwhile, and the to-do rows seen."""

    coin: str
    shopper: Shopper = None
    order: int = 0
    witness: int = 0
    rows: set = field(default_factory=set)
    has_relented: bool = False

    @property
    def symbol(self):
        return f"{self.coin}USDT"

    @property
    def state(self):
        return Order.objects.get(pk=self.order).state

    @property
    def reason(self):
        return Order.objects.get(pk=self.order).reason

    @property
    def batch(self):
        return Batch.objects.get(coin__name=self.coin)

    def attempts(self):
        return list(Attempt.objects.filter(coin__name=self.coin).order_by("id"))

    def is_settled(self):
        in_flight = Attempt.objects.filter(coin__name=self.coin, state__in=IN_FLIGHT)
        return self.state in {OrderState.COMPLETED, OrderState.REFUNDED} and not in_flight.exists()

    def has_waited(self, seconds):
        order = Order.objects.get(pk=self.order)
        return bool(order.settling_at) and timezone.now() - order.settling_at > timedelta(seconds=seconds)

    def is_parked(self):
        return Batch.objects.filter(coin__name=self.coin, state=BatchState.PARKED).exists()


class Stage:
    """The venue with its two faces, the worker, and the customers."""

    def __init__(self, folder, dialect, **environment):
        self.folder, self.book_file, self.dialect = folder, folder / "book.sqlite", dialect
        self._environment = {**dialect.variables(), **QUICK, **environment}
        self._rules, self._coins = {}, 0

    @contextmanager
    def running(self):
        with running_simulator(self.folder, "--spread", "0") as self.venue:  # lies are written out at the set price
            self.slow = SlowVenue(self.venue.url)
            self.dialect.name_first_venue()
            self.staff = User.objects.create_user("decider", is_staff=True)
            self.venue.set_prices(**{WITNESS: "1.00"})
            make_coin(WITNESS, "1.00")
            self.worker = start(
                WORKER, environment=process_environment(**self._environment, EXCHANGE_URL=self.slow.url)
            )
            try:
                yield self
            finally:
                stop(self.worker)
                self.slow.close()

    def begin(self, *, price="4.00", is_fixed=True):
        """List a new coin at the venue, and put it on sale at the same price: a fixed one, or one that is read."""
        self._coins += 1
        told = Told(coin=f"LIE{self._coins:03}")
        self.venue.set_prices(**{told.coin: price})
        if is_fixed:
            make_coin(told.coin, price)
        else:
            record_price(coin=put_on_sale(name=told.coin), value=Decimal(price), source="test", now=timezone.now())
        return told

    def place(self, told, total):
        """Place an order of the case's coin, and then one of another coin."""
        told.shopper = Shopper(OPENING)
        told.order = self._place(told.shopper, told.coin, total)
        told.witness = self._place(Shopper("12.00"), WITNESS, "12.00")

    def _place(self, shopper, coin, total):
        request = OrderRequest(coin_name=coin, amount=None, total=Decimal(total))
        return place_order(buyer=shopper.principal, order_request=request).order.pk

    def lie(self, told, *rules):
        """Add rules about the case's symbol."""
        self._rules[told.symbol] = [{"symbol": told.symbol, **rule} for rule in rules]
        self._send_rules()

    def heal(self, told):
        """Let the venue tell the truth about the case's symbol from now on."""
        self._rules.pop(told.symbol, None)
        self.slow.heal(symbol=told.symbol)
        self._send_rules()

    def _send_rules(self):
        self.venue.fail(*(rule for rules in self._rules.values() for rule in rules))

    def decide(self, told, action):
        """Let staff decide about the case's batch, and the worker carry it out. Return outcome and detail."""
        wanted = request_intervention(
            batch=told.batch,
            action=action,
            reason="seen on the venue's pages",
            requested_by=self.staff,
            now=timezone.now(),
        )
        wait_for(lambda: type(wanted).objects.get(pk=wanted.pk).outcome, seconds=30)
        wanted.refresh_from_db()
        return wanted.outcome, wanted.detail

    def watch(self, cases, have_ended, *, seconds):
        """Keep what the to-do page says about each case until all have ended. Tests report those that have not."""
        deadline = time.monotonic() + stretched(seconds)
        self.look(cases)
        while not have_ended() and time.monotonic() < deadline:
            time.sleep(0.2)
            self.look(cases)

    def look(self, cases):
        page = list_to_do(now=timezone.now())
        for told in cases:
            told.rows |= set(about(page, told))


def about(page, told):
    """Return kind and words of the rows that name the case's coin or its batch."""
    batches = {f"batch {pk}" for pk in Batch.objects.filter(coin__name=told.coin).values_list("pk", flat=True)}
    names = {told.coin, *(attempt.client_order_id for attempt in told.attempts())}
    for concern in page:
        words = f"{concern.subject}: {concern.reason}"
        if any(name in words for name in names) or concern.subject in batches:
            yield concern.kind.value, words


@contextmanager
def staged(folder, dialect=BINANCE, **environment):
    """Run a stage in the tests' database, which is emptied at the end. `environment` is more of the worker's."""
    with pytest.MonkeyPatch.context() as patched:
        for group in ("RISK", "TO_DO", "POOLS"):
            patched.setattr(settings, group, getattr(settings, group))
        configure(settings, "RISK", max_orders=10**6, max_value=Decimal(10**9))
        configure(
            settings, "TO_DO", unknown_limit=timedelta(seconds=1), settling_limit=timedelta(seconds=SETTLING_LIMIT)
        )
        configure(settings, "POOLS", max_age=timedelta(seconds=2))
        _forget_jobs()
        try:
            with Stage(folder, dialect, **environment).running() as stage:
                yield stage
        finally:
            _forget_jobs()
            empty_tables(TransactionTestCase())
            connection.close()


def _forget_jobs():
    with connection.cursor() as cursor:
        for table in ("periodic_defers", "events", "jobs", "workers"):
            cursor.execute(f"DELETE FROM procrastinate_{table}")
