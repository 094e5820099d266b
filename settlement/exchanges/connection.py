"""One exchange a thread, built on first use."""

import logging
import threading

from settlement.exchanges.protocol import Exchange, ExchangeAway

logger = logging.getLogger(__name__)

_of_thread = threading.local()


def get_exchange() -> Exchange:
    """Return the thread's own connection to the configured exchange.

    ccxt is loaded here, and so only in processes that settle: it takes a third of a second and 75 MiB.
    """
    from settlement.exchanges.ccxt_exchange import CcxtExchange
    from settlement.exchanges.measured import MeasuredExchange

    if not hasattr(_of_thread, "exchange"):
        _of_thread.exchange = MeasuredExchange(CcxtExchange())
    exchange: Exchange = _of_thread.exchange
    return exchange


def load_markets() -> None:
    """Load ccxt and the venue's markets now, for all threads, and not during the first purchase."""
    try:
        get_exchange().read_prices(coins=[])
    except ExchangeAway as error:
        logger.warning("the exchange does not answer; its markets are loaded when they are needed: %s", error)
