"""Claims, completes and refunds many orders for settlement, in a small number of statements.

Each UPDATE checks the order's present state, so a late or repeated call changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, F, Min, Q, QuerySet, Sum

from trading.metrics import count_closed_after_commit, count_fees_after_commit
from trading.models import Order, OrderState
from trading.price_moves import NO_COMPARISON, AvailableCoins, Comparison, cannot_pay
from trading.services.losses import Delivered, count_loss
from trading.services.rebates import give_rebates
from wallets.money import USD
from wallets.runtime import sql
from wallets.services.ledger.crediting import OrderCredit, deliver_coins, refund_customers
from wallets.services.ledger.house_moves import book_revenue
from wallets.services.ledger.locking import lock_customer_wallets

PRICE_MOVED: Final = "price_moved"
"""The reason of a refund: buying the order would lose more than an order may lose."""

SIZES: Final = (Decimal(100), Decimal(1000), Decimal(10_000))
"""The subtotals (US dollars) at which the next size of orders begins. Orders of different sizes share no batch.

So the price, the funds and the thin market of an order of thousands are no matter of an order of twelve.
"""

_MOST_PASSES: Final = 10
_SUBTOTAL: Final = F("charge") - F("fee")


@dataclass(frozen=True, kw_only=True)
class ClaimedOrders:
    """The orders of one claim: their number, coins and subtotals (US dollars), and the subtotals of the pooled orders.

    `unpaid` is the subtotal of the largest waiting order that was not claimed because it cannot be paid, if any.
    `has_moved` says that nothing was claimed because the market has moved too far against one of the orders.
    """

    count: int
    amount: Decimal
    subtotal: Decimal
    pool_subtotal: Decimal
    unpaid: Decimal | None = None
    has_moved: bool = False


@dataclass(frozen=True, kw_only=True)
class ClaimLimits:
    """What one claim may take: so many orders, pooled ones too, subtotals of so many US dollars (None: any).

    All claimed orders have the same size (see SIZES): that of the oldest order, or of the `smallest`, that can be paid.
    None is claimed while `comparison` finds one that must be refunded instead.
    """

    most: int
    with_pool: bool
    most_subtotal: Decimal | None = None
    smallest: bool = False
    comparison: Comparison | None = None

    def in_sql(self) -> dict[str, Any]:
        """Return the limits as the parameters of `claim.sql`."""
        compared = NO_COMPARISON if self.comparison is None else self.comparison.in_sql()
        names = ("most", "with_pool", "most_subtotal", "smallest")
        return {name: getattr(self, name) for name in names} | compared


def claim_orders(*, coin_id: int, batch_id: int, limits: ClaimLimits, now: datetime) -> ClaimedOrders:
    """Move waiting orders of a coin to `settling`, oldest first. An order beyond `most_subtotal` is passed over.

    One statement, unless orders had to be passed over. Skips orders that a cancel has locked.
    """
    claimed, size = _claim_once(coin_id=coin_id, batch_id=batch_id, limits=limits, size=None, now=now)
    unpaid = claimed.unpaid
    for _ in range(_MOST_PASSES):
        if limits.most_subtotal is None or unpaid is None or size is None:
            break
        rest = replace(limits, most=limits.most - claimed.count, most_subtotal=limits.most_subtotal - claimed.subtotal)
        more, _size = _claim_once(coin_id=coin_id, batch_id=batch_id, limits=rest, size=size, now=now)
        if not more.count:
            break
        claimed = _together(claimed, more)
    return replace(claimed, unpaid=unpaid)


def _claim_once(
    *, coin_id: int, batch_id: int, limits: ClaimLimits, size: int | None, now: datetime
) -> tuple[ClaimedOrders, int | None]:
    """Claim orders of `size` (None: see the limits), up to the first beyond the dollars. Return their size."""
    row = sql.fetch_one(
        "trading.claim", coin_id=coin_id, batch_id=batch_id, size=size, sizes=list(SIZES), now=now, **limits.in_sql()
    )
    assert row is not None, "sums return a row"
    count, amount, subtotal, pool_subtotal, found, unpaid, has_moved = row
    claimed = ClaimedOrders(
        count=count,
        amount=amount,
        subtotal=subtotal,
        pool_subtotal=pool_subtotal,
        unpaid=unpaid,
        has_moved=has_moved,
    )
    return claimed, found


def _together(first: ClaimedOrders, more: ClaimedOrders) -> ClaimedOrders:
    return ClaimedOrders(
        count=first.count + more.count,
        amount=first.amount + more.amount,
        subtotal=first.subtotal + more.subtotal,
        pool_subtotal=first.pool_subtotal + more.pool_subtotal,
    )


@dataclass(frozen=True, kw_only=True)
class SettledOrders:
    """A number of orders of a batch, and the sums of their coins and subtotals (US dollars).

    `left` is the number of the batch's orders that are still open afterwards, where it is known. `lowest_price` is the
    least that one of the orders with a market price paid for a coin: its subtotal, which is whole cents, divided by its
    coins. `moved` is the number of those that a comparison found. It compares the same price, so an order that has not
    moved does not stop its batch.
    """

    count: int
    amount: Decimal
    subtotal: Decimal
    left: int | None = None
    lowest_price: Decimal | None = None
    moved: int = 0

    @classmethod
    def of_none(cls) -> "SettledOrders":
        return cls(count=0, amount=Decimal(0), subtotal=Decimal(0))


def complete_orders(
    *,
    batch_id: int,
    asset: str,
    available: AvailableCoins,
    reference: str,
    now: datetime,
    bought_at: Decimal | None = None,
) -> SettledOrders:
    """Complete a batch's orders from `available` coins: oldest first, each order in full or not at all.

    An order that the coins do not cover is passed over; later, smaller ones that they cover are completed. `bought_at`
    is what a coin of the batch's purchases cost, with commission (US dollars). Without a purchase no rebate is given.
    The caller holds the lock on the coin's inventory.
    """
    rows, left = _complete(batch_id=batch_id, available=available, now=now)
    settled = replace(_sum_up(rows), left=left)
    if rows:
        ages = [float(row[5]) for row in rows]
        count_closed_after_commit(state=OrderState.COMPLETED, count=settled.count, ages=ages)
        cost = deliver_coins(asset=asset, credits_=_credits(rows, of=(2,)), now=now)
        fee = sum((row[4] for row in rows), Decimal(0))
        rebates = Decimal(0)
        if bought_at is not None:
            rebates = give_rebates(
                rows=rows, cost=max(cost, bought_at * settled.amount), amount=settled.amount, now=now
            )
        revenue = settled.subtotal - rebates
        book_revenue(subtotal=revenue, fee=fee, reference=reference, now=now)
        count_fees_after_commit(fee=fee)
        delivered = Delivered(asset=asset, coins=settled.amount, cost=cost, charge=revenue)
        count_loss(delivered=delivered, now=now)
    return settled


def _complete(*, batch_id: int, available: AvailableCoins, now: datetime) -> tuple[list[sql.Row], int | None]:
    """Complete whole orders. Return them, and the number of those that are still open, if any was completed.

    One statement, unless orders remain that may fit into what is left.
    """
    rows = sql.fetch_all("trading.complete", batch_id=batch_id, now=now, **available.in_sql())
    if not rows:
        return rows, None
    open_count, rest = int(rows[0][8]), available.amount - _sum_up(rows).amount
    if open_count and rest > 0:
        smaller = _settling(batch_id=batch_id, price=available.price).filter(amount__lte=rest)
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
    rows = list(locked.values_list("id", "customer_id", "amount", _SUBTOTAL, "fee"))
    settling.update(state=OrderState.REFUNDED, refunded_at=now, reason=reason)
    if rows:
        count_closed_after_commit(state=OrderState.REFUNDED, count=len(rows))
        refund_customers(credits_=_credits(rows, of=(3, 4)), now=now)
    return _sum_up(rows)


def sum_open_orders(
    *, batch_id: int | None, comparison: Comparison | None = None, price: Decimal | None = None
) -> SettledOrders:
    """Sum up the open orders of a batch, and count those that a comparison finds.

    With `price`, only those that may be bought at this limit (US dollars a coin).
    """
    assert batch_id is not None, "orders without a batch are not settled"
    return _sum_orders(_settling(batch_id=batch_id, price=price), comparison=comparison)


def _settling(*, batch_id: int, price: Decimal | None) -> QuerySet[Order]:
    """Select the open orders of a batch; with `price`, only those that may be bought at this limit."""
    settling = Order.objects.filter(batch_id=batch_id, state=OrderState.SETTLING)
    return settling if price is None else settling.exclude(cannot_pay(price=price))


def sum_completed_orders(*, batch_id: int) -> SettledOrders:
    """Sum up the completed orders of a batch."""
    return _sum_orders(Order.objects.filter(batch_id=batch_id, state=OrderState.COMPLETED))


def _sum_orders(orders: QuerySet[Order], *, comparison: Comparison | None = None) -> SettledOrders:
    compared = {} if comparison is None else {"moved": Count("id", filter=comparison.moved)}
    sums = orders.aggregate(
        **compared,  # before the sum that hides the column `amount`
        count=Count("id"),
        subtotal=Sum(_SUBTOTAL),
        lowest_price=Min(_SUBTOTAL / F("amount"), filter=Q(market_price__isnull=False)),
        amount=Sum("amount"),
    )
    return SettledOrders(**sums | {name: sums[name] or Decimal(0) for name in ("amount", "subtotal")})


def sum_fitting_orders(*, batch_id: int, most: Decimal, price: Decimal | None = None) -> SettledOrders:
    """Sum up the open orders of a batch whose subtotals fit into `most` US dollars: whole orders, the oldest first.

    With `price`, only those that may be bought at this limit.
    """
    open_orders = _settling(batch_id=batch_id, price=price).annotate(for_coins=_SUBTOTAL)
    fitting = open_orders.filter(for_coins__lte=most).order_by("id")
    rows = list(fitting.values_list("id", "customer_id", "amount", "for_coins"))
    chosen = set(_choose(((row[0], row[3]) for row in rows), most=most))
    return _sum_up([row for row in rows if row[0] in chosen])


_Row = Sequence[Any]  # id of the order, id of the customer, amount, subtotal; a row may have more columns


def _credits(rows: Sequence[_Row], *, of: tuple[int, ...]) -> list[OrderCredit]:
    """Return a credit for each order: the sum of the columns `of`."""
    return [OrderCredit(order_id=row[0], customer_id=row[1], amount=sum(row[at] for at in of)) for row in rows]


def _sum_up(rows: Sequence[_Row]) -> SettledOrders:
    return SettledOrders(
        count=len(rows),
        amount=sum((row[2] for row in rows), Decimal(0)),
        subtotal=sum((row[3] for row in rows), Decimal(0)),
    )
