"""Binance.US, a venue of its own that runs Binance's interface, with its own documentation.

Sources, all of the REST API documentation of Binance.US: "New order", "Test new order", "Query order", "Account trade
list", "All orders", "Account information", "Error codes", "Filters", "Limits" and "Timing security".
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from settlement.venues.profiles.dialects.binance import BinanceDialect, may_trade, taker_rate_in
from settlement.venues.profiles.reading import as_dict
from settlement.venues.profiles.words import AccountTerms, Market, Wire


class _BinanceUs(BinanceDialect):
    name = "binanceus"
    quote_time = "timestamp"  # closeTime
    weights: ClassVar[Mapping[str, float]] = {"place": 1, "query": 2, "allOrders": 10, "myTrades": 10, "account": 10}

    def read_terms(self, wire: Wire, *, market: Market) -> AccountTerms:
        """Read whether the account may trade, and our taker rate. Fees in a third asset are not told before a trade."""
        del market
        account = self.read_account(wire)
        rates = as_dict(account.get("commissionRates") or {})
        return AccountTerms(can_trade=may_trade(account), taker_rate=taker_rate_in(rates))


BINANCEUS: Final = _BinanceUs()
