"""The float: what a venue's account can pay, read at the venue and set aside by open attempts of all coins there.

The account's row is locked last, after the coin's inventory and the batch, and only until the attempt that sets funds
aside is committed. An attempt gives its budget back by ending. Without a reading that is new enough nothing is known:
then purchases have no budget, and the venue's refusal pauses buying as before.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_UP, Context, Decimal
from typing import Final

from django.conf import settings
from django.db.models import Case, F, When

from settlement.models import FORGOTTEN_AFTER, Attempt, Batch, VenueAccount
from settlement.venues.configured import quote_asset_of, taker_rate_of
from trading import jobs
from trading.price_moves import Comparison
from trading.services.settling import SettledOrders, sum_fitting_orders, sum_open_orders
from wallets.runtime import sql

logger = logging.getLogger(__name__)

_ROUNDED_DOWN: Final = Context(prec=60, rounding=ROUND_DOWN)
_ROUNDED_UP: Final = Context(prec=60, rounding=ROUND_UP)
_CENT: Final = Decimal("0.01")
_SMALLEST: Final = Decimal("0.00000001")
_LOOK_AGAIN_SECONDS: Final = 5.0


def record_funds(*, venue: str, free: Decimal, read_at: datetime) -> None:
    """Record what a venue's account could spend at `read_at`, in the quote asset, unless a newer reading is known."""
    account = {"venue": venue, "asset": quote_asset_of(venue)}
    if not VenueAccount.objects.filter(**account, read_at__lt=read_at).update(free=free, read_at=read_at):
        VenueAccount.objects.get_or_create(**account, defaults={"free": free, "read_at": read_at})


def read_available(*, venue: str, now: datetime) -> Decimal | None:
    """Return the US dollars that an account can still pay, at least 0; None without a reading that is new enough."""
    row = sql.fetch_one(
        "settlement.available_funds",
        venue=venue,
        asset=quote_asset_of(venue),
        since=now - settings.SETTLEMENT.float_max_age,
    )
    return None if row is None else max(Decimal(row[0]), Decimal(0))


def read_float(*, venue: str) -> Decimal | None:
    """Return what an account had when it was last read, less what purchases have cost that ended since; at least 0.

    None if it was never read. The reading may be of any age. Budgets of open attempts are not subtracted. One query.
    """
    row = sql.fetch_one("settlement.unspent_funds", venue=venue, asset=quote_asset_of(venue))
    return None if row is None else max(Decimal(row[0]), Decimal(0))


def sum_payable(*, venues: Iterable[str]) -> Decimal | None:
    """Return the subtotals of orders that the accounts can pay together, by their last readings, whatever their age.

    An account that was never read counts as empty; None if none was read. One query for each venue.
    """
    floats = {name: read_float(venue=name) for name in venues}
    known = [payable_subtotal(venue=name, available=held) for name, held in floats.items() if held is not None]
    return sum(known, Decimal(0)) if known else None


def payable_subtotal(*, venue: str, available: Decimal) -> Decimal:
    """Return the largest subtotal of orders whose purchase costs at most `available`, rounded down to the cent."""
    return _ROUNDED_DOWN.quantize(_ROUNDED_DOWN.divide(available, _cost_of_a_dollar(venue)), _CENT)


def set_aside(
    *, venue: str, batch: Batch, still_open: SettledOrders, now: datetime, most: Decimal | None = None
) -> tuple[Decimal | None, bool]:
    """Return the budget of the batch's next attempt (None: unknown), and whether it pays for at least one order.

    With `most`, the attempt may cost that much at most (US dollars), whatever the account has. Takes the lock on the
    account until the end of the transaction, so that claims of other coins see the budget.
    """
    account = VenueAccount.objects.filter(venue=venue, asset=quote_asset_of(venue))
    # The sum needs a statement of its own: it must see attempts that were committed while the lock was waited for.
    is_read = account.select_for_update(no_key=True).order_by("pk").values_list("pk").first() is not None
    available = lower_of(read_available(venue=venue, now=now) if is_read else None, most)
    if available is None:
        return None, True
    wanted = _wanted(batch, still_open, venue=venue)
    if wanted <= available:
        return min(wanted + settings.SETTLEMENT.max_top_up, available), True
    fitting = _fitting(batch, still_open=still_open, budget=available, venue=venue)
    return available, bool(fitting.count) and available > 0


def lower_of(available: Decimal | None, most: Decimal | None) -> Decimal | None:
    """Return the lower of two amounts; None stands for one that is not known, or has no limit."""
    known = [amount for amount in (available, most) if amount is not None]
    return min(known, default=None)


def sum_affordable_orders(*, attempt: Attempt, comparison: Comparison, price: Decimal | None = None) -> SettledOrders:
    """Sum up the batch's open orders that the attempt's budget can pay: whole orders, the oldest first.

    Their lowest price, and the number of those that the comparison finds, are of all open orders. With `price`, the
    orders that may not be bought at this limit are left out everywhere, and none may remain.
    """
    still_open = sum_open_orders(batch_id=attempt.batch_id, comparison=comparison, price=price)
    if attempt.budget is None or not still_open.count:
        return still_open
    if _wanted(attempt.batch, still_open, venue=attempt.place) <= attempt.budget:
        return still_open
    fitting = _fitting(attempt.batch, still_open=still_open, budget=attempt.budget, venue=attempt.place, price=price)
    if fitting.count or price is not None:
        return replace(fitting, lowest_price=still_open.lowest_price, moved=still_open.moved)
    return still_open  # the settings have changed since: leave it to the venue


def note_shortage(*, venue: str, coin_id: int, charge: Decimal, now: datetime) -> None:
    """Record that an account could not pay coins sold for `charge` US dollars. The to-do page shows it."""
    account = VenueAccount.objects.filter(venue=venue, asset=quote_asset_of(venue))
    account.update(
        short_since=Case(When(short_at__gt=now - FORGOTTEN_AFTER, then=F("short_since")), default=now),
        short_at=now,
        short_of=charge,
        short_coin_id=coin_id,
    )


def is_short_of_funds(*, now: datetime) -> bool:
    """Say whether a claim has lately found an order that no account can pay."""
    return VenueAccount.objects.filter(short_at__gt=now - FORGOTTEN_AFTER).exists()


def look_again_later(*, coin_id: int) -> None:
    """Request a claim for orders that wait for funds or for their batch's next turn."""
    jobs.request_claim(coin_id=coin_id, delay_seconds=_LOOK_AGAIN_SECONDS)


def _wanted(batch: Batch, still_open: SettledOrders, *, venue: str) -> Decimal:
    """Return the most that the coins which the batch lacks may cost, rounded up."""
    subtotal = still_open.subtotal - _worth_of_reserve(batch, still_open)
    return _ROUNDED_UP.quantize(_ROUNDED_UP.multiply(subtotal, _cost_of_a_dollar(venue)), _SMALLEST) + _SMALLEST


def _fitting(
    batch: Batch, *, still_open: SettledOrders, budget: Decimal, venue: str, price: Decimal | None = None
) -> SettledOrders:
    most = payable_subtotal(venue=venue, available=budget) + _worth_of_reserve(batch, still_open)
    return sum_fitting_orders(batch_id=batch.pk, most=most, price=price)


def _worth_of_reserve(batch: Batch, still_open: SettledOrders) -> Decimal:
    """Return what the coins that the batch already holds are worth, at its orders' average price."""
    held = min(batch.reserved, still_open.amount)
    return _ROUNDED_DOWN.divide(_ROUNDED_DOWN.multiply(still_open.subtotal, held), still_open.amount)


def _cost_of_a_dollar(venue: str) -> Decimal:
    """Return the most that a purchase may cost for each US dollar of its orders' subtotals."""
    return (1 + settings.SETTLEMENT.max_loss) / (1 - taker_rate_of(venue))
