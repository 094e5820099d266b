"""Read our account at the venue."""

from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from django.conf import settings

from settlement.venues.ccxt.answers import read_decimal
from settlement.venues.ccxt.client import ensure_clock
from settlement.venues.ccxt.errors import questions
from settlement.venues.ccxt.markets import use_markets
from settlement.venues.protocol import VenueAway

_LARGEST: Final = Decimal(10) ** 20


def read_funds(client: Any) -> Decimal:
    """Return the free balance of the quote asset. Raises VenueAway for no answer and for no plausible number.

    An answer without the asset is no balance of zero: it may be an answer of somebody else.
    """
    use_markets(client)
    ensure_clock(client)
    with questions():
        free = read_decimal(client.fetch_balance()[settings.VENUE.quote_asset]["free"])
    if free is None or not 0 <= free <= _LARGEST:
        raise VenueAway(f"no balance of {settings.VENUE.quote_asset}")
    return free.quantize(Decimal("0.00000001"), rounding=ROUND_DOWN)
