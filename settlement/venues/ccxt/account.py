"""Read our account at the venue."""

import logging
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from settlement.figures import read_figure
from settlement.told import in_words
from settlement.venues.ccxt.listing import whole
from settlement.venues.ccxt.markets import use_markets
from settlement.venues.ccxt.reading import Reading
from settlement.venues.profiles.words import Holding
from settlement.venues.protocol import VenueAway

logger = logging.getLogger(__name__)

_LARGEST: Final = Decimal(10) ** 20


def read_funds(reading: Reading) -> Decimal:
    """Return the free balance of the quote asset. Raises VenueAway for no answer and for no plausible number.

    An answer without the asset is no balance of zero: it may be an answer of somebody else.
    """
    asset = reading.client.quote_asset
    found = [holding.free for name, holding in _read_holdings(reading) if name == asset]
    free = read_figure(found[0]) if len(found) == 1 else None
    if free is None or not 0 <= free <= _LARGEST:
        raise VenueAway(f"no balance of {asset}")
    return free.quantize(Decimal("0.00000001"), rounding=ROUND_DOWN)


def read_balances(reading: Reading) -> dict[str, Decimal]:
    """Return what the account holds of each asset that the answer names, free or locked, not rounded.

    An amount that is negative, no number or absurdly large is left out and logged. Raises VenueAway.
    """
    total = {name: holding.total for name, holding in _read_holdings(reading)}
    held = {asset: read_figure(amount) for asset, amount in total.items()}
    believed = {asset: amount for asset, amount in held.items() if amount is not None and 0 <= amount <= _LARGEST}
    for asset in sorted(held.keys() - believed.keys()):
        logger.error(
            "the venue names a balance of %s that cannot be believed: %s", in_words(asset), in_words(total[asset])
        )
    return believed


def _read_holdings(reading: Reading) -> list[tuple[str, Holding]]:
    """Return the account's holdings with our names of the assets. Raises VenueAway."""
    use_markets(reading.client)
    holdings = whole(lambda: reading.profile.read_balances(reading.wire))
    return [(_name_of(reading.client, holding.asset), holding) for holding in holdings]


def _name_of(client: Any, asset: str) -> str:
    return str(client.safe_currency_code(asset) or asset)
