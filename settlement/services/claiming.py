"""Claim a coin's waiting orders into one batch, in one database transaction."""

import logging
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import F

from settlement.models import Attempt, AttemptState, Batch
from settlement.queue import delete_waiting_claims
from settlement.selectors.batches import IdleBatch, find_idle_batch, list_idle_batches
from settlement.selectors.venues import Room, list_in_flight, list_standings, room_of
from settlement.services.batches import (
    begin_next_attempt,
    let_claim_decide,
    lock_batch,
    refund_batch,
    resume_batch,
)
from settlement.services.funding import look_again_later, lower_of, note_shortage, payable_subtotal, read_available
from settlement.services.outcomes import withdraw_attempt
from settlement.services.stock import worth_of_stock
from trading import jobs, pools
from trading.models import Coin, PoolPolicy
from trading.pool_rules import WaitingOrders
from trading.price_moves import Comparison
from trading.selectors.pools import read_waiting_orders
from trading.selectors.prices import newest_ask_of
from trading.services.price_moves import refund_moved_waiting
from trading.services.settling import ClaimedOrders, ClaimLimits, SettledOrders, claim_orders
from wallets.runtime import failpoints
from wallets.services.ledger.locking import lock_inventory

logger = logging.getLogger(__name__)

_POOL_TIMED_OUT: Final = "pool_timed_out"
_NOTHING: Final = (None, Decimal(0))
_SHORT_WAIT: Final = timedelta(seconds=1)
"""An attempt that is sent within this time does not give way to others."""


def claim_waiting_orders(*, coin_id: int, now: datetime) -> Batch | None:
    """Start the purchase of a coin's waiting orders, if any are due. Safe to run at any time, and twice.

    Large orders are always due. The pool is due when Postgres shows that it is full or overdue. Nothing is claimed
    while an attempt for the coin is in flight: the end of that attempt enqueues the next claim. A batch whose orders
    are not all bought yet goes on here too, in turn with new orders.
    Of the runs in one process that would wait for the coin's lock, only the first claims. The others wait for that run
    and return None.
    """
    own: Future[None] = Future()
    first = _waiting.setdefault(coin_id, own)  # setdefault is atomic between threads
    if first is not own:
        first.result()
        return None
    try:
        batch = _claim_and_count(coin=Coin.objects.select_related("current_price").get(pk=coin_id), now=now)
        own.set_result(None)
    except BaseException as error:
        if _waiting.get(coin_id) is own:
            del _waiting[coin_id]
        own.set_exception(error)
        raise
    return batch


_waiting: dict[int, "Future[None]"] = {}
"""By coin id, the run in this process that has not read the orders yet. Its claim serves all runs that join it."""


def _claim_and_count(*, coin: Coin, now: datetime) -> Batch | None:
    batch, pooled = _claim(coin=coin, now=now)
    if batch:
        failpoints.reach("claim.committed")
        logger.info("%s begins with %s orders of %s", batch, batch.orders_count, coin, extra={"batch_id": batch.pk})
    if pooled:
        pools.add(coin_name=coin.name, amount=-pooled)
    elif batch is None:
        pools.rewrite(totals={coin.name: read_waiting_orders(coin_id=coin.pk).pool_total})
    return batch


@transaction.atomic
def _claim(*, coin: Coin, now: datetime) -> tuple[Batch | None, Decimal]:
    """Claim under the coin's lock. Return the batch, and the dollars that left the pool."""
    lock_inventory(asset=coin.name)
    _waiting.pop(coin.pk, None)
    # Jobs are deleted before the orders are read. A job that is visible here was committed with its order, so this
    # claim sees every order whose job is deleted (if an attempt is in flight, the claim after its end does). Of a long
    # backlog, each claim deletes only a part.
    delete_waiting_claims(coin_id=coin.pk, most=2 * settings.SETTLEMENT.batch_max_orders)
    standings = list_standings(coin_id=coin.pk)
    if not (at_rest := room_of(standings, in_flight=[], now=now)).venues:
        if at_rest.paused_until:
            jobs.request_claim(coin_id=coin.pk, delay_seconds=(at_rest.paused_until - now).total_seconds())
        return _NOTHING
    waiting = read_waiting_orders(coin_id=coin.pk)
    is_due = waiting.has_large or _pool_is_due(waiting, now=now)
    idle = list_idle_batches(coin_id=coin.pk)
    _look_again_at_the_end_of_a_wait(coin, idle, now=now)
    ready = [batch for batch in idle if batch.may_go_on(now=now)]
    in_flight = _remaining(coin, others_are_due=is_due or bool(ready), now=now)
    room = room_of(standings, in_flight=in_flight, now=now)
    if not room.venues:
        return _NOTHING
    return _begin_next(coin, ready=ready, waiting=waiting, is_due=is_due, room=room, now=now)


def _look_again_at_the_end_of_a_wait(coin: Coin, idle: list[IdleBatch], *, now: datetime) -> None:
    """Request a claim for the time at which the next batch that gave way may go on: no job of its own wakes it."""
    ends = [batch.resume_at for batch in idle if batch.resume_at and not batch.may_go_on(now=now)]
    if ends:
        jobs.request_claim(coin_id=coin.pk, delay_seconds=(min(ends) - now).total_seconds())


def _remaining(coin: Coin, *, others_are_due: bool, now: datetime) -> list[Attempt]:
    """Return the attempts for the coin that stay in flight.

    An attempt that has not been sent, and waits, gives way to orders that are due and to batches that may go on.
    """
    in_flight = list_in_flight(coin_id=coin.pk)
    return [attempt for attempt in in_flight if not (others_are_due and _gives_way(attempt, now=now))]


def _gives_way(attempt: Attempt, *, now: datetime) -> bool:
    if attempt.state != AttemptState.NEW or attempt.next_step_at <= now + _SHORT_WAIT:
        return False
    batch = lock_batch(batch_id=attempt.batch_id)
    if not withdraw_attempt(batch=batch, reason="lets others go first", now=now):
        return False
    let_claim_decide(batch=batch, resume_at=attempt.next_step_at, reason=batch.reason)
    return True


def _begin_next(
    coin: Coin, *, ready: list[IdleBatch], waiting: WaitingOrders, is_due: bool, room: Room, now: datetime
) -> tuple[Batch | None, Decimal]:
    """Go on with the coin's oldest batch that can be paid, or claim new orders if no batch can go on.

    At the others' turn, new orders come first, the smallest before larger ones, and then the other batches.
    """
    if ready and ready[0].lets_others_go():
        begun = _claim_new(coin, waiting=waiting, smallest=True, room=room, now=now) if is_due else None
        if begun or _resume_first(sorted(ready[1:], key=lambda batch: batch.attempts), room=room):
            Batch.objects.filter(pk=ready[0].id).update(turns_given=F("turns_given") + 1)
            return begun or _NOTHING
        if is_due:  # orders that had moved may have been refunded
            waiting = read_waiting_orders(coin_id=coin.pk)
    if _resume_first(ready, room=room):
        return _NOTHING
    if is_due and (begun := _claim_new(coin, waiting=waiting, smallest=False, room=room, now=now)):
        return begun
    if is_due or find_idle_batch(coin_id=coin.pk):
        look_again_later(coin_id=coin.pk)
    return _NOTHING


def _resume_first(batches: list[IdleBatch], *, room: Room) -> bool:
    """Resume the first batch that can go on. Return False if none can."""
    return any(resume_batch(batch_id=batch.id, room=room) for batch in batches)


def _claim_new(
    coin: Coin, *, waiting: WaitingOrders, smallest: bool, room: Room, now: datetime
) -> tuple[Batch, Decimal] | None:
    """Claim the waiting orders that a venue's account can pay, or else the stock, into a new batch, and start it.

    The first venue that can pay for an order gets the batch. Return the batch and the dollars that left the pool; None
    if no order can be claimed.
    """
    venue, *others = room.venues
    limits = _limits(coin, waiting=waiting, smallest=smallest, most_subtotal=_most_at(venue, room, now=now), now=now)
    batch = Batch.objects.create(coin=coin, created_at=now)
    claimed = claim_orders(coin_id=coin.pk, batch_id=batch.pk, limits=limits, now=now)
    left_pool = Decimal(0)
    if claimed.has_moved:
        left_pool = _refund_moved(batch, limits=limits, now=now)
        waiting = read_waiting_orders(coin_id=coin.pk)
        limits = replace(limits, with_pool=limits.with_pool and _pool_is_due(waiting, now=now))
        claimed = claim_orders(coin_id=coin.pk, batch_id=batch.pk, limits=limits, now=now)
        if claimed.has_moved:  # of a long backlog only a part is refunded: the next claim goes on
            jobs.request_claim(coin_id=coin.pk)
    for other in others:
        if claimed.count or claimed.unpaid is None:
            break
        venue, limits = other, replace(limits, most_subtotal=_most_at(other, room, now=now))
        claimed = claim_orders(coin_id=coin.pk, batch_id=batch.pk, limits=limits, now=now)
    if limits.most_subtotal is not None and claimed.unpaid is not None and not claimed.count:
        limits = replace(limits, most_subtotal=limits.most_subtotal + worth_of_stock(coin=coin))
        claimed = claim_orders(coin_id=coin.pk, batch_id=batch.pk, limits=limits, now=now)
    if claimed.count:
        _start(batch, claimed=claimed, waiting=waiting, room=_beginning_with(venue, room), now=now)
    else:
        batch.delete()
    if (
        claimed.unpaid is not None and room.most is None
    ):  # last: it locks the account's row, which bookings lock last too
        note_shortage(venue=room.venues[0], coin_id=coin.pk, charge=claimed.unpaid, now=now)
    if not claimed.count:
        return None
    failpoints.reach("claim.claimed")
    return batch, claimed.pool_subtotal + left_pool


def _beginning_with(venue: str, room: Room) -> Room:
    return replace(room, venues=[venue, *(name for name in room.venues if name != venue)])


def _most_at(venue: str, room: Room, *, now: datetime) -> Decimal | None:
    """Return the largest subtotal of orders that may be bought at a venue now; None if that is not known."""
    available = lower_of(read_available(venue=venue, now=now), room.most)
    return None if available is None else payable_subtotal(venue=venue, available=available)


def _limits(
    coin: Coin, *, waiting: WaitingOrders, smallest: bool, most_subtotal: Decimal | None, now: datetime
) -> ClaimLimits:
    # The ask is that of one venue. Of several, each is asked before a purchase, and orders are compared then.
    ask = None if settings.FURTHER_VENUES else newest_ask_of(coin=coin, now=now)
    return ClaimLimits(
        most=settings.SETTLEMENT.batch_max_orders,
        with_pool=_pool_is_due(waiting, now=now),
        most_subtotal=most_subtotal,
        smallest=smallest,
        comparison=None if ask is None else Comparison(ask=ask, now=now),
    )


def _refund_moved(batch: Batch, *, limits: ClaimLimits, now: datetime) -> Decimal:
    """Refund waiting orders that have moved, and return the dollars that have left the pool."""
    assert limits.comparison is not None, "without an ask no order is compared"
    left_pool = refund_moved_waiting(
        coin_id=batch.coin_id, with_pool=limits.with_pool, comparison=limits.comparison, now=now
    )
    failpoints.reach("claim.refunded")
    return left_pool


def _pool_is_due(waiting: WaitingOrders, *, now: datetime) -> bool:
    return waiting.pool_is_full(threshold=settings.POOLS.threshold) or waiting.pool_is_overdue(now=now)


def _start(batch: Batch, *, claimed: ClaimedOrders, waiting: WaitingOrders, room: Room, now: datetime) -> None:
    batch.orders_count, batch.needed, batch.charge = claimed.count, claimed.amount, claimed.subtotal
    if _is_to_be_refunded(batch, claimed, waiting):
        refund_batch(batch=batch, reason=_POOL_TIMED_OUT, now=now)
    else:
        still_open = SettledOrders(count=claimed.count, amount=claimed.amount, subtotal=claimed.subtotal)
        begin_next_attempt(batch=batch, now=now, still_open=still_open, room=room)


def _is_to_be_refunded(batch: Batch, claimed: ClaimedOrders, waiting: WaitingOrders) -> bool:
    """Say whether the batch is a pool that was overdue but not full, and the coin's policy is to refund it."""
    return (
        batch.coin.pool_policy == PoolPolicy.REFUND
        and claimed.pool_subtotal == claimed.subtotal
        and not waiting.pool_is_full(threshold=settings.POOLS.threshold)
    )
