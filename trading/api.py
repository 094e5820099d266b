"""Coins, orders and holdings over HTTP."""

from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Status

from trading.models import Order, OrderState
from trading.prices import LIST_KEY, Offer, get_offer, list_offers
from trading.schemas import (
    CoinAnswer,
    CoinDetailAnswer,
    CoinInPath,
    HoldingAnswer,
    OrderAnswer,
    OrderBody,
    OrderQuery,
)
from trading.selectors import (
    OrderFilters,
    get_order,
    list_orders,
    list_price_history,
    read_pool_totals,
    sum_costs,
)
from trading.services.orders import OrderRequest, cancel_order, place_order
from wallets.callers import AccessToken, Anybody, FreshAccessToken, caller, found_along
from wallets.http import (
    Answer,
    IdempotencyHeader,
    link_next,
    mark_replayed,
    refuse_unknown_parameters,
)
from wallets.idempotency import idempotency_key
from wallets.limits import ORDERS
from wallets.problems import ANYBODY, BODY, LIST, MONEY, SIGNED_IN, answers
from wallets.selectors import list_coin_balances

coins_router = Router(tags=["coins"])
orders_router = Router(tags=["orders"])
holdings_router = Router(tags=["accounts"], auth=FreshAccessToken())

HISTORY_POINTS = 50


@coins_router.get(
    "crypto-currencies/",
    auth=Anybody(along=[LIST_KEY]),
    operation_id="listCoins",
    summary="List coins and prices",
    **answers({200: list[CoinAnswer]}, *ANYBODY),
)
def coins(request: HttpRequest) -> list[Answer]:
    """The coins on sale, with their prices."""
    now = timezone.now()
    [cached] = found_along(request)
    return [_coin_fields(offer, now) for offer in list_offers(cached=cached)]


@coins_router.get(
    "crypto-currencies/{name}/",
    auth=Anybody(),
    operation_id="getCoin",
    summary="Look at a coin",
    **answers({200: CoinDetailAnswer}, *ANYBODY, "unknown_crypto"),
)
def one_coin(request: HttpRequest, name: CoinInPath) -> Answer:
    """One coin, with its limits and its recent price history."""
    offer = get_offer(name=name)
    return {
        **_coin_fields(offer, timezone.now()),
        "minimum": offer.minimum,
        "maximum": offer.maximum,
        "step": offer.step,
        "history": [
            {"price": reading.value, "at": reading.read_at}
            for reading in list_price_history(coin_id=offer.coin_id, limit=HISTORY_POINTS)
        ],
    }


def _coin_fields(offer: Offer, now: datetime) -> Answer:
    return {
        "name": offer.name,
        "title": offer.title,
        "price": offer.price,
        "price_at": offer.price_at,
        "price_source": offer.price_source or None,
        "is_available": offer.is_available(now=now),
    }


@orders_router.post(
    "",
    auth=AccessToken(limit=ORDERS),
    operation_id="placeOrder",
    summary="Buy a coin",
    **answers(
        {201: OrderAnswer},
        *BODY,
        *SIGNED_IN,
        *MONEY,
        "insufficient_funds",
        "unknown_crypto",
        "idempotency_key_reused",
        "below_minimum",
        "above_maximum",
        "price_unavailable",
    ),
)
def place(
    request: HttpRequest, response: HttpResponse, body: OrderBody, idempotency: IdempotencyHeader
) -> Status[Answer]:
    """Buys `amount` coins, or as many as `total` US dollars pay for. The wallet is debited at once; settlement follows.

    A small order is `aggregated`: it waits in its coin's pool. An unusual one is `held` until staff have looked at it.
    """
    wish = OrderRequest(
        crypto=body.crypto,
        amount=body.amount,
        total=body.total,
        key=idempotency_key(
            key=idempotency, request={"crypto": body.crypto, "amount": body.amount, "total": body.total}
        ),
    )
    placed = place_order(buyer=caller(request), request=wish, now=timezone.now())
    mark_replayed(response, replayed=placed.replayed)
    return Status(201, _answers([placed.order], pool_total=placed.pool_total)[0])


@orders_router.get(
    "",
    auth=FreshAccessToken(),
    operation_id="listOrders",
    summary="List orders",
    **answers({200: list[OrderAnswer]}, *LIST, *SIGNED_IN),
)
def orders(request: HttpRequest, response: HttpResponse, query: Query[OrderQuery]) -> list[Answer]:
    """The caller's orders, newest first."""
    refuse_unknown_parameters(request, known=OrderQuery)
    filters = OrderFilters(
        state=query.state,
        crypto=query.crypto,
        created_after=query.created_after,
        created_before=query.created_before,
    )
    page = list_orders(customer_id=caller(request).user_id, filters=filters, limit=query.limit, cursor=query.cursor)
    link_next(request, response, cursor=page.next_cursor)
    return _answers(page.rows)


@orders_router.get(
    "{int:order_id}/",
    auth=FreshAccessToken(),
    operation_id="getOrder",
    summary="Look at an order",
    **answers({200: OrderAnswer}, *SIGNED_IN, "not_found"),
)
def one_order(request: HttpRequest, order_id: int) -> Answer:
    """One of the caller's orders."""
    return _answers([get_order(customer_id=caller(request).user_id, order_id=order_id)])[0]


@orders_router.post(
    "{int:order_id}/cancel/",
    auth=AccessToken(limit=ORDERS),
    operation_id="cancelOrder",
    summary="Cancel an order",
    **answers({200: OrderAnswer}, *SIGNED_IN, *MONEY, "order_not_cancellable"),
)
def cancel(request: HttpRequest, order_id: int) -> Answer:
    """Cancels an order that settlement has not begun with; its charge is refunded."""
    return _answers([cancel_order(customer=caller(request), order_id=order_id, now=timezone.now())])[0]


@holdings_router.get(
    "holdings/",
    operation_id="listHoldings",
    summary="List coins held",
    **answers({200: list[HoldingAnswer]}, *SIGNED_IN),
)
def holdings(request: HttpRequest) -> list[Answer]:
    """The coins the caller holds, with what they cost and what they are worth."""
    costs = sum_costs(customer_id=caller(request).user_id)
    prices = {offer.name: offer.price for offer in list_offers()}
    return [
        {
            "crypto": coin,
            "amount": amount,
            "cost": costs.get(coin, Decimal(0)),
            "price": prices.get(coin),
            "value": _value(amount, prices.get(coin)),
        }
        for coin, amount in sorted(list_coin_balances(owner_id=caller(request).user_id).items())
    ]


def _value(amount: Decimal, price: Decimal | None) -> Decimal | None:
    """What a holding is worth, rounded down: a valuation promises nothing extra."""
    return None if price is None else (amount * price).quantize(Decimal("0.01"), rounding=ROUND_DOWN)


def _answers(orders: list[Order], *, pool_total: Decimal | None = None) -> list[Answer]:
    """Answers for orders; the totals of their pools are read in one go unless known already."""
    pooled = {order.coin.name for order in orders if order.state == OrderState.AGGREGATED}
    if pool_total is not None and len(pooled) == 1:
        totals = dict.fromkeys(pooled, pool_total)
    else:
        totals = read_pool_totals(coins=pooled)
    return [_answer(order, totals=totals) for order in orders]


def _answer(order: Order, *, totals: dict[str, Decimal]) -> Answer:
    return {
        "id": order.pk,
        "crypto": order.coin.name,
        "amount": order.amount,
        "price": order.price,
        "total_price": order.total_price,
        "state": order.state,
        "is_aggregated": order.is_aggregated,
        "pool": _pool(order, totals=totals),
        "reason": order.reason,
        "created_at": order.created_at,
        "settling_at": order.settling_at,
        "completed_at": order.completed_at,
        "refunded_at": order.refunded_at,
        "cancelled_at": order.cancelled_at,
    }


def _pool(order: Order, *, totals: dict[str, Decimal]) -> Answer | None:
    if order.state != OrderState.AGGREGATED:
        return None
    return {
        "total": totals[order.coin.name],
        "threshold": settings.ORDER_AGGREGATION_THRESHOLD,
        "settle_by": order.settle_by,
    }
