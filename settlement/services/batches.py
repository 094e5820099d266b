"""Begin a batch's next attempt, or refund, park or close the batch.

A batch changes only under two locks: first the lock on the coin's inventory, which claims and bookings take too, then
the lock on the batch. A function that does not take these locks expects its caller to hold them.
"""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import transaction

from settlement.clock import database_now
from settlement.jobs import settle_batch_later
from settlement.models import UNDECIDED, Attempt, AttemptState, Batch, BatchState
from settlement.selectors.attempts import find_following
from settlement.selectors.batches import find_idle_batch, list_idle_batches
from settlement.selectors.venues import Room, find_room
from settlement.services.funding import look_again_later, note_shortage, set_aside
from settlement.services.stock import may_deliver_now, price_of_coins, usable_stock
from trading import jobs
from trading.price_moves import AvailableCoins
from trading.selectors.pools import read_waiting_orders
from trading.services.settling import (
    SettledOrders,
    complete_orders,
    refund_orders,
    sum_open_orders,
)
from wallets.runtime import failpoints
from wallets.services.ledger.locking import lock_inventory

logger = logging.getLogger(__name__)

_MOST_EMPTY_ATTEMPTS: Final = 3


def lock_batch(*, batch_id: int | None) -> Batch:
    """Lock a batch and return it with its coin. The caller holds the lock on the coin's inventory."""
    assert batch_id is not None, "nothing settles an adopted attempt"
    return Batch.objects.select_for_update(no_key=True, of=("self",)).select_related("coin").get(pk=batch_id)


def go_on(
    *, batch: Batch, ended: Attempt, now: datetime, wait_seconds: float = 0, open_count: int | None = None
) -> None:
    """Close the batch if all its orders are settled, else begin its next attempt.

    `open_count` is the number of the batch's open orders, if the caller knows it.

    After too many failed or empty attempts, park the batch instead, unless staff have just decided about the attempt
    `ended`.
    """
    if open_count is None:
        open_count = sum_open_orders(batch_id=batch.pk).count
    if not open_count:
        close_batch(batch, state=BatchState.SETTLED, reason="", now=now)
    elif ended.state != AttemptState.PARKED and (_has_failed_too_often(batch) or _keeps_coming_back_empty(batch)):
        park_batch(batch=batch, reason=f"given up after {ended.number} attempts")
    elif _others_wait(batch, now=now):
        let_claim_decide(batch=batch, resume_at=now + timedelta(seconds=wait_seconds) if wait_seconds else None)
    else:
        begin_next_attempt(batch=batch, now=now, wait_seconds=wait_seconds)


def begin_next_attempt(
    *,
    batch: Batch,
    now: datetime,
    wait_seconds: float = 0,
    still_open: SettledOrders | None = None,
    room: Room | None = None,
) -> bool:
    """Deliver the coins that the batch still needs from the house's surplus, or create an attempt to buy them.

    Orders with a fixed price get nothing of the surplus that has cost more than they may lose. If the surplus suffices,
    but no ask is known that bounds the orders' prices, the attempt reads one, and delivers instead of buying.

    The attempt begins at the first venue that is free, not paused, and can pay for an order. Return False if there is
    none: then the batch stays open without an attempt, and a claim resumes it later. `still_open` sums up the batch's
    open orders, and `room` says which venues are free, if the caller knows them.
    """
    still_open = still_open or sum_open_orders(batch_id=batch.pk)
    needed = still_open.amount
    batch.reserved += max(min(needed - batch.reserved, usable_stock(batch=batch, still_open=still_open)), Decimal(0))
    if may_deliver_now(batch=batch, needed=needed, now=now):
        _deliver_from_stock(batch, now=now)
        return True
    _reopen(batch, resume_at=None)
    following = find_following(batch=batch)
    room = room or find_room(coin_id=batch.coin_id, now=now)
    if following is None or not (found := _find_payer(batch, room=room, still_open=still_open, now=now)):
        return False
    venue, budget = found
    Attempt.objects.create(
        batch=batch,
        coin=batch.coin,
        venue=venue,
        **vars(following),
        budget=budget,
        next_step_at=now + timedelta(seconds=wait_seconds),
        created_at=now,
    )
    settle_batch_later(batch_id=batch.pk, delay_seconds=wait_seconds)
    return True


def _find_payer(
    batch: Batch, *, room: Room, still_open: SettledOrders, now: datetime
) -> tuple[str, Decimal | None] | None:
    """Return the first venue whose account can pay for an order of the batch, and the budget there; None if none can.

    A venue that is paused is chosen only if all are. Without a venue, a claim looks again later.
    """
    if not room.all:
        return None
    if still_open.amount <= batch.reserved:
        return room.all[0], None
    for venue in room.venues or room.paused:
        budget, is_payable = set_aside(venue=venue, batch=batch, still_open=still_open, now=now, most=room.most)
        if is_payable:
            return venue, budget
    if room.most is None:
        note_shortage(venue=room.all[0], coin_id=batch.coin_id, charge=still_open.subtotal, now=now)
    look_again_later(coin_id=batch.coin_id)
    return None


def let_claim_decide(*, batch: Batch, resume_at: datetime | None, reason: str = "") -> None:
    """Leave the batch open without an attempt, until `resume_at` at least, and let a claim decide who is next.

    `reason` says why the batch waits for its own turn, if it does.
    """
    _reopen(batch, resume_at=resume_at, reason=reason)
    jobs.request_claim(coin_id=batch.coin_id)


def _reopen(batch: Batch, *, resume_at: datetime | None, reason: str = "") -> None:
    batch.state, batch.reason, batch.resume_at = BatchState.OPEN, reason, resume_at
    _save(batch)


@transaction.atomic
def resume_batch(*, batch_id: int, room: Room | None = None) -> bool:
    """Take both locks, and begin the next attempt of an open batch.

    Return False if the batch is no longer open, no venue is free for the coin, or the batch cannot be paid. `room` says
    which venues are free, if the caller knows them and holds the lock on the coin's inventory.
    """
    coin = Batch.objects.select_related("coin").get(pk=batch_id).coin
    lock_inventory(asset=coin.name)
    batch = lock_batch(batch_id=batch_id)
    now = database_now()
    room = room or find_room(coin_id=coin.pk, now=now)
    if batch.state != BatchState.OPEN or not room.all:
        return False
    return begin_next_attempt(batch=batch, now=now, room=room)


@transaction.atomic
def deliver_reserve(*, attempt: Attempt, price: Decimal | None) -> None:
    """Deliver whole orders from the coins that the batch has already, and take the attempt's next step at once.

    For a batch whose reserve suffices for the orders that could be paid, at the limit `price` if there is one. Nothing
    is bought. The caller has compared the orders with the ask, unless that is not needed (`needs_no_ask`).
    """
    coin = attempt.coin
    lock_inventory(asset=coin.name)
    batch = lock_batch(batch_id=attempt.batch_id)
    left = sum_open_orders(batch_id=batch.pk).count
    reference = f"attempt:{attempt.client_order_id}:stock:{left}"
    complete_from_stock(batch=batch, reference=reference, now=database_now(), price=price)


def refund_batch(*, batch: Batch, reason: str, now: datetime, note: str = "") -> int:
    """Refund a batch's unsettled orders, close the batch, and return the number of refunded orders.

    Customers see `reason`. The batch records `note`, or `reason` if `note` is empty.
    """
    refunded = refund_orders(batch_id=batch.pk, reason=reason, now=now)
    failpoints.reach("refund.credited")
    close_batch(batch, state=BatchState.REFUNDED, reason=note or reason, now=now)
    return refunded.count


def park_batch(*, batch: Batch, reason: str) -> None:
    """Park the batch: staff have to decide. The coin's other batches continue."""
    logger.error("%s is parked for staff: %s", batch, reason)
    batch.state, batch.reason = BatchState.PARKED, reason[:200]
    _save(batch)
    _wake_next_claim(coin_id=batch.coin_id)


def complete_from_stock(*, batch: Batch, reference: str, now: datetime, price: Decimal | None = None) -> int:
    """Complete as many of the batch's orders as its reserve and the house's surplus cover, and return their number.

    With `price`, only those that may be bought at this limit. The surplus is not for too low a fixed price.

    If no order remains, withdraw the attempt that was not sent, and close the batch. If some remain, its step is taken
    anew at once. While a purchase of the batch is undecided, the batch stays: the end of that purchase closes it.
    """
    available = AvailableCoins(amount=batch.reserved + usable_stock(batch=batch), price=price)
    asset = batch.coin.name
    settled = complete_orders(
        batch_id=batch.pk,
        asset=asset,
        available=available,
        reference=reference,
        now=now,
        bought_at=price_of_coins(batch_id=batch.pk),
    )
    if not settled.count:
        return 0
    batch.reserved = max(batch.reserved - settled.amount, Decimal(0))
    if sum_open_orders(batch_id=batch.pk).count or batch.attempts.filter(UNDECIDED).exists():
        _save(batch)
        if batch.attempts.filter(state=AttemptState.NEW).update(next_step_at=now):  # sized for more orders
            settle_batch_later(batch_id=batch.pk)
    else:
        batch.attempts.filter(state=AttemptState.NEW).update(
            state=AttemptState.NOT_PLACED, ended_at=now, excused=True, reason="the batch is delivered from inventory"
        )
        close_batch(batch, state=BatchState.SETTLED, reason="from_inventory", now=now)
    return settled.count


def _deliver_from_stock(batch: Batch, *, now: datetime) -> None:
    complete_orders(
        batch_id=batch.pk,
        asset=batch.coin.name,
        available=AvailableCoins(amount=batch.reserved),
        reference=f"batch:{batch.pk}",
        now=now,
        bought_at=price_of_coins(batch_id=batch.pk),
    )
    close_batch(batch, state=BatchState.SETTLED, reason="from_inventory", now=now)


def _others_wait(batch: Batch, *, now: datetime) -> bool:
    """Say whether other orders of the coin could be bought now: in another batch, or claimed anew."""
    if sum(idle.may_go_on(now=now) for idle in list_idle_batches(coin_id=batch.coin_id)) > 1:
        return True
    waiting = read_waiting_orders(coin_id=batch.coin_id)
    return waiting.has_large or waiting.pool_is_full(threshold=settings.POOLS.threshold)


def _has_failed_too_often(batch: Batch) -> bool:
    """Say whether too many attempts failed. Filled attempts are no failures: large orders may need many."""
    failed = batch.attempts.exclude(state=AttemptState.FILLED).exclude(excused=True)
    return failed.count() >= settings.SETTLEMENT.max_attempts


def _keeps_coming_back_empty(batch: Batch) -> bool:
    last = (
        batch.attempts.exclude(excused=True).order_by("-number").values_list("state", flat=True)[:_MOST_EMPTY_ATTEMPTS]
    )
    return list(last) == [AttemptState.EMPTY] * _MOST_EMPTY_ATTEMPTS


def close_batch(batch: Batch, *, state: BatchState, reason: str, now: datetime) -> None:
    """Close the batch. The rest of its reserve becomes surplus of the house, which the next batch uses first."""
    batch.state, batch.reason, batch.closed_at, batch.reserved = state, reason[:200], now, Decimal(0)
    _save(batch)
    _wake_next_claim(coin_id=batch.coin_id)


def _save(batch: Batch) -> None:
    """Save a batch that exists. The database lets this application change these columns only."""
    batch.save(
        update_fields=["state", "orders_count", "needed", "charge", "reserved", "reason", "resume_at", "closed_at"]
    )


def _wake_next_claim(*, coin_id: int) -> None:
    """Request a claim for orders that arrived during an attempt or did not fit into the batch, or for an idle batch."""
    waiting = read_waiting_orders(coin_id=coin_id)
    pool_is_full = waiting.pool_is_full(threshold=settings.POOLS.threshold)
    if waiting.has_large or pool_is_full or find_idle_batch(coin_id=coin_id):
        jobs.request_claim(coin_id=coin_id)
