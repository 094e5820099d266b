"""Read what our books say that our account at a venue holds."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db.models import Count, Exists, F, OuterRef, QuerySet, Sum

from settlement.figures import PLACES, add, round_quantity, subtract
from settlement.models import (
    AccountMove,
    AccountMoveKind,
    Attempt,
    BalanceReading,
    Excess,
    VenueEntry,
    here_or_before,
)
from settlement.selectors.purchases import NO_SUMS, KeptSums, Purchases, sum_up_all
from settlement.venues.configured import quote_asset_of
from trading.models import Coin

_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class AssetBook:
    """What the books say about one asset of the account. `opening` is None until there is one.

    `bought` are the coins that purchases brought, or minus what they cost. `was_sent`: a purchase was ever sent.
    `undecided` counts those whose outcome is not known, and `last_ended` is when the last of the others ended.
    `is_quote`: the asset pays for purchases there.
    """

    asset: str
    is_quote: bool = False
    opening: Decimal | None = None
    moved: Decimal = _NOTHING
    bought: Decimal = _NOTHING
    purchases: int = 0
    was_sent: bool = False
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


def read_asset_books(*, venue: str, kept: KeptSums = NO_SUMS, but: Attempt | None = None) -> dict[str, AssetBook]:
    """Return the books of all coins and of the quote asset at a venue, by asset.

    Without `kept`, every purchase is read. `but` is an attempt whose own doubt or end does not count. Attempts from
    before venues were recorded count at every venue: they are a constant there, which the opening takes in.
    """
    names = dict(Coin.objects.order_by("name").values_list("pk", "name"))
    coins = {name: AssetBook(asset=name) for name in names.values()}
    quote = AssetBook(asset=quote_asset_of(venue), is_quote=True)
    for coin_id, purchases in [*sum_up_all(venue=venue, kept=kept, but=but).items(), *_sum_excesses(venue)]:
        name = names[coin_id]
        coins[name] = _add_purchases(coins[name], purchases, bought=purchases.received)
        quote = _add_purchases(quote, purchases, bought=-purchases.cost)
    return _with_moves(venue, {**coins, quote.asset: quote})


def list_unopened() -> QuerySet[BalanceReading]:
    """Return the latest readings of assets that have no opening yet, at the venues that have rows."""
    opened = AccountMove.objects.filter(venue=OuterRef("venue"), asset=OuterRef("asset"), kind=AccountMoveKind.OPENING)
    readings = BalanceReading.objects.filter(venue__in=VenueEntry.objects.values("name"), proposed__isnull=False)
    return readings.exclude(Exists(opened)).order_by("venue", "asset")


def has_begun(*, venue: str) -> bool:
    """Say whether the comparison at a venue has begun, with an opening of any asset."""
    return AccountMove.objects.filter(venue=venue, kind=AccountMoveKind.OPENING).exists()


def has_opening(*, venue: str, asset: str) -> bool:
    """Say whether an asset has its opening at a venue."""
    return AccountMove.objects.filter(venue=venue, asset=asset, kind=AccountMoveKind.OPENING).exists()


def _sum_excesses(venue: str) -> list[tuple[int, Purchases]]:
    """Return by coin what came beyond requests: it counts like further fills."""
    here = Excess.objects.filter(attempt__venue__in=here_or_before(venue)).values_list("attempt__coin_id")
    sums = here.annotate(received=Sum(F("quantity") - F("commission")), cost=Sum("cost"), count=Count("pk"))
    return [(coin_id, Purchases(received=got, cost=cost, count=count)) for coin_id, got, cost, count in sums]


def _add_purchases(book: AssetBook, purchases: Purchases, *, bought: Decimal) -> AssetBook:
    ends = [end for end in (book.last_ended, purchases.last_ended) if end]
    return replace(
        book,
        bought=add([book.bought, bought]),
        purchases=book.purchases + purchases.count,
        was_sent=book.was_sent or purchases.was_sent,
        undecided=book.undecided + purchases.undecided,
        last_ended=max(ends, default=None),
    )


def _with_moves(venue: str, books: dict[str, AssetBook]) -> dict[str, AssetBook]:
    moves = AccountMove.objects.filter(venue=venue).values_list("asset", "kind")
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
