"""Read prices from the venue."""

import logging
from datetime import datetime

from settlement.connections import release_database_connection
from settlement.selectors.pauses import find_call_ban
from settlement.services.pausing import pause_after_no_answer
from settlement.venues.protocol import Venue, VenueAway
from trading.models import Coin
from trading.services.prices import record_price

logger = logging.getLogger(__name__)


def refresh_prices(*, venue: Venue, source: str, now: datetime) -> None:
    """Record the venue's last price of every coin that is on sale without a fixed price.

    If the venue does not answer, the old prices stay. No coin is sold at a price older than PRICE_MAX_AGE.
    """
    coins = list(Coin.objects.filter(is_sold=True, fixed_price=None))
    if not coins or find_call_ban(now=now):
        return
    release_database_connection()
    try:
        prices = venue.read_prices(coins=[coin.name for coin in coins])
    except VenueAway as error:
        logger.warning("no prices: the venue does not answer: %s", error)
        if error.retry_after_seconds is not None:
            pause_after_no_answer(coin=None, error=error, now=now)
        return
    for coin in coins:
        if coin.name in prices:
            record_price(coin=coin, value=prices[coin.name], source=source, now=now)
        else:
            logger.warning("%s has no price at the venue", coin)
