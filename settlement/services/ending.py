"""The end of an attempt, for services that decide why it ends: each function works inside its caller's transaction."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from settlement.clock import database_now
from settlement.models import GIVEN_UP, Attempt, AttemptState, here_or_before, name_of_wallets
from settlement.services.batches import lock_batch, park_batch
from settlement.services.disbelieving import disbelieve
from settlement.services.stock import price_of_coins
from settlement.told import keep
from settlement.venues.protocol import Executed, Untrue
from trading.services.unclear import mark_clear
from wallets.services.ledger.house_moves import book_fill
from wallets.services.ledger.locking import lock_inventory


def enter(attempt: Attempt) -> datetime:
    """Lock the coin's inventory and return the database's time."""
    lock_inventory(asset=attempt.coin.name)
    return database_now()


def end_attempt(
    attempt: Attempt, from_state: AttemptState, *, state: AttemptState, now: datetime, **fields: Any
) -> bool:
    """End the attempt if its state is still `from_state`. Return False if another run ended the attempt first."""
    unchanged = Attempt.objects.filter(pk=attempt.pk, state=from_state)
    if venue_order_id := fields.get("venue_order_id"):
        unchanged = unchanged.exclude(is_booked_for_another(venue_order_id))
    ended = unchanged.update(state=state, ended_at=now, **fields)
    if ended and not _others_are_unclear(attempt):
        mark_clear(coin_id=attempt.coin_id)
    return bool(ended)


def _others_are_unclear(attempt: Attempt) -> bool:
    """Say whether another purchase of the coin is unclear, at another venue. No query where there is one venue."""
    others = Attempt.objects.filter(coin_id=attempt.coin_id, state=AttemptState.SENT).exclude(pk=attempt.pk)
    return bool(settings.FURTHER_VENUES) and others.exclude(reason="").exists()


def is_booked_for_another(venue_order_id: str) -> Exists:
    """Say whether another attempt for the coin is the owner of a venue's order: ids of orders do not repeat.

    An id that is not known (empty) is no order's.
    """
    same = Attempt.objects.filter(coin_id=OuterRef("coin_id"), venue_order_id=venue_order_id).exclude(venue_order_id="")
    same = same.filter(Q(venue=OuterRef("venue")) | Q(venue=""))  # venues number their orders alike
    return Exists(same.filter(state=AttemptState.FILLED).exclude(pk=OuterRef("pk")))


def find_owner(attempt: Attempt, execution: Executed) -> Attempt | None:
    unbooked = Attempt.objects.filter(pk=attempt.pk).exclude(state=AttemptState.FILLED)
    if not unbooked.filter(is_booked_for_another(execution.venue_order_id)).exists():
        return None
    same = Attempt.objects.filter(coin_id=attempt.coin_id, venue_order_id=execution.venue_order_id)
    same = same.filter(venue__in=here_or_before(attempt.place))
    return same.filter(state=AttemptState.FILLED).first()


def park_attempt(attempt: Attempt, from_state: AttemptState, *, reason: str, now: datetime) -> bool:
    ended = end_attempt(attempt, from_state, state=AttemptState.PARKED, now=now, reason=reason[:200])
    if ended:
        park_batch(batch=lock_batch(batch_id=attempt.batch_id), reason=reason)
    return ended


def park_as_untrue(attempt: Attempt, from_state: AttemptState, answer: Untrue, *, now: datetime) -> bool:
    """Park the attempt and its batch with what the venue said. An attempt that is parked stays as it is."""
    fields = {"reason": answer.reason[:200], "answer": keep(answer.answer)}
    if from_state == AttemptState.PARKED or not end_attempt(
        attempt, from_state, state=AttemptState.PARKED, now=now, **fields
    ):
        return False
    disbelieve(attempt=attempt, reason=answer.reason, now=now)
    park_batch(batch=lock_batch(batch_id=attempt.batch_id), reason=f"untrue answer: {answer.reason}")
    return True


def if_given_up(attempt: Attempt) -> QuerySet[Attempt]:
    """Select the attempt if it was sent and then given up, so that nothing is booked for it yet."""
    return Attempt.objects.filter(pk=attempt.pk, state__in=GIVEN_UP, signed_at__isnull=False)


def receive_fill(attempt: Attempt, execution: Executed, *, now: datetime) -> Decimal:
    """Book an attempt's coins and cost, and return the number of coins received."""
    received = execution.quantity - execution.commission
    book_at_venue(attempt, cost=execution.cost, quantity=received, reference=reference_of(attempt), now=now)
    return received


def book_at_venue(attempt: Attempt, *, cost: Decimal, quantity: Decimal, reference: str, now: datetime) -> None:
    """Book coins and their cost to the wallets of the attempt's venue."""
    venue, asset = name_of_wallets(attempt.place), attempt.coin.name
    book_fill(venue=venue, asset=asset, cost=cost, quantity=quantity, reference=reference, now=now)


def price_of_fill(
    attempt: Attempt, execution: Executed, from_state: AttemptState, *, held_before: Decimal
) -> Decimal | None:
    """Return what a coin that the batch holds after a fill has cost on average (US dollars), if it has bought any.

    Asks the database only if the batch may hold coins of an earlier purchase. A first attempt has none before it,
    unless it was parked meanwhile.
    """
    received = execution.quantity - execution.commission
    is_first = attempt.number == 1 and from_state == AttemptState.SENT
    if received > 0 and (is_first or not held_before):
        return execution.cost / received
    assert attempt.batch_id is not None, "nothing settles an adopted attempt"
    return price_of_coins(batch_id=attempt.batch_id)


def reference_of(attempt: Attempt) -> str:
    return f"attempt:{attempt.client_order_id}"


def figures_of(execution: Executed) -> dict[str, Any]:
    return {
        "executed": execution.quantity,
        "cost": execution.cost,
        "commission": execution.commission,
        "venue_order_id": execution.venue_order_id,
        "answer": keep(execution.answer),
    }
