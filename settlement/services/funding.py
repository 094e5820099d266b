"""The float: what the venue's account can pay, read at the venue and set aside by open attempts of all coins.

The account's row is locked last, after the coin's inventory and the batch, and only until the attempt that sets funds
aside is committed. An attempt gives its budget back by ending. Without a reading that is new enough nothing is known:
then purchases have no budget, and the venue's refusal pauses buying as before.
"""

import logging
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_UP, Context, Decimal
from typing import Final

from django.conf import settings
from django.db.models import Case, F, When

from settlement.models import FORGOTTEN_AFTER, Attempt, Batch, VenueAccount
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


def record_funds(*, free: Decimal, read_at: datetime) -> None:
    """Record what the venue's account could spend at `read_at`, in the quote asset, unless a newer reading is known."""
    account = {"venue": settings.VENUE.id, "asset": settings.VENUE.quote_asset}
    if not VenueAccount.objects.filter(**account, read_at__lt=read_at).update(free=free, read_at=read_at):
        VenueAccount.objects.get_or_create(**account, defaults={"free": free, "read_at": read_at})


def read_available(*, now: datetime) -> Decimal | None:
    """Return the US dollars that the account can still pay, at least 0; None without a reading that is new enough."""
    row = sql.fetch_one(
        "settlement.available_funds",
        venue=settings.VENUE.id,
        asset=settings.VENUE.quote_asset,
        since=now - settings.SETTLEMENT.float_max_age,
    )
    return None if row is None else max(Decimal(row[0]), Decimal(0))


def read_float() -> Decimal | None:
    """Return what the account had when it was last read, less what purchases have cost that ended since; at least 0.

    None if it was never read. The reading may be of any age. Budgets of open attempts are not subtracted. One query.
    """
    row = sql.fetch_one("settlement.unspent_funds", venue=settings.VENUE.id, asset=settings.VENUE.quote_asset)
    return None if row is None else max(Decimal(row[0]), Decimal(0))


def payable_subtotal(*, available: Decimal) -> Decimal:
    """Return the largest subtotal of orders whose purchase costs at most `available`, rounded down to the cent."""
    return _ROUNDED_DOWN.quantize(_ROUNDED_DOWN.divide(available, _cost_of_a_dollar()), _CENT)


def set_aside(*, batch: Batch, still_open: SettledOrders, now: datetime) -> tuple[Decimal | None, bool]:
    """Return the budget of the batch's next attempt (None: unknown), and whether it pays for at least one order.

    Takes the lock on the account until the end of the transaction, so that claims of other coins see the budget.
    """
    account = VenueAccount.objects.filter(venue=settings.VENUE.id, asset=settings.VENUE.quote_asset)
    # The sum needs a statement of its own: it must see attempts that were committed while the lock was waited for.
    if account.select_for_update(no_key=True).order_by("pk").values_list("pk").first() is None:
        return None, True
    available = read_available(now=now)
    if available is None:
        return None, True
    wanted = _wanted(batch, still_open)
    if wanted <= available:
        return min(wanted + settings.SETTLEMENT.max_top_up, available), True
    fitting = _fitting(batch, still_open=still_open, budget=available)
    return available, bool(fitting.count) and available > 0


def sum_affordable_orders(*, attempt: Attempt, comparison: Comparison, price: Decimal | None = None) -> SettledOrders:
    """Sum up the batch's open orders that the attempt's budget can pay: whole orders, the oldest first.

    Their lowest price, and the number of those that the comparison finds, are of all open orders. With `price`, the
    orders that may not be bought at this limit are left out everywhere, and none may remain.
    """
    still_open = sum_open_orders(batch_id=attempt.batch_id, comparison=comparison, price=price)
    if attempt.budget is None or not still_open.count:
        return still_open
    if _wanted(attempt.batch, still_open) <= attempt.budget:
        return still_open
    fitting = _fitting(attempt.batch, still_open=still_open, budget=attempt.budget, price=price)
    if fitting.count or price is not None:
        return replace(fitting, lowest_price=still_open.lowest_price, moved=still_open.moved)
    return still_open  # the settings have changed since: leave it to the venue


def note_shortage(*, coin_id: int, charge: Decimal, now: datetime) -> None:
    """Record that the account could not pay coins sold for `charge` US dollars. The to-do page shows it."""
    account = VenueAccount.objects.filter(venue=settings.VENUE.id, asset=settings.VENUE.quote_asset)
    account.update(
        short_since=Case(When(short_at__gt=now - FORGOTTEN_AFTER, then=F("short_since")), default=now),
        short_at=now,
        short_of=charge,
        short_coin_id=coin_id,
    )


def is_short_of_funds(*, now: datetime) -> bool:
    """Say whether a claim has lately found an order that the account cannot pay."""
    return VenueAccount.objects.filter(venue=settings.VENUE.id, short_at__gt=now - FORGOTTEN_AFTER).exists()


def look_again_later(*, coin_id: int) -> None:
    """Request a claim for orders that wait for funds or for their batch's next turn."""
    jobs.request_claim(coin_id=coin_id, delay_seconds=_LOOK_AGAIN_SECONDS)


def _wanted(batch: Batch, still_open: SettledOrders) -> Decimal:
    """Return the most that the coins which the batch lacks may cost, rounded up."""
    subtotal = still_open.subtotal - _worth_of_reserve(batch, still_open)
    return _ROUNDED_UP.quantize(_ROUNDED_UP.multiply(subtotal, _cost_of_a_dollar()), _SMALLEST) + _SMALLEST


def _fitting(
    batch: Batch, *, still_open: SettledOrders, budget: Decimal, price: Decimal | None = None
) -> SettledOrders:
    most = payable_subtotal(available=budget) + _worth_of_reserve(batch, still_open)
    return sum_fitting_orders(batch_id=batch.pk, most=most, price=price)


def _worth_of_reserve(batch: Batch, still_open: SettledOrders) -> Decimal:
    """Return what the coins that the batch already holds are worth, at its orders' average price."""
    held = min(batch.reserved, still_open.amount)
    return _ROUNDED_DOWN.divide(_ROUNDED_DOWN.multiply(still_open.subtotal, held), still_open.amount)


def _cost_of_a_dollar() -> Decimal:
    """Return the most that a purchase may cost for each US dollar of its orders' subtotals."""
    return (1 + settings.SETTLEMENT.max_loss) / (1 - settings.VENUE.taker_rate)
