"""One exchange a thread, built on first use."""

import threading

from settlement.exchanges.protocol import Exchange

_of_thread = threading.local()


def get_exchange() -> Exchange:
    """Return the thread's own connection to the configured exchange.

    ccxt is loaded here, and so only in processes that settle: it takes a third of a second and 75 MiB.
    """
    from settlement.exchanges.ccxt_exchange import CcxtExchange

    if not hasattr(_of_thread, "exchange"):
        _of_thread.exchange = CcxtExchange()
    exchange: Exchange = _of_thread.exchange
    return exchange
