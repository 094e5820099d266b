"""Orders over HTTP."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from trading.exceptions import (
    AboveMaximum,
    AmountOffStep,
    BelowMinimum,
    OrderNotCancellable,
    PriceAboveMax,
    PriceUnavailable,
    QuoteExpired,
    QuoteInvalid,
    QuoteUsed,
    QuoteWithdrawn,
    SalesStopped,
    TooManyHeld,
    UnknownCoin,
)
from trading.headroom import coins_wanted, dollars_wanted
from trading.models import PAID_AND_OPEN, Order, OrderState
from trading.pools import counter_key
from trading.problems import answers
from trading.quotes import read_quote
from trading.schemas.orders import OrderAnswer, OrderBody, OrderQuery, WaitQuery
from trading.selectors.orders import OrderFilters, get_order, list_orders, read_states, shown_reason
from trading.selectors.pools import read_pool_totals
from trading.services.asked_orders import OrderRequest, PlacedOrder
from trading.services.cancelling import cancel_order
from trading.services.placing import dollars_of, place_order
from wallets.exceptions import IdempotencyKeyReused, InsufficientFunds, NotFound
from wallets.runtime.allowances import Wanted
from wallets.runtime.idempotency import idempotency_key
from wallets.runtime.sql import Record
from wallets.web.bodies import Body
from wallets.web.callers import AccessToken, FreshAccessToken, caller, limits_counted, redis_round_of
from wallets.web.limits import Limit
from wallets.web.lists import ListOf, link_next
from wallets.web.problems import BODY, LIST, MONEY, SIGNED_IN
from wallets.web.requests import IdempotencyHeader, mark_replayed
from wallets.web.waiting_answers import WaitingAnswer, Watched, can_wait

orders_router = Router(tags=["orders"])

ORDERS: Final = Limit("orders")
"""Limits how often a customer may place or cancel orders."""

_ORDERS: Final = ListOf(OrderAnswer, texts=True)

_COIN_IN_BODY: Final = re.compile(rb'"(?:crypto|quote)"\s*:\s*"([A-Z0-9]{1,12})[":]')
_AMOUNT_IN_BODY: Final = re.compile(rb'"(quote|amount|total)"\s*:\s*"?([A-Za-z0-9_:.-]{1,512})')
_PLAIN_AMOUNT: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")


def _pool_of(request: HttpRequest) -> tuple[str, ...]:
    """Return the key of the pool's counter.

    The body is parsed only after the call was counted, so the coin is guessed; a quote begins with its coin. After a
    wrong guess placing the order reads the counter itself.
    """
    coin = _COIN_IN_BODY.search(request.body)
    return (counter_key(coin[1].decode()),) if coin else ()


def _dollars_of(request: HttpRequest, taker: str) -> Wanted | None:
    """Return what the order takes from what may still be sold; None if that is not easily seen in its body.

    A guess, like the coin of `_pool_of`: placing the order compares it with the request, and takes anew if they differ.
    """
    coin, asked = _COIN_IN_BODY.search(request.body), _AMOUNT_IN_BODY.search(request.body)
    if coin is None or asked is None:
        return None
    name, text = coin[1].decode(), asked[2].decode()
    if asked[1] == b"quote":
        quote = read_quote(text)
        return dollars_of(OrderRequest(), quote=quote, taker=taker) if quote else None
    if not _PLAIN_AMOUNT.fullmatch(text):
        return None
    if asked[1] == b"total":
        return dollars_wanted(coin_name=name, dollars=Decimal(text), taker=taker)
    return coins_wanted(coin_name=name, coins=Decimal(text), taker=taker)


@orders_router.post(
    "",
    auth=AccessToken(limit=ORDERS, prefetch=_pool_of, want=_dollars_of),
    operation_id="placeOrder",
    summary="Buy a coin",
    **answers(
        {201: OrderAnswer},
        *BODY,
        *SIGNED_IN,
        *MONEY,
        InsufficientFunds,
        UnknownCoin,
        IdempotencyKeyReused,
        BelowMinimum,
        AboveMaximum,
        AmountOffStep,
        PriceAboveMax,
        QuoteInvalid,
        QuoteExpired,
        QuoteUsed,
        QuoteWithdrawn,
        TooManyHeld,
        PriceUnavailable,
        SalesStopped,
    ),
)
def place(
    request: HttpRequest, response: HttpResponse, body: OrderBody, idempotency: IdempotencyHeader
) -> Status[OrderAnswer]:
    """Buys `amount` coins, or as many as `total` US dollars pay for, or what a `quote` promises.

    The wallet is debited at once; settlement follows.

    A small order is `aggregated`: it waits in its coin's pool. An unusual order is `held` until staff decide about it.
    """
    order_request = OrderRequest(
        coin_name=body.crypto or "",
        amount=body.amount,
        total=body.total,
        max_price=body.max_price,
        quote=body.quote,
        key=idempotency_key(key=idempotency, request=vars(body)),
    )
    placed = place_order(buyer=caller(request), order_request=order_request, redis_round=redis_round_of(request))
    mark_replayed(response, replayed=placed.replayed)
    answer = _answer(placed.order, coin_name=placed.coin_name, pool_total=_pool_total(placed))
    if placed.replayed:
        answer["reason"] = shown_reason(order=placed.order)
    return Status(201, OrderAnswer.model_validate(answer))


@orders_router.get(
    "",
    auth=FreshAccessToken(),
    operation_id="listOrders",
    summary="List orders",
    **answers({200: _ORDERS.schema}, *LIST, *SIGNED_IN),
)
def orders(request: HttpRequest, response: HttpResponse, query: Query[OrderQuery]) -> HttpResponse:
    """Returns the caller's orders, newest first."""
    filters = OrderFilters(
        state=query.state,
        crypto=query.crypto,
        created_after=query.created_after,
        created_before=query.created_before,
    )
    page = list_orders(customer_id=caller(request).user_id, filters=filters, limit=query.limit, cursor=query.cursor)
    following = link_next(request, response, cursor=page.next_cursor)
    return _ORDERS.answer(response, _with_pools(page.rows), query=query, following=following)


@orders_router.get(
    "{int:order_id}/",
    auth=FreshAccessToken(),
    operation_id="getOrder",
    summary="Look at an order",
    **answers({200: OrderAnswer}, *SIGNED_IN, NotFound),
)
def one_order(request: HttpRequest, order_id: int, query: Query[WaitQuery]) -> Body | WaitingAnswer:
    """Returns one of the caller's orders. With `wait` the answer comes when the order's state changes, or after so many
    seconds; at once for an order that has ended. At each process of the service at most 8 requests of a customer wait,
    and 200 in all; a further one gets 429 or 503. When all places are taken, an address that has fewer than another
    gets the place of that one's newest request, which then gets 429.
    """
    order = get_order(customer_id=caller(request).user_id, order_id=order_id)
    if query.wait and order.state in PAID_AND_OPEN and can_wait(request):
        watched = Watched(
            read=read_states,
            key=order.pk,
            seen=order.state,
            seconds=query.wait,
            customer_id=order.customer_id,
        )
        return WaitingAnswer(watched, usages=limits_counted(request))
    return _answer_again(order)


@orders_router.post(
    "{int:order_id}/cancel/",
    auth=AccessToken(limit=ORDERS),
    operation_id="cancelOrder",
    summary="Cancel an order",
    **answers({200: OrderAnswer}, *SIGNED_IN, *MONEY, OrderNotCancellable),
)
def cancel(request: HttpRequest, order_id: int) -> Body:
    """Cancels an order that settlement has not started yet, and refunds its charge."""
    return _answer_again(cancel_order(customer=caller(request), order_id=order_id))


def _pool_total(placed: PlacedOrder) -> Decimal | None:
    """Return the pool's total for a pooled order: the total that placing returned, or else the current total."""
    if placed.order.state != OrderState.POOLED:
        return None
    if placed.pool_total is not None:
        return placed.pool_total
    return read_pool_totals(coin_names={placed.coin_name})[placed.coin_name]


def _with_pools(rows: list[Record]) -> list[Record]:
    """Add their pools to the rows of a list; read the totals of all pools at once."""
    totals = read_pool_totals(coin_names={row["crypto"] for row in rows if row["state"] == OrderState.POOLED})
    for row in rows:
        is_pooled = row["state"] == OrderState.POOLED
        row["pool"] = _pool(total=totals[row["crypto"]], settle_by=row["settle_by"]) if is_pooled else None
    return rows


def _answer_again(order: Order) -> Body:
    """Return the answer for an order that is not new."""
    name = order.coin.name
    total = read_pool_totals(coin_names={name})[name] if order.state == OrderState.POOLED else None
    return {**_answer(order, coin_name=name, pool_total=total), "reason": shown_reason(order=order)}


def _answer(order: Order, *, coin_name: str, pool_total: Decimal | None) -> Body:
    return {
        "id": order.pk,
        "crypto": coin_name,
        "amount": order.amount,
        "price": order.price,
        "market_price": order.market_price,
        "subtotal": order.subtotal,
        "fee": order.fee,
        "rebate": order.rebate,
        "total_price": order.charge,
        "state": order.state,
        "is_aggregated": order.is_pooled,
        "pool": _pool(total=pool_total, settle_by=order.settle_by) if order.state == OrderState.POOLED else None,
        "reason": order.reason,
        "created_at": order.created_at,
        "settling_at": order.settling_at,
        "completed_at": order.completed_at,
        "refunded_at": order.refunded_at,
        "cancelled_at": order.cancelled_at,
    }


def _pool(*, total: Decimal | None, settle_by: datetime | None) -> Body:
    return {
        "total": total,
        "threshold": settings.POOLS.threshold,
        "settle_by": settle_by,
    }
