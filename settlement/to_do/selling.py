"""Read what waits for staff between us and our customers: orders, coins that are not sold, losses and names."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from django.conf import settings
from django.db.models import Case, Count, Exists, F, Min, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce, Least

from settlement.models import (
    BOOK_READING,
    PRICE_READING,
    Batch,
    BatchState,
    FailingItem,
)
from settlement.to_do.concerns import MAX_PER_KIND, Concern, ConcernKind, Target
from trading.jumps import is_within
from trading.last_counts import read_count
from trading.loss_rules import day_of
from trading.models import WAITING, Coin, Headroom, Order, OrderState, SuspensionEnd
from trading.offers import offer_of
from trading.priced_coins import coins_with_prices
from trading.rounding import subtotal_for
from trading.selectors.headroom import list_near_stops
from trading.selectors.losses import Loss, list_threatening_losses
from trading.selectors.prices import list_unseen_suspensions
from wallets.selectors.accounts import list_unclear_names
from wallets.selectors.proposals import list_open_proposals


def read_settling(now: datetime) -> Iterator[Concern]:
    """Read orders that have been settling for too long, without those of parked batches, which are rows themselves."""
    late = Order.objects.filter(state=OrderState.SETTLING, settling_at__lte=now - settings.TO_DO.settling_limit)
    parked = Batch.objects.filter(state=BatchState.PARKED).values("pk")
    groups = late.exclude(batch_id__in=parked).values("batch_id", "coin__name")
    for row in groups.annotate(count=Count("pk"), since=Min("settling_at")).order_by("since")[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.SETTLING,
            subject=f"{_orders(row['count'])} of {row['coin__name']} in batch {row['batch_id']}",
            since=row["since"],
            reason="claimed, and neither bought nor refunded yet",
            target=Target(model="settlement_batch", pk=row["batch_id"]),
            count=row["count"],
        )


def read_pending(now: datetime) -> Iterator[Concern]:
    """Read orders that nobody claimed in time. For an order that staff released, the wait counts from the release."""
    since = Coalesce("review__decided_at", "created_at")
    waiting = _waiting(OrderState.PENDING).annotate(waits_since=since)
    late = waiting.filter(
        created_at__lte=now - settings.TO_DO.pending_limit, waits_since__lte=now - settings.TO_DO.pending_limit
    )
    groups = late.values("coin_id", "coin__name").annotate(count=Count("pk"), since=Min("waits_since"))
    for row in groups.order_by("since")[:MAX_PER_KIND]:
        yield _concern_of_coin(ConcernKind.PENDING, row, reason="not claimed yet", state=OrderState.PENDING)


def read_pools(now: datetime) -> Iterator[Concern]:
    late = _waiting(OrderState.POOLED).filter(settle_by__lte=now - settings.TO_DO.pool_limit)
    groups = late.values("coin_id", "coin__name").annotate(count=Count("pk"), since=Min("settle_by"))
    for row in groups.order_by("since")[:MAX_PER_KIND]:
        reason = "the pool is overdue, and not claimed yet"
        yield _concern_of_coin(ConcernKind.POOL, row, reason=reason, state=OrderState.POOLED)


def _waiting(state: OrderState) -> QuerySet[Order]:
    # Two filters: Postgres uses the partial index only because of the first.
    return Order.objects.filter(state__in=WAITING).filter(state=state)


def _concern_of_coin(kind: ConcernKind, row: Mapping[str, Any], *, reason: str, state: OrderState) -> Concern:
    return Concern(
        kind=kind,
        subject=f"{_orders(row['count'])} of {row['coin__name']}",
        since=row["since"],
        reason=reason,
        target=Target(model="trading_order", filters={"state__exact": state.value, "coin__id__exact": row["coin_id"]}),
        count=row["count"],
    )


def _orders(count: int) -> str:
    return "1 order" if count == 1 else f"{count} orders"


def read_headroom(_now: datetime) -> Iterator[Concern]:
    """Read the counts of which a fifth or less may still be sold."""
    for counted in list_near_stops()[:MAX_PER_KIND]:
        assert counted.near_since is not None
        have_stopped = counted.stopped_since is not None
        yield Concern(
            kind=ConcernKind.HEADROOM,
            subject=f"{'sales of ' if counted.coin else 'all sales'}{counted.coin or ''}"
            f" {'have stopped' if have_stopped else 'are about to stop'}",
            since=counted.stopped_since or counted.near_since,
            reason=(
                f"{counted.used} USD are sold and not settled, {counted.room} more may be sold{_limit(counted)}."
                " Sales go on by themselves: find out why purchases wait, fill the venue's account, or raise the limit"
            ),
            target=Target(model="trading_headroom", pk=counted.pk),
        )


def _limit(counted: Headroom) -> str:
    if counted.most is not None:
        return f", of {counted.most}"
    return f", of {counted.whole} that the venue's account could pay today" if counted.whole else ""


def read_losses(now: datetime) -> Iterator[Concern]:
    """Read the losses of today that are near their ceiling or have reached it."""
    of_today = Target(model="trading_dayloss", filters={"day__exact": day_of(now).isoformat()})
    for loss in list_threatening_losses(now=now)[:MAX_PER_KIND]:
        stop = loss.stop if loss.is_stopped else None
        what = f"sales of {loss.coin}" if loss.coin else "all sales"
        yield Concern(
            kind=ConcernKind.LOSS,
            subject=f"{what} {'have stopped' if stop else 'are about to stop'}",
            since=(stop.stopped_at if stop else None) or loss.counted_at,
            reason=f"{loss.amount:.2f} USD lost today, of {loss.ceiling:.2f}. {_how_it_ends(loss)}",
            target=Target(model="trading_salesstop", pk=stop.pk) if stop else of_today,
        )


def _how_it_ends(loss: Loss) -> str:
    if loss.is_stopped:
        return "Sales go on at 00:00 UTC; or find the reason, and let them go on, on the page of the stop"
    return "Sales stop there: find the reason, correct the price, or stop selling the coin that loses"


def read_suspended(now: datetime) -> Iterator[Concern]:
    """Read coins on sale that are not sold.

    They are suspended, have no price that is new enough, or a closed market; or no customer's share of their sales
    limit is enough for the smallest order.
    """
    rows = ((coin, _why_not_sold(coin)) for coin in _coins_that_may_not_be_sold(now))
    for coin, reason in islice(((coin, reason) for coin, reason in rows if reason), MAX_PER_KIND):
        yield Concern(
            kind=ConcernKind.SUSPENDED,
            subject=str(coin),
            since=coin.since or now,
            reason=f"not sold: {reason}",
            target=Target(model="trading_coin", pk=coin.pk),
        )


def _coins_that_may_not_be_sold(now: datetime) -> QuerySet[Any]:
    """Return coins that lack a price (`lacks_price`), or that have a sales limit. A price ages as offers say."""
    own_time = Case(When(current_price__details_at=F("current_price__read_at"), then=F("current_price__quoted_at")))
    longest = settings.PRICES.max_age
    is_priced = Q(price_at__gte=now - longest, price_at__lte=now + longest)
    is_stopped = Q(current_price__suspended_at__isnull=False) | Q(closed_market__isnull=False)
    failing = FailingItem.objects.filter(what__in=[PRICE_READING, BOOK_READING], item=OuterRef("name"))
    coins = coins_with_prices().annotate(
        price_at=Least("current_price__read_at", own_time),
        lacks_price=Case(
            When((Q(price_at=None) | ~is_priced | is_stopped) & Q(fixed_price=None), then=True), default=False
        ),
        is_limited=Exists(Headroom.objects.filter(coin=OuterRef("pk"), most__isnull=False)),
        error=Subquery(failing.values("error")[:1]),
        since=Coalesce("closed_market__since", "current_price__suspended_at", "price_at"),
    )
    may_not = coins.filter(Q(lacks_price=True) | Q(is_limited=True), is_sold=True)
    return may_not.select_related("current_price", "closed_market").order_by("since", "pk")


def _why_not_sold(coin: Any) -> str:
    return _why_without_price(coin, error=coin.error) if coin.lacks_price else _why_limited(coin)


def _why_limited(coin: Any) -> str:
    """Say that no customer's share of the coin's sales limit is enough for its smallest order; nothing if it is."""
    offer, count = offer_of(coin=coin), read_count(coin.last_count)
    share = count.of_customer() if count else None
    if not share or offer.price is None:
        return ""
    smallest = subtotal_for(amount=offer.minimum, price=offer.price)
    if smallest <= share:
        return ""
    return (
        f"the smallest order costs {smallest} USD, and a customer may have at most {share.normalize():f} of the sales"
        " limit. Raise the limit, or lower the coin's minimum"
    )


def _why_without_price(coin: Coin, *, error: str | None) -> str:
    if hasattr(coin, "closed_market"):
        return f"the venue says: {error or 'its market is closed'}"
    price = getattr(coin, "current_price", None)
    if price is not None and price.suspended_at is not None:
        candidate = f"{price.candidate.normalize():f}" if price.candidate else "no reading"
        words = f"read {candidate} after {price.value.normalize():f}"
        limit = settings.PRICES.deviation_limit
        if price.candidate is None or is_within(value=price.candidate, of=price.value, limit=limit):
            return words
        return f"{words}. Only staff can accept it: until then its orders are not bought, and refunded in time"
    return f"no current price ({error or 'is a worker running, and does the venue answer?'})"


def read_jumps(_now: datetime) -> Iterator[Concern]:
    """Read suspensions that have ended without staff, until somebody has seen them."""
    for suspension in list_unseen_suspensions(most=MAX_PER_KIND):
        assert suspension.ended_at is not None
        assert suspension.ended_price is not None
        price, ended_price = suspension.price.normalize(), suspension.ended_price.normalize()
        how = SuspensionEnd(suspension.outcome).label
        yield Concern(
            kind=ConcernKind.JUMP,
            subject=str(suspension.coin),
            since=suspension.ended_at,
            reason=f"not sold since {suspension.begun_at:%H:%M:%S} UTC, after {price:f}; {how}: {ended_price:f}",
            target=Target(model="trading_suspension", pk=suspension.pk),
        )


def read_held(now: datetime) -> Iterator[Concern]:
    held = Order.objects.filter(state=OrderState.HELD, held_at__lte=now - settings.TO_DO.held_limit)
    for order in held.select_related("review", "coin", "customer").order_by("held_at")[:MAX_PER_KIND]:
        assert order.held_at is not None
        yield Concern(
            kind=ConcernKind.HELD,
            subject=f"{order}, {order.charge} USD of {order.customer}",
            since=order.held_at,
            reason=order.review.grounds,
            target=Target(model="trading_review", pk=order.pk),
        )


def read_proposals(now: datetime) -> Iterator[Concern]:
    for proposal in list_open_proposals(now=now)[:MAX_PER_KIND]:
        yield Concern(
            kind=ConcernKind.PROPOSAL,
            subject=str(proposal),
            since=proposal.asked_at,
            reason=f"{proposal.asked_by} asks: {proposal.reason}",
            target=Target(model="wallets_proposal", pk=proposal.pk),
        )


def read_names(_now: datetime) -> Iterator[Concern]:
    for name in list_unclear_names(most=MAX_PER_KIND):
        other = name.other or "somebody who has another name now"
        yield Concern(
            kind=ConcernKind.NAME,
            subject=name.username,
            since=name.joined_at,
            reason=f"the same name as {other}" if name.is_same else f"looks like {other}",
            target=Target(model="wallets_user", pk=name.user_id),
        )
