"""Reading prices from the exchange."""

import logging
from datetime import datetime

from django.db import connection

from settlement.exchanges.protocol import Exchange
from trading.models import Coin
from trading.services.prices import record_price

logger = logging.getLogger(__name__)


def refresh_prices(*, exchange: Exchange, source: str, now: datetime) -> None:
    """Take in the venue's last price of every coin whose price is not fixed. Raises ExchangeAway."""
    coins = list(Coin.objects.filter(is_sold=True, fixed_price=None))
    if not coins:
        return
    connection.close()  # the venue may take its time
    prices = exchange.read_prices(coins=[coin.name for coin in coins])
    for coin in coins:
        if coin.name in prices:
            record_price(coin=coin, value=prices[coin.name], source=source, now=now)
        else:
            logger.warning("%s has no price at the exchange", coin)
