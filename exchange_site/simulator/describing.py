"""Describe markets and their filters as exchangeInfo does ("Exchange information", "Filters", Binance)."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from exchange_site.simulator.markets import QUOTE_ASSET, Filters, base_of

PERMISSIONS: Final = ("SPOT",)
_ORDER_TYPES: Final = ("LIMIT", "LIMIT_MAKER", "MARKET")
_MOST: Final = Decimal(10) ** 13
"""What stands for a bound that is not set where a venue always names one."""


def describe(symbol: str, filters: Filters, *, status: str) -> dict[str, Any]:
    """Return the symbol's entry in exchangeInfo."""
    return {
        "symbol": symbol,
        "status": status,
        "baseAsset": base_of(symbol),
        "baseAssetPrecision": filters.quantity_places,
        "quoteAsset": QUOTE_ASSET,
        "quotePrecision": filters.price_places,
        "quoteAssetPrecision": filters.price_places,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(_ORDER_TYPES),
        **dict.fromkeys(("icebergAllowed", "ocoAllowed", "otoAllowed", "opoAllowed"), False),
        **dict.fromkeys(("quoteOrderQtyMarketAllowed", "allowTrailingStop", "cancelReplaceAllowed"), False),
        **dict.fromkeys(("amendAllowed", "pegInstructionsAllowed"), False),
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": list(_describe_filters(filters)),
        "permissions": [],
        "permissionSets": [list(PERMISSIONS)],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def _describe_filters(filters: Filters) -> Iterator[dict[str, Any]]:
    yield {
        "filterType": "PRICE_FILTER",
        "minPrice": f"{filters.price_minimum:f}",
        "maxPrice": f"{filters.price_maximum:f}",
        "tickSize": f"{filters.tick:f}",
    }
    yield {
        "filterType": "LOT_SIZE",
        "minQty": f"{filters.minimum:f}",
        "maxQty": f"{filters.maximum:f}",
        "stepSize": f"{filters.step:f}",
    }
    yield {
        "filterType": "MARKET_LOT_SIZE",
        "minQty": f"{filters.market_minimum:f}",
        "maxQty": f"{filters.market_maximum or filters.maximum:f}",
        "stepSize": f"{filters.market_step:f}",
    }
    yield {
        "filterType": "PERCENT_PRICE_BY_SIDE",
        "bidMultiplierUp": f"{filters.bid_multiplier_up or _MOST:f}",
        "bidMultiplierDown": f"{filters.bid_multiplier_down:f}",
        "askMultiplierUp": f"{filters.ask_multiplier_up or _MOST:f}",
        "askMultiplierDown": f"{filters.ask_multiplier_down:f}",
        "avgPriceMins": int(filters.average_minutes),
    }
    yield {
        "filterType": "NOTIONAL",
        "minNotional": f"{filters.notional:f}",
        "applyMinToMarket": True,
        "maxNotional": f"{filters.notional_maximum or _MOST:f}",
        "applyMaxToMarket": False,
        "avgPriceMins": int(filters.average_minutes),
    }
    if filters.max_orders:
        yield {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": int(filters.max_orders)}
    if filters.max_position:
        yield {"filterType": "MAX_POSITION", "maxPosition": f"{filters.max_position:f}"}
