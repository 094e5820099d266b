"""Compare what an account at a venue holds with what was bought there and not moved, asset by asset.

The ledger's inventory and the wallets of customers are not compared: coins that customers hold stay at the venue until
they are moved. No database connection is held during the call to the venue.

The venue and our books may see a purchase at different times. So a difference becomes a finding only after two
readings, minutes apart, that show the same difference with no purchase of that coin (for the quote asset: of any coin)
in flight between them. A balance that is missing or cannot be believed is no reading.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction

from settlement.clock import database_now
from settlement.figures import round_quantity, subtract
from settlement.models import BalanceReading, DatabaseWatch, Finding, FindingKind, PurchaseSum, current_venue
from settlement.selectors.balances import AssetBook, difference_of, has_begun, read_asset_books
from settlement.selectors.purchases import NO_SUMS, KeptSums, load_kept_sums, sum_up_ended
from settlement.services.account_moves import open_by_first_reading
from settlement.services.calling import call
from settlement.services.findings import Contradiction, raise_finding
from settlement.services.isolating import ItemFailed, run_each
from settlement.services.recognising import is_recognised
from settlement.told import digits
from settlement.venues.protocol import Venue, VenueAway
from trading.models import Coin
from wallets.runtime import sql

logger = logging.getLogger(__name__)

READINGS_APART: Final = timedelta(minutes=2)
"""Two readings that agree about a difference prove it if so much time is between them."""


@dataclass(kw_only=True)
class BalanceComparison:
    """`unread` names the balances that were not had, and `closed` counts findings whose difference is gone."""

    unread: set[str] = field(default_factory=set)
    closed: int = 0


def begin_comparing(*, venue: Venue) -> None:
    """Read the first balances of an installation that has bought nothing, so that their comparison begins by itself."""
    books = {} if has_begun(venue=venue.name) else read_asset_books(venue=venue.name)
    if books and not any(book.was_sent for book in books.values()):
        compare_balances(venue=venue)


def compare_balances(*, venue: Venue, from_the_start: bool = False) -> BalanceComparison:
    """Read the account's balances, record the readings, and raise and close findings.

    The comparison of an asset begins with its opening. One that was never bought gets it from its first reading; for
    others the reading proposes one, and staff book it. `from_the_start`: sum up all purchases anew. Safe to run at any
    time, and twice.
    """
    done = BalanceComparison()
    read_at = database_now()
    held = _read_balances(venue, now=read_at)
    if held is None:
        done.unread.add("balances")
        return done
    with transaction.atomic(durable=True):
        sql.execute("settlement.take_snapshot")
        books, summed = _read_books(venue.name, held, now=read_at, from_the_start=from_the_start)
    _keep_sums(venue.name, summed)

    def compare(asset: str) -> None:
        done.closed += _compare(venue.name, books[asset], _believe(books[asset], held), read_at=read_at)

    failed = run_each(what=_what(venue.name), items=list(books), run=compare, now=read_at)
    done.unread |= {f"balance of {asset}" for asset in failed}
    return done


def _what(venue: str) -> str:
    """Return the name of this work at a venue, for its failures; the first venue's as in the previous release."""
    return "balances" if venue == current_venue() else f"balances:{venue}"


def _read_books(
    venue: str, held: dict[str, Decimal], *, now: datetime, from_the_start: bool
) -> tuple[dict[str, AssetBook], KeptSums]:
    """Return the books of all assets, and the sums to keep.

    Kept sums prove no difference, and no opening is proposed by them: for these, all is summed up anew.
    """
    kept = NO_SUMS if from_the_start else load_kept_sums(venue=venue)
    summed = sum_up_ended(venue=venue, kept=kept, now=now)
    books = read_asset_books(venue=venue, kept=summed)
    has_no_opening = any(book.was_sent and book.opening is None for book in books.values())
    differs = any(difference_of(book=books[asset], amount=held[asset]) for asset in {*books} & {*held})
    if not from_the_start and (has_no_opening or differs):
        return _read_books(venue, held, now=now, from_the_start=True)
    return books, summed


@transaction.atomic
def _keep_sums(venue: str, sums: KeptSums) -> None:
    """Keep sums for the next comparison, unless the same or newer ones are kept already."""
    assert sums.until is not None
    kept = PurchaseSum.objects.select_for_update(no_key=True, of=("self",)).filter(venue=venue)
    if any(row.until >= sums.until for row in kept.order_by("coin_id")):
        return
    rows = [
        PurchaseSum(
            venue=venue,
            coin_id=coin_id,
            received=purchases.received,
            cost=purchases.cost,
            count=purchases.count,
            last_ended=purchases.last_ended,
            until=sums.until,
        )
        for coin_id, purchases in sorted(sums.by_coin.items())
    ]
    PurchaseSum.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["venue", "coin"],
        update_fields=["received", "cost", "count", "last_ended", "until"],
    )


def _read_balances(venue: Venue, *, now: datetime) -> dict[str, Decimal] | None:
    try:
        return call(venue=venue.name, read=venue.read_balances, now=now)
    except VenueAway as error:
        logger.warning("balances are not read: the venue does not answer: %s", error)
        return None


def _believe(book: AssetBook, held: dict[str, Decimal]) -> Decimal:
    """Return the balance of an asset. Raises ItemFailed if the venue says nothing about it that can be believed.

    A venue may leave out a coin of which the account holds nothing, but only if our books say so too.
    """
    if book.asset in held:
        return held[book.asset]
    is_nothing = not book.explained if book.expected is None else not book.expected
    if book.is_quote or not is_nothing:
        raise ItemFailed("the venue names no balance that can be believed")
    return Decimal(0)


@transaction.atomic
def _compare(venue: str, book: AssetBook, amount: Decimal, *, read_at: datetime) -> int:
    """Record a reading, and act on it. Return the number of closed findings. An older reading changes nothing."""
    if book.opening is None and not book.was_sent and DatabaseWatch.objects.filter(is_recognised()).exists():
        first = subtract(round_quantity(amount), book.explained)
        open_by_first_reading(venue=venue, asset=book.asset, amount=first, now=read_at)
        return 0
    reading = _record(venue, book, amount, read_at=read_at)
    if reading is None or reading.difference is None or reading.steady_since is None:
        return 0
    if not reading.difference:
        BalanceReading.objects.filter(pk=reading.pk).update(agreed_at=read_at)
        return _close(reading)
    if read_at - reading.steady_since >= READINGS_APART:
        _find(reading)
    return 0


def _record(venue: str, book: AssetBook, amount: Decimal, *, read_at: datetime) -> BalanceReading | None:
    """Write the reading over the one before, and return it; None if a newer one is known."""
    difference = difference_of(book=book, amount=amount)
    rounded = round_quantity(amount)
    reading = BalanceReading(
        venue=venue,
        asset=book.asset,
        amount=rounded,
        expected=None if difference is None else subtract(rounded, difference),
        difference=difference,
        proposed=subtract(rounded, book.explained) if difference is None else None,
        read_at=read_at,
    )
    reading.steady_since = None if book.was_busy(since=read_at) else read_at
    rows = BalanceReading.objects.filter(venue=reading.venue, asset=reading.asset)
    BalanceReading.objects.bulk_create([reading], ignore_conflicts=True)
    before = rows.select_for_update(no_key=True).get()
    if before.read_at > read_at:
        return None
    reading.pk, reading.agreed_at = before.pk, before.agreed_at
    if reading.steady_since is not None:
        reading.steady_since = _steady_since(before, reading, book)
    fields = ("amount", "expected", "difference", "proposed", "read_at", "steady_since")
    rows.update(**{name: getattr(reading, name) for name in fields})
    return reading


def _steady_since(before: BalanceReading, reading: BalanceReading, book: AssetBook) -> datetime:
    """Return since when all readings have shown the same, with no purchase between them. This one is quiet itself."""
    is_same = (before.difference is None) == (reading.difference is None) and before.shown == reading.shown
    if before.steady_since is None or not is_same or book.was_busy(since=before.steady_since):
        return reading.read_at
    return before.steady_since


def _find(reading: BalanceReading) -> None:
    """Raise a finding, unless staff have closed one about this difference and the books have not agreed since."""
    assert reading.expected is not None, "a constraint: there is a difference"
    subject = _subject(reading)
    known = Finding.objects.filter(kind=FindingKind.BALANCE, subject=subject, amount=reading.difference)
    known = known.filter(closed_by__isnull=False)
    if reading.agreed_at is not None:
        known = known.filter(closed_at__gte=reading.agreed_at)
    if known.exists():
        return
    contradiction = Contradiction(
        kind=FindingKind.BALANCE,
        subject=subject,
        ours=digits(reading.expected),
        theirs=digits(reading.amount),
        amount=reading.difference,
        coin=Coin.objects.filter(name=reading.asset).first(),
        venue=reading.venue,
    )
    raise_finding(contradiction=contradiction, now=reading.read_at)


def _close(reading: BalanceReading) -> int:
    subject = _subject(reading)
    open_ = Finding.objects.filter(kind=FindingKind.BALANCE, subject=subject, closed_at=None)
    closed = open_.filter(seen_at__lte=reading.read_at).update(closed_at=reading.read_at)
    if closed:
        logger.info("finding: the %s agrees again", subject)
    return closed


def _subject(reading: BalanceReading) -> str:
    return f"balance of {reading}"
