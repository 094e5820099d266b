"""Answers about orders and trades ("New order", "Query order", "Cancel order", "Account trade list", Binance)."""

from collections.abc import Mapping
from typing import Any, Final

from exchange_site.simulator.numbers import text

Row = Mapping[str, Any]

_NO_LIST: Final = -1


def acknowledge(row: Row) -> dict[str, Any]:
    """Return the shortest answer to a new order (ACK)."""
    return {
        "symbol": row["symbol"],
        "orderId": row["id"],
        "orderListId": _NO_LIST,
        "clientOrderId": row["client_id"],
        "transactTime": row["time"],
    }


def tell_result(row: Row) -> dict[str, Any]:
    """Return the answer to a new order without its trades (RESULT)."""
    return {**acknowledge(row), **_figures(row), "workingTime": row["time"]}


def tell_fully(row: Row) -> dict[str, Any]:
    """Return the answer to a new order with its trades (FULL)."""
    fills = [
        {
            "price": text(trade["price"]),
            "qty": text(trade["quantity"]),
            "commission": text(trade["commission"]),
            "commissionAsset": trade["commission_asset"],
            "tradeId": trade["id"],
        }
        for trade in row["trades"]
    ]
    return {**tell_result(row), "fills": fills}


def describe_order(row: Row) -> dict[str, Any]:
    """Return an order as a query or a list tells it."""
    return {
        "symbol": row["symbol"],
        "orderId": row["id"],
        "orderListId": _NO_LIST,
        "clientOrderId": row["client_id"],
        **_figures(row),
        "stopPrice": text("0"),
        "icebergQty": text("0"),
        "time": row["time"],
        "updateTime": row["time"],
        "isWorking": True,
        "workingTime": row["time"],
    }


def describe_cancelled(row: Row, *, cancel_id: str, now: int) -> dict[str, Any]:
    """Return an order that was cancelled by a request with an id of its own."""
    ids = {"origClientOrderId": row["client_id"], "clientOrderId": cancel_id, "transactTime": now}
    return {**acknowledge(row), **_figures(row), **ids}


def describe_own_trade(row: Row) -> dict[str, Any]:
    """Return a trade as the account's list tells it."""
    return {
        "symbol": row["symbol"],
        "id": row["id"],
        "orderId": row["order_id"],
        "orderListId": _NO_LIST,
        "price": text(row["price"]),
        "qty": text(row["quantity"]),
        "quoteQty": text(row["quote"]),
        "commission": text(row["commission"]),
        "commissionAsset": row["commission_asset"],
        "time": row["time"],
        "isBuyer": row["side"] == "BUY",
        "isMaker": False,
        "isBestMatch": True,
    }


def _figures(row: Row) -> dict[str, Any]:
    return {
        "price": text(row["price"]),
        "origQty": text(row["quantity"]),
        "executedQty": text(row["executed"]),
        "origQuoteOrderQty": text("0"),
        "cummulativeQuoteQty": text(row["quote"]),
        "status": row["status"],
        "timeInForce": row["time_in_force"],
        "type": row["type"],
        "side": row["side"],
        "selfTradePreventionMode": "NONE",
    }
