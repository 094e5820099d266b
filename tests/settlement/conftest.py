from decimal import Decimal

import ccxt
import pytest
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from settlement.models import Attempt, Batch, BatchState, Pause
from settlement.selectors.pauses import pauses_in_force
from settlement.selectors.venues import list_standings
from settlement.services.batches import begin_next_attempt, lock_batch
from settlement.services.claiming import claim_waiting_orders
from settlement.services.pausing import permit
from settlement.services.stepping import take_next_step
from settlement.venues.ccxt.adapter import CcxtVenue
from settlement.venues.ccxt.markets import markets
from settlement.venues.registry import find_profile
from settlement.verification import verify_everything
from trading.models import Order
from trading.services.asked_orders import OrderRequest
from trading.services.placing import place_order
from wallets.services.ledger.locking import lock_inventory

PAUSE_BETWEEN_CALLS = ccxt.Exchange.throttle


@pytest.fixture(autouse=True)
def _calls_follow_at_once(monkeypatch):
    """Without this, each call waits as long after the one before as the real venue asks for: a tenth of a second or so."""
    monkeypatch.setattr(ccxt.Exchange, "throttle", lambda *_: None)


@pytest.fixture
def venue(simulator, dialect, db):
    """The adapter with ccxt's real client, connected to a simulator in another process."""
    dialect.name_first_venue()
    markets.forget()
    simulator.set_prices(ABAN="4.00")
    return new_venue()


@pytest.fixture
def venue_environment(venue, simulator):
    """What tells a worker where the simulator is."""
    return {"EXCHANGE_URL": simulator.url}


def new_venue():
    """Make a venue for one thread, as `get_venue` does, but without metrics."""
    return CcxtVenue(profile=find_profile(settings.VENUE.id), config=settings.VENUE)


@pytest.fixture
def place(shopper, coin, now):
    """Place an order by total for `shopper`, or for the customer `of`."""

    def by_total(total, *, of=None, crypto="ABAN", at=None):
        order_request = OrderRequest(coin_name=crypto, amount=None, total=Decimal(total))
        return place_order(buyer=(of or shopper).principal, order_request=order_request, now=at or now).order

    return by_total


@pytest.fixture
def claim(coin, now):
    return lambda at=None: claim_waiting_orders(coin_id=coin.pk, now=at or now)


@pytest.fixture
def settle(venue, claim):
    """Claim the due orders, take a number of steps, and return the batch."""

    def run(steps=1):
        batch = claim()
        for _ in range(steps):
            take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        batch.refresh_from_db()
        return batch

    return run


@pytest.fixture
def books_balance():
    """Check at the end of the test that the ledger balances."""
    yield
    assert verify_everything() == []


def ask_to_buy(*, coin_id, now):
    """Ask whether the coin may be bought at the only venue."""
    [standing] = list_standings(coin_id=coin_id)
    return permit(standing.pauses, now=now)


def find_pause(*, coin_id, now):
    """Of the pauses in force for a coin, return the one that ends last, if any."""
    pauses = pauses_in_force(now=now).filter(Q(coin_id=coin_id) | Q(coin=None))
    return max(pauses, key=lambda pause: (pause.until is None, pause.until or now), default=None)


def attempts():
    return list(Attempt.objects.order_by("id"))


def states():
    """Return the states of all orders, oldest first."""
    return list(Order.objects.order_by("id").values_list("state", flat=True))


def batches():
    return list(Batch.objects.order_by("id"))


def end_pauses():
    """End the automatic pauses, as if their time had passed."""
    Pause.objects.filter(set_by=None).update(until="2000-01-01T00:00Z")


def resume_parked_batches():
    """Buy again for batches with two denials, as staff do who find neither in the venue's history."""
    for parked in Batch.objects.filter(state=BatchState.PARKED).select_related("coin"):
        assert parked.denials >= 2
        with transaction.atomic():
            lock_inventory(asset=parked.coin.name)
            begin_next_attempt(batch=lock_batch(batch_id=parked.pk), now=timezone.now())
