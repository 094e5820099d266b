"""Binance.

Sources, all of the spot REST API documentation: "New order", "Query order", "Account trade list", "All orders",
"Account information", "Query Commission Rates", "Error codes for Binance", "Filters", "IP limits"; and for the time of
prices "24hr ticker price change statistics": its `closeTime` is the end of the statistics, not the last trade.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from settlement.venues.profiles.dialects.binance import BinanceDialect, may_trade, taker_rate_in
from settlement.venues.profiles.dialects.binance_refusals import REFUSALS
from settlement.venues.profiles.reading import as_dict
from settlement.venues.profiles.refusals import Meaning
from settlement.venues.profiles.words import AccountTerms, Call, Market, Wire


class _Binance(BinanceDialect):
    name = "binance"
    has_sandbox = True
    quote_time = "timestamp"  # closeTime
    refusals = replace(
        REFUSALS,
        # the answer to calls from a country that Binance does not serve, with the status 451 and no code
        messages={**REFUSALS.messages, "Service unavailable from a restricted location": Meaning.VENUE},
    )
    client_options: ClassVar[Mapping[str, Any]] = {"fetchMargins": False}
    weights: ClassVar[Mapping[str, float]] = {
        "place": 0.2,
        "query": 0.8,
        "allOrders": 4,
        "myTrades": 4,
        "account": 4,
    }

    def read_terms(self, wire: Wire, *, market: Market) -> AccountTerms:
        """Read whether the account may trade, its rates, and whether commission is taken in BNB instead."""
        account = self.read_account(wire)
        call = Call(method="GET", path="account/commission", parameters={"symbol": market.market_id}, weight=4)
        terms = as_dict(wire.ask(call))
        kinds = ("standardCommission", "specialCommission", "taxCommission")
        discount = as_dict(terms.get("discount") or {})
        takes_third = discount.get("enabledForAccount") is True and discount.get("enabledForSymbol") is True
        return AccountTerms(
            can_trade=may_trade(account),
            taker_rate=taker_rate_in(*(as_dict(terms.get(kind) or {}) for kind in kinds)),
            third_asset=str(discount.get("discountAsset", "")) if takes_third else "",
        )


BINANCE: Final = _Binance()
