"""Claims, completes and refunds many orders for settlement, in a small number of statements.

Each UPDATE checks the order's present state, so a late or repeated call changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, Sum

from trading.metrics import count_closed_after_commit
from trading.models import Order, OrderState
from trading.services.losses import Delivered, count_loss
from wallets.money import USD
from wallets.runtime import sql
from wallets.services.ledger.crediting import OrderCredit, deliver_coins, refund_customers
from wallets.services.ledger.house_moves import book_revenue
from wallets.services.ledger.locking import lock_customer_wallets

SIZES: Final = (Decimal(100), Decimal(1000), Decimal(10_000))
"""The charges (US dollars) at which the next size of orders begins. Orders of different sizes share no batch.

So the price, the funds and the thin market of an order of thousands are no matter of an order of twelve.
"""

_MOST_PASSES: Final = 10


@dataclass(frozen=True, kw_only=True)
class ClaimedOrders:
    """The orders of one claim: their number, coins and charges (US dollars), and the charges of the pooled orders.

    `unpaid` is the charge of the largest waiting order that was not claimed because it cannot be paid, if any.
    """

    count: int
    amount: Decimal
    charge: Decimal
    pool_charge: Decimal
    unpaid: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class ClaimLimits:
    """What one claim may take: so many orders, pooled ones too, charges of so many US dollars (None: any).

    All claimed orders have the same size (see SIZES): that of the oldest order, or of the `smallest`, that can be paid.
    """

    most: int
    with_pool: bool
    most_charge: Decimal | None = None
    smallest: bool = False


def claim_orders(*, coin_id: int, batch_id: int, limits: ClaimLimits, now: datetime) -> ClaimedOrders:
    """Move waiting orders of a coin to `settling`, oldest first. An order beyond `most_charge` is passed over.

    One statement, unless orders had to be passed over. Skips orders that a cancel has locked.
    """
    claimed, size = _claim_once(coin_id=coin_id, batch_id=batch_id, limits=limits, size=None, now=now)
    unpaid = claimed.unpaid
    for _ in range(_MOST_PASSES):
        if limits.most_charge is None or unpaid is None or size is None:
            break
        rest = replace(limits, most=limits.most - claimed.count, most_charge=limits.most_charge - claimed.charge)
        more, _size = _claim_once(coin_id=coin_id, batch_id=batch_id, limits=rest, size=size, now=now)
        if not more.count:
            break
        claimed = _together(claimed, more)
    return replace(claimed, unpaid=unpaid)


def _claim_once(
    *, coin_id: int, batch_id: int, limits: ClaimLimits, size: int | None, now: datetime
) -> tuple[ClaimedOrders, int | None]:
    """Claim orders of `size` (None: see the limits), up to the first that goes beyond the charge. Return their size."""
    row = sql.fetch_one(
        "trading.claim", coin_id=coin_id, batch_id=batch_id, size=size, sizes=list(SIZES), now=now, **vars(limits)
    )
    assert row is not None, "sums return a row"
    count, amount, charge, pool_charge, found, unpaid = row
    claimed = ClaimedOrders(count=count, amount=amount, charge=charge, pool_charge=pool_charge, unpaid=unpaid)
    return claimed, found


def _together(first: ClaimedOrders, more: ClaimedOrders) -> ClaimedOrders:
    return ClaimedOrders(
        count=first.count + more.count,
        amount=first.amount + more.amount,
        charge=first.charge + more.charge,
        pool_charge=first.pool_charge + more.pool_charge,
    )


@dataclass(frozen=True, kw_only=True)
class SettledOrders:
    """A number of orders of a batch, and the sums of their coins and charges (US dollars).

    `left` is the number of the batch's orders that are still open afterwards, where it is known.
    """

    count: int
    amount: Decimal
    charge: Decimal
    left: int | None = None

    @classmethod
    def of_none(cls) -> "SettledOrders":
        return cls(count=0, amount=Decimal(0), charge=Decimal(0))


def complete_orders(*, batch_id: int, asset: str, available: Decimal, reference: str, now: datetime) -> SettledOrders:
    """Complete a batch's orders from `available` coins: oldest first, each order in full or not at all.

    An order that the coins do not cover is passed over; later, smaller ones that they cover are completed.
    The caller holds the lock on the coin's inventory.
    """
    rows, left = _complete(batch_id=batch_id, available=available, now=now)
    settled = replace(_sum_up(rows), left=left)
    if rows:
        ages = [float(row[4]) for row in rows]
        count_closed_after_commit(state=OrderState.COMPLETED, count=settled.count, ages=ages)
        cost = deliver_coins(asset=asset, credits_=_credits(rows, of=2), now=now)
        book_revenue(amount=settled.charge, reference=reference, now=now)
        delivered = Delivered(asset=asset, coins=settled.amount, cost=cost, charge=settled.charge)
        count_loss(delivered=delivered, now=now)
    return settled


def _complete(*, batch_id: int, available: Decimal, now: datetime) -> tuple[list[sql.Row], int | None]:
    """Complete whole orders. Return them, and the number of those that are still open, if any was completed.

    One statement, unless orders remain that may fit into what is left.
    """
    rows = sql.fetch_all("trading.complete", batch_id=batch_id, available=available, now=now)
    if not rows:
        return rows, None
    open_count, rest = int(rows[0][5]), available - _sum_up(rows).amount
    if open_count and rest > 0:
        smaller = Order.objects.filter(batch_id=batch_id, state=OrderState.SETTLING, amount__lte=rest)
        chosen = _choose(smaller.order_by("id").values_list("id", "amount"), most=rest)
        if chosen:
            more = sql.fetch_all("trading.complete_chosen", ids=chosen, batch_id=batch_id, now=now)
            return rows + more, open_count - len(more)
    return rows, open_count


def _choose(rows: Iterable[tuple[int, Decimal]], *, most: Decimal) -> list[int]:
    """Return the ids of the rows that fit into `most` together, in order: one that no longer fits is passed over."""
    chosen = []
    for pk, value in rows:
        if value <= most:
            chosen.append(pk)
            most -= value
    return chosen


def refund_orders(*, batch_id: int, reason: str, now: datetime) -> SettledOrders:
    """Refund the open orders of a batch.

    Locks wallets before orders, like all code.
    """
    settling = Order.objects.filter(batch_id=batch_id, state=OrderState.SETTLING)
    lock_customer_wallets(asset=USD, customer_ids=list(settling.values_list("customer_id", flat=True)))
    locked = settling.select_for_update(no_key=True).order_by("id")
    rows = list(locked.values_list("id", "customer_id", "amount", "charge"))
    settling.update(state=OrderState.REFUNDED, refunded_at=now, reason=reason)
    if rows:
        count_closed_after_commit(state=OrderState.REFUNDED, count=len(rows))
        refund_customers(credits_=_credits(rows, of=3), now=now)
    return _sum_up(rows)


def sum_open_orders(*, batch_id: int | None) -> SettledOrders:
    """Sum up the open orders of a batch."""
    assert batch_id is not None, "orders without a batch are not settled"
    return _sum_orders(batch_id=batch_id, state=OrderState.SETTLING)


def sum_completed_orders(*, batch_id: int) -> SettledOrders:
    """Sum up the completed orders of a batch."""
    return _sum_orders(batch_id=batch_id, state=OrderState.COMPLETED)


def _sum_orders(*, batch_id: int, state: OrderState) -> SettledOrders:
    sums = Order.objects.filter(batch_id=batch_id, state=state).aggregate(
        count=Count("id"), amount=Sum("amount"), charge=Sum("charge")
    )
    return SettledOrders(count=sums["count"], amount=sums["amount"] or Decimal(0), charge=sums["charge"] or Decimal(0))


def sum_fitting_orders(*, batch_id: int, most: Decimal) -> SettledOrders:
    """Sum up the open orders of a batch whose charges fit into `most` US dollars: whole orders, the oldest first."""
    fitting = Order.objects.filter(batch_id=batch_id, state=OrderState.SETTLING, charge__lte=most).order_by("id")
    rows = list(fitting.values_list("id", "customer_id", "amount", "charge"))
    chosen = set(_choose(((row[0], row[3]) for row in rows), most=most))
    return _sum_up([row for row in rows if row[0] in chosen])


_Row = Sequence[Any]  # id of the order, id of the customer, amount, charge; a row may have more columns


def _credits(rows: Sequence[_Row], *, of: int) -> list[OrderCredit]:
    return [OrderCredit(order_id=row[0], customer_id=row[1], amount=Decimal(row[of])) for row in rows]


def _sum_up(rows: Sequence[_Row]) -> SettledOrders:
    return SettledOrders(
        count=len(rows),
        amount=sum((row[2] for row in rows), Decimal(0)),
        charge=sum((row[3] for row in rows), Decimal(0)),
    )
