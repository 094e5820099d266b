"""Write orders and trades as Kraken does ("Query Orders Info", "Query Trades Info")."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from exchange_site.simulator.book.matching import Book
from exchange_site.simulator.book.orders import OPEN_STATUSES
from exchange_site.simulator.book.terms import Terms
from exchange_site.simulator.kraken.ids import ORDER, TRADE, write_id
from exchange_site.simulator.kraken.names import Pair, pair_of
from exchange_site.simulator.levels import EIGHT_PLACES
from exchange_site.simulator.markets import QUOTE_ASSET

UNNAMED: Final = "kraken:"
"""The beginning of the client order id that the book needs for an order without one. No client can choose it."""
COST_DECIMALS: Final = 8
_STATUSES: Final = {"FILLED": "closed", **dict.fromkeys(OPEN_STATUSES, "open")}
_MOST_DECIMALS: Final = 10


def decimals_of(step: Decimal) -> int:
    """Return the number of decimal places of a step or tick; zero is no rule."""
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent) if step else _MOST_DECIMALS


def exact(figure: Decimal, *, decimals: int) -> str:
    """Write a figure with so many decimal places, or with more if it has more."""
    text = f"{figure:.{decimals}f}"
    return text if Decimal(text) == figure else f"{figure:f}"


def describe(*, side: str, volume: Decimal, pair: Pair, price: Decimal | None, decimals: int) -> str:
    """Return an order's description, as in `buy 1.25000000 XBTUSD @ limit 27500.0`."""
    kind = "market" if price is None else f"limit {price:.{decimals}f}"
    return f"{side.lower()} {volume:.8f} {pair.altname} @ {kind}"


def write_order(book: Book, row: Mapping[str, Any], *, with_trades: bool) -> dict[str, Any]:
    """Return an order as Kraken writes it, with the ids of its trades, or without."""
    terms, trades = terms_of(book, row), book.orders.trades(order_id=row["id"])
    pair, decimals = pair_of(row["symbol"], quote=terms.quote), price_decimals(book, row["symbol"])
    status = _STATUSES.get(row["status"], "canceled")
    executed, cost = Decimal(row["executed"]), Decimal(row["quote"])
    average = (cost / executed).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_DOWN) if executed else Decimal(0)
    fee = sum((fee_of(trade) for trade in trades), Decimal(0))
    written: dict[str, Any] = {
        "refid": None,
        "userref": terms.reference,
        "status": status,
        "opentm": seconds(row["time"]),
        "starttm": 0,
        "expiretm": 0,
        "descr": _write_description(row, pair, decimals=decimals),
        "vol": f"{Decimal(row['quantity']):.8f}",
        "vol_exec": f"{executed:.8f}",
        "cost": f"{cost:.{COST_DECIMALS}f}",
        "fee": f"{fee:.{COST_DECIMALS}f}",
        "price": f"{average:.{decimals}f}",
        "stopprice": f"{0:.{decimals}f}",
        "limitprice": f"{0:.{decimals}f}",
        "misc": "partial" if executed and status == "canceled" else "",
        "oflags": terms.flags,
    }
    if not row["client_id"].startswith(UNNAMED):
        written["cl_ord_id"] = row["client_id"]
    if status != "open":
        written |= {"closetm": seconds(row["closed_at"]), "reason": _reason(row)}
    if with_trades:
        written["trades"] = [write_id(TRADE, trade["id"]) for trade in trades]
    return written


def write_trade(book: Book, trade: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trade as Kraken writes it."""
    row = book.orders.get(trade["order_id"])
    pair, decimals = pair_of(row["symbol"], quote=terms_of(book, row).quote), price_decimals(book, row["symbol"])
    return {
        "ordertxid": write_id(ORDER, row["id"]),
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": pair.id,
        "time": seconds(trade["time"]),
        "type": row["side"].lower(),
        "ordertype": row["type"].lower(),
        "price": exact(Decimal(trade["price"]), decimals=decimals),
        "cost": f"{Decimal(trade['quote']):.{COST_DECIMALS}f}",
        "fee": f"{fee_of(trade):.{COST_DECIMALS}f}",
        "vol": f"{Decimal(trade['quantity']):.8f}",
        "margin": f"{0:.{COST_DECIMALS}f}",
        "leverage": "0",
        "misc": "",
        "trade_id": trade["id"],
        "maker": False,
    }


def fee_of(trade: Mapping[str, Any]) -> Decimal:
    """Return the commission of a trade in the quote asset, in which Kraken shows also one that the base asset pays.

    Source: "How to interpret Trades history fields", Kraken's help.
    """
    commission = Decimal(trade["commission"])
    if trade["commission_asset"] == QUOTE_ASSET:
        return commission
    return (commission * Decimal(trade["price"])).quantize(EIGHT_PLACES)


def terms_of(book: Book, row: Mapping[str, Any]) -> Terms:
    """Return the terms of an order. One of another dialect is shown on the pair against the book's quote asset."""
    return book.terms.get(row["id"]) or Terms(commission_asset=QUOTE_ASSET, quote=QUOTE_ASSET, flags="fciq")


def price_decimals(book: Book, symbol: str) -> int:
    """Return the number of decimal places of prices in a market, also in one that was taken off."""
    listed = book.listings.has(symbol)
    return decimals_of(book.listings.filters(symbol).tick) if listed else _MOST_DECIMALS


def seconds(milliseconds: int) -> float:
    """Return a moment in Kraken's unit."""
    return round(milliseconds / 1000, 4)


def page(rows: Sequence[dict[str, Any]], *, offset: int, size: int) -> Sequence[dict[str, Any]]:
    """Return one page of a list, which begins with the newest."""
    return rows[offset : offset + size]


def _write_description(row: Mapping[str, Any], pair: Pair, *, decimals: int) -> dict[str, str]:
    price = Decimal(row["price"]) if row["type"] == "LIMIT" else None
    quantity = Decimal(row["quantity"])
    return {
        "pair": pair.altname,
        "type": row["side"].lower(),
        "ordertype": row["type"].lower(),
        "price": "0" if price is None else f"{price:.{decimals}f}",
        "price2": "0",
        "leverage": "none",
        "order": describe(side=row["side"], volume=quantity, pair=pair, price=price, decimals=decimals),
        "close": "",
    }


def _reason(row: Mapping[str, Any]) -> str | None:
    return "User requested" if row["status"] == "CANCELED" else None
