"""Reads what a customer's wallets did in a month, and what they held at its end. Months are of UTC."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Case, DecimalField, F, Q, QuerySet, Sum, When

from wallets.models import Transaction, Wallet
from wallets.money import USD

_AT_ONCE: Final = 1000
_NOTHING: Final = Decimal(0)
_LATE: Final = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Month:
    """A month: when it begins and ends, and whether nothing more can be booked in it.

    That is so a minute after its end: what was booked in its last moment has committed by then.
    """

    begins_at: datetime
    ends_at: datetime
    is_final: bool


def month_of(*, year: int, month: int, now: datetime) -> Month:
    """Return a month, as it is known now."""
    begins_at = datetime(year, month, 1, tzinfo=UTC)
    ends_at = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return Month(begins_at=begins_at, ends_at=ends_at, is_final=now >= ends_at + _LATE)


@dataclass(frozen=True, kw_only=True)
class DollarMonth:
    """US dollars before a month, that came and went in it, and after it: opening + incoming - outgoing = closing.

    `last` is the place (time and id) of the last movement; None without any.
    """

    wallet_id: int | None
    opening: Decimal
    incoming: Decimal
    outgoing: Decimal
    last: tuple[datetime, int] | None

    @property
    def closing(self) -> Decimal:
        """The balance after the month, or now if it has not ended."""
        return self.opening + self.incoming - self.outgoing


def sum_dollars(*, customer_id: int, month: Month) -> DollarMonth:
    """Sum up a customer's dollar movements of a month. Four queries."""
    wallet_id = Wallet.objects.filter(owner_id=customer_id, asset=USD).values_list("pk", flat=True).first()
    every = Transaction.objects.filter(customer_id=customer_id, asset=USD)
    before = every.filter(created_at__lt=month.begins_at).order_by("-created_at", "-id").first()
    within = every.filter(created_at__gte=month.begins_at, created_at__lt=month.ends_at)
    last = within.order_by("-created_at", "-id").first()
    place = (last.created_at, last.pk) if last else None
    sums = _until(within, place).aggregate(
        incoming=Sum(_amount_if(Q(destination_id=wallet_id))), outgoing=Sum(_amount_if(Q(source_id=wallet_id)))
    )
    return DollarMonth(
        wallet_id=wallet_id,
        opening=(before.balance_after if before else None) or _NOTHING,
        incoming=sums["incoming"] or _NOTHING,
        outgoing=sums["outgoing"] or _NOTHING,
        last=place,
    )


def follow_dollars(*, customer_id: int, month: Month, dollars: DollarMonth) -> Iterator[list[Transaction]]:
    """Yield the movements that were summed up, some at a time, oldest first. Between them no statement runs."""
    within = Transaction.objects.filter(
        customer_id=customer_id, asset=USD, created_at__gte=month.begins_at, created_at__lt=month.ends_at
    )
    rows = _until(within, dollars.last).order_by("created_at", "id")
    piece = list(rows[:_AT_ONCE]) if dollars.last else []
    while piece:
        yield piece
        after_at, after_id = piece[-1].created_at, piece[-1].pk
        later = rows.filter(Q(created_at__gt=after_at) | Q(id__gt=after_id), created_at__gte=after_at)
        piece = list(later[:_AT_ONCE])


def sum_coins(*, customer_id: int, before: datetime) -> dict[str, Decimal]:
    """Return the coins that a customer held at a moment, by name; none that they had none of. Three queries."""
    names = dict(Wallet.objects.filter(owner_id=customer_id).exclude(asset=USD).values_list("pk", "asset"))
    moved = Transaction.objects.filter(created_at__lt=before).order_by()
    came = moved.filter(destination_id__in=names).values_list("destination_id").annotate(total=Sum("amount"))
    went = dict(moved.filter(source_id__in=names).values_list("source_id").annotate(total=Sum("amount")))
    held = {names[wallet]: total - went.get(wallet, _NOTHING) for wallet, total in came}
    return {name: amount for name, amount in sorted(held.items()) if amount > 0}


def _until(rows: QuerySet[Transaction], place: tuple[datetime, int] | None) -> QuerySet[Transaction]:
    if place is None:
        return rows
    return rows.filter(Q(created_at__lt=place[0]) | Q(id__lte=place[1]), created_at__lte=place[0])


def _amount_if(condition: Q) -> Case:
    return Case(When(condition, then=F("amount")), output_field=DecimalField(max_digits=38, decimal_places=8))
