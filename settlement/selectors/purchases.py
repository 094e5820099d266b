"""Sum up the purchases of each coin at a venue.

Purchases that ended long ago do not change any more, so their sums are kept (`PurchaseSum`), and only what has ended
since is read. Booking a fill always sets `ended_at`, so a late fill counts among what has ended since.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db.models import Count, F, Max, Q, QuerySet, Sum

from settlement.figures import add
from settlement.models import UNDECIDED, Attempt, AttemptState, PurchaseSum, here_or_before

_FILLED: Final = Q(state=AttemptState.FILLED)
_NOTHING: Final = Decimal(0)
_KEPT_AFTER: Final = timedelta(hours=1)
"""Longer than a database transaction may take, so that no attempt gets an end before `until` after it was summed up."""


@dataclass(frozen=True, kw_only=True)
class Purchases:
    """What a coin's purchases have brought (coins) and cost (quote asset). `count` is the number of fills.

    `was_sent`: one was ever sent. `undecided` counts those whose outcome is not known, and `last_ended` is when the
    last of those that were sent ended.
    """

    received: Decimal = _NOTHING
    cost: Decimal = _NOTHING
    count: int = 0
    was_sent: bool = False
    undecided: int = 0
    last_ended: datetime | None = None

    def plus(self, other: "Purchases") -> "Purchases":
        return Purchases(
            received=add([self.received, other.received]),
            cost=add([self.cost, other.cost]),
            count=self.count + other.count,
            was_sent=self.was_sent or other.was_sent,
            undecided=self.undecided + other.undecided,
            last_ended=max((end for end in (self.last_ended, other.last_ended) if end), default=None),
        )


PurchasesByCoin = dict[int, Purchases]


@dataclass(frozen=True, kw_only=True)
class KeptSums:
    """By the id of the coin, the sums over the purchases that ended by `until`; over none if `until` is None."""

    until: datetime | None
    by_coin: PurchasesByCoin


NO_SUMS: Final = KeptSums(until=None, by_coin={})


def load_kept_sums(*, venue: str) -> KeptSums:
    """Return the sums that are kept. Rows that two runs have written by turns are not believed. One query."""
    rows = list(PurchaseSum.objects.filter(venue=venue))
    if len({row.until for row in rows}) != 1:
        return NO_SUMS
    by_coin = {
        row.coin_id: Purchases(
            received=row.received, cost=row.cost, count=row.count, was_sent=True, last_ended=row.last_ended
        )
        for row in rows
    }
    return KeptSums(until=rows[0].until, by_coin=by_coin)


def sum_up_ended(*, venue: str, kept: KeptSums, now: datetime) -> KeptSums:
    """Return sums that take in what has ended since, up to a while ago; `kept` itself if that is not worth a query."""
    until = now - _KEPT_AFTER - settings.SETTLEMENT.not_found_margin
    if kept.until is not None and kept.until > until - _KEPT_AFTER:
        return kept
    ended = _sent(venue).filter(ended_at__lte=until)
    if kept.until is not None:
        ended = ended.filter(ended_at__gt=kept.until)
    return KeptSums(until=until, by_coin=_join(kept.by_coin, _sum_up(ended)))


def sum_up_all(*, venue: str, kept: KeptSums, but: Attempt | None = None) -> PurchasesByCoin:
    """Return the sums over all purchases, by the id of the coin. One query.

    `but` is an attempt without a fill that does not count, unless it ended before `kept.until`.
    """
    rest = _sent(venue)
    if kept.until is not None:
        rest = rest.filter(Q(ended_at__gt=kept.until) | UNDECIDED)
    if but is not None:
        rest = rest.exclude(pk=but.pk)
    return _join(kept.by_coin, _sum_up(rest))


def _sent(venue: str) -> QuerySet[Attempt]:
    """Select all attempts that were sent to a venue. Those from before venues were recorded count at every venue."""
    return Attempt.objects.filter(venue__in=here_or_before(venue), signed_at__isnull=False)


def _sum_up(attempts: QuerySet[Attempt]) -> PurchasesByCoin:
    rows = (
        attempts.order_by()
        .values("coin_id")
        .annotate(
            received=Sum(F("executed") - F("commission"), filter=_FILLED),
            costs=Sum("cost", filter=_FILLED),
            count=Count("pk", filter=_FILLED),
            undecided=Count("pk", filter=UNDECIDED),
            last_ended=Max("ended_at"),
        )
    )
    return {
        row["coin_id"]: Purchases(
            received=row["received"] or _NOTHING,
            cost=row["costs"] or _NOTHING,
            count=row["count"],
            was_sent=True,
            undecided=row["undecided"],
            last_ended=row["last_ended"],
        )
        for row in rows
    }


def _join(some: PurchasesByCoin, others: PurchasesByCoin) -> PurchasesByCoin:
    nothing = Purchases()
    return {coin: some.get(coin, nothing).plus(others.get(coin, nothing)) for coin in {**some, **others}}
