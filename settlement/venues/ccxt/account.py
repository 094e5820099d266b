"""Read our account at the venue."""

import logging
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from django.conf import settings

from settlement.told import in_words
from settlement.venues.ccxt.answers import read_decimal
from settlement.venues.ccxt.client import ensure_clock
from settlement.venues.ccxt.errors import questions
from settlement.venues.ccxt.markets import use_markets
from settlement.venues.protocol import VenueAway

logger = logging.getLogger(__name__)

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


def read_balances(client: Any) -> dict[str, Decimal]:
    """Return what the account holds of each asset that the answer names, free or locked, not rounded.

    An amount that is negative, no number or absurdly large is left out and logged. Raises VenueAway.
    """
    use_markets(client)
    ensure_clock(client)
    with questions():
        total = client.fetch_balance()["total"]
    if not isinstance(total, dict):
        raise VenueAway("balances that cannot be read")
    held = {str(asset): read_decimal(amount) for asset, amount in total.items()}
    believed = {asset: amount for asset, amount in held.items() if amount is not None and 0 <= amount <= _LARGEST}
    for asset in sorted(held.keys() - believed.keys()):
        logger.error(
            "the venue names a balance of %s that cannot be believed: %s", in_words(asset), in_words(total[asset])
        )
    return believed
