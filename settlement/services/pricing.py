"""Reading prices from the exchange."""

import logging
from datetime import datetime

from settlement.exchanges.protocol import Exchange, ExchangeAway
from settlement.letting_go import let_go_of_the_database
from settlement.services.pausing import find_pause_of_calls, pause_for_silence
from trading.models import Coin
from trading.services.prices import record_price

logger = logging.getLogger(__name__)


def refresh_prices(*, exchange: Exchange, source: str, now: datetime) -> None:
    """Take in the venue's last price of every coin whose price is not fixed.

    When the venue does not answer, prices age; they are not sold at for longer than PRICE_MAX_AGE.
    """
    coins = list(Coin.objects.filter(is_sold=True, fixed_price=None))
    if not coins or find_pause_of_calls(now=now):
        return
    let_go_of_the_database()
    try:
        prices = exchange.read_prices(coins=[coin.name for coin in coins])
    except ExchangeAway as error:
        logger.warning("no prices: the exchange does not answer: %s", error)
        if error.retry_after_seconds is not None:
            pause_for_silence(coin=None, error=error, now=now)
        return
    for coin in coins:
        if coin.name in prices:
            record_price(coin=coin, value=prices[coin.name], source=source, now=now)
        else:
            logger.warning("%s has no price at the exchange", coin)
