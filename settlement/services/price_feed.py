"""Read prices from the venue."""

import logging
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final

from settlement.models import PRICE_READING
from settlement.services.calling import call
from settlement.services.isolating import ItemFailed, run_each
from settlement.told import digits
from settlement.venues.protocol import NoPrice, Venue, VenueAway
from trading.models import Coin
from trading.services.prices import record_price

logger = logging.getLogger(__name__)

_MISSING: Final = NoPrice("the venue gives no price")


def refresh_prices(*, venue: Venue, source: str, now: datetime) -> None:
    """Record the venue's last price of every coin that is on sale without a fixed price.

    A coin without a usable price keeps its old one, and the to-do page names it once that price is older than
    PRICE_MAX_AGE; the other coins go on. If the venue does not answer, all old prices stay. No coin is sold at a price
    older than PRICE_MAX_AGE.
    """
    coins = list(Coin.objects.filter(is_sold=True, fixed_price=None))
    if not coins:
        return
    names = [coin.name for coin in coins]
    try:
        prices = call(read=lambda: venue.read_prices(coins=names), now=now)
    except VenueAway as error:
        logger.warning("no prices: the venue does not answer: %s", error)
        return
    run_each(what=PRICE_READING, items=coins, run=partial(_record, prices=prices, source=source, now=now), now=now)


def _record(coin: Coin, *, prices: Mapping[str, Decimal | NoPrice], source: str, now: datetime) -> None:
    price = prices.get(coin.name, _MISSING)
    if isinstance(price, NoPrice):
        raise ItemFailed(price.reason)
    if not record_price(coin=coin, value=price, source=source, now=now):
        raise ItemFailed(f"a price of {digits(price)} cannot be used"[:200])
