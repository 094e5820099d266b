"""Read what our books say that the account at the venue holds."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, F, Max, Q, QuerySet, Sum

from settlement.figures import PLACES, add, round_quantity, subtract
from settlement.models import UNDECIDED, AccountMove, AccountMoveKind, Attempt, AttemptState, BalanceReading, Excess
from trading.models import Coin

_FILLED: Final = Q(state=AttemptState.FILLED)
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class AssetBook:
    """What the books say about one asset of the account. `opening` is None until there is one.

    `bought` are the coins that purchases brought, or minus what they cost. `sent` counts the purchases that were ever
    sent, `undecided` those whose outcome is not known, and `last_ended` is when the last of the others ended.
    """

    asset: str
    opening: Decimal | None = None
    moved: Decimal = _NOTHING
    bought: Decimal = _NOTHING
    purchases: int = 0
    sent: int = 0
    undecided: int = 0
    last_ended: datetime | None = None

    @property
    def explained(self) -> Decimal:
        """What purchases and moves explain, without the opening."""
        return add([self.bought, self.moved])

    @property
    def expected(self) -> Decimal | None:
        return None if self.opening is None else add([self.opening, self.explained])

    def was_busy(self, *, since: datetime) -> bool:
        """Say whether a purchase is undecided, or has ended since `since` or within the margin before it.

        The margin is there because the venue's reads lag.
        """
        if self.undecided:
            return True
        return self.last_ended is not None and self.last_ended >= since - settings.SETTLEMENT.not_found_margin


def read_asset_books(*, but: Attempt | None = None) -> dict[str, AssetBook]:
    """Return the books of all coins and of the quote asset at the configured venue, by asset. Three queries.

    `but` is an attempt whose own doubt or end does not count. Attempts from before venues were recorded count at every
    venue: they are a constant there, which the opening takes in.
    """
    coins = {name: AssetBook(asset=name) for name in Coin.objects.order_by("name").values_list("name", flat=True)}
    quote = AssetBook(asset=settings.VENUE.quote_asset)
    for row in _sum_attempts(but=but):
        coins[row["name"]] = _add_purchases(coins[row["name"]], row, bought=row["received"])
        quote = _add_purchases(quote, row, bought=-(row["cost"] or _NOTHING))
    for row in _sum_excesses():
        coins[row["name"]] = _add_purchases(coins[row["name"]], row, bought=row["received"])
        quote = _add_purchases(quote, row, bought=-row["cost"])
    return _with_moves({**coins, quote.asset: quote})


def list_unopened() -> QuerySet[BalanceReading]:
    """Return the latest readings at the configured venue of assets that have no opening yet."""
    opened = AccountMove.objects.filter(venue=settings.VENUE.id, kind=AccountMoveKind.OPENING)
    readings = BalanceReading.objects.filter(venue=settings.VENUE.id, proposed__isnull=False)
    return readings.exclude(asset__in=opened.values("asset")).order_by("asset")


def has_begun() -> bool:
    """Say whether the comparison at the configured venue has begun, with an opening of any asset."""
    return AccountMove.objects.filter(venue=settings.VENUE.id, kind=AccountMoveKind.OPENING).exists()


def has_opening(*, asset: str) -> bool:
    """Say whether an asset has its opening at the configured venue."""
    opened = AccountMove.objects.filter(venue=settings.VENUE.id, kind=AccountMoveKind.OPENING)
    return opened.filter(asset=asset).exists()


def _sum_attempts(*, but: Attempt | None) -> Iterable[Any]:
    sent, undecided = Q(signed_at__isnull=False), UNDECIDED
    if but is not None:
        sent, undecided = sent & ~Q(pk=but.pk), undecided & ~Q(pk=but.pk)
    here = Attempt.objects.filter(venue__in=[settings.VENUE.id, ""])
    return here.values(name=F("coin__name")).annotate(
        received=Sum(F("executed") - F("commission"), filter=_FILLED),
        cost=Sum("cost", filter=_FILLED),
        purchases=Count("pk", filter=_FILLED),
        sent=Count("signed_at"),
        undecided=Count("pk", filter=undecided),
        last_ended=Max("ended_at", filter=sent),
    )


def _sum_excesses() -> Iterable[Any]:
    here = Excess.objects.filter(attempt__venue__in=[settings.VENUE.id, ""])
    return here.values(name=F("attempt__coin__name")).annotate(
        received=Sum(F("quantity") - F("commission")), cost=Sum("cost"), purchases=Count("pk")
    )


def _add_purchases(book: AssetBook, row: Any, *, bought: Decimal | None) -> AssetBook:
    ends = [end for end in (book.last_ended, row.get("last_ended")) if end]
    return replace(
        book,
        bought=add([book.bought, bought or _NOTHING]),
        purchases=book.purchases + row["purchases"],
        sent=book.sent + row.get("sent", 0),
        undecided=book.undecided + row.get("undecided", 0),
        last_ended=max(ends, default=None),
    )


def _with_moves(books: dict[str, AssetBook]) -> dict[str, AssetBook]:
    moves = AccountMove.objects.filter(venue=settings.VENUE.id).values_list("asset", "kind")
    for asset, kind, amount in moves.annotate(total=Sum("amount")):
        if asset not in books:
            continue  # booked for another quote asset
        if kind == AccountMoveKind.OPENING:
            books[asset] = replace(books[asset], opening=amount)
        else:
            books[asset] = replace(books[asset], moved=amount)
    return books


def difference_of(*, book: AssetBook, amount: Decimal) -> Decimal | None:
    """Return what the venue says (not rounded) less what the books say, or None without an opening.

    Books are rounded against the house, by at most two units of the eighth place a purchase. So a venue whose amounts
    have more places than eight may hold that much more.
    """
    if book.expected is None:
        return None
    difference = subtract(amount, book.expected)
    most = (2 * book.purchases + 1) * PLACES
    if amount != round_quantity(amount) and 0 <= difference < most:
        return _NOTHING
    return subtract(round_quantity(amount), book.expected)
