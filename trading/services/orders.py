"""Placing and cancelling orders."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from trading import events, pools
from trading.aggregation import is_small
from trading.exceptions import AboveMaximum, BelowMinimum, OrderNotCancellable, UnknownCoin
from trading.metrics import count_closed_after_commit, count_placed
from trading.models import WAITING, Coin, Order, OrderState, Review
from trading.prices import Offer, OfferAndPool, read_offer
from trading.pricing import amount_for, charge_for
from trading.risk import Breach, RecentOrders, find_breach, read_recent_orders
from wallets import failpoints
from wallets.conflicts import retried_on_conflict
from wallets.exceptions import NotFound
from wallets.idempotency import IdempotencyKey
from wallets.log_context import add_to_log_context
from wallets.models import TransactionKind, WalletRole
from wallets.selectors import Principal
from wallets.services.ledger import (
    LockedWallet,
    credit,
    debit,
    ensure_funds,
    lock_dollar_wallet,
    outcome_reference,
)

logger = logging.getLogger(__name__)

UNDER_REVIEW = "under_review"


@dataclass(frozen=True, kw_only=True)
class OrderRequest:
    """A wish for `amount` coins, or for as many as `total` US dollars buy: one of the two is set."""

    crypto: str
    amount: Decimal | None
    total: Decimal | None
    key: IdempotencyKey | None = None


@dataclass(frozen=True, kw_only=True)
class PlacedOrder:
    """An order, whether an earlier request with the same key had placed it, and its pool's total (US dollars)."""

    order: Order
    replayed: bool
    job_deferred: bool = False
    pool_total: Decimal | None = None


def place_order(*, buyer: Principal, request: OrderRequest, now: datetime) -> PlacedOrder:
    """Sell a coin to `buyer` at the price of this moment.

    The charge, the order and the job that settles it commit together, or none does. An order that breaks
    a risk rule is charged too, and held for staff.
    Raises UnknownCoin, PriceUnavailable, BelowMinimum, AboveMaximum, InsufficientFunds, AccountFrozen,
    TokenInvalid, IdempotencyKeyReused.
    """
    try:
        market = read_offer(name=request.crypto)
    except UnknownCoin:  # no longer sold: an order that was placed before is still the answer to its key
        return _replay_or_refuse(buyer=buyer, request=request, now=now)
    placed = _place(buyer=buyer, request=request, market=market, now=now)
    failpoints.reach("order.committed")
    add_to_log_context(order_id=placed.order.pk)
    if not placed.replayed:
        count_placed(state=placed.order.state)
    if placed.order.state == OrderState.AGGREGATED and not placed.replayed:
        return _join_pool(placed)
    return placed


@retried_on_conflict
@transaction.atomic(durable=True)
def _place(*, buyer: Principal, request: OrderRequest, market: OfferAndPool, now: datetime) -> PlacedOrder:
    wallet = lock_dollar_wallet(principal=buyer)
    recent = read_recent_orders(customer_id=wallet.owner_id, key=request.key.key if request.key else None, now=now)
    if request.key and recent.same_key_id is not None:
        return PlacedOrder(order=_replay(order_id=recent.same_key_id, key=request.key), replayed=True)
    order, breach = _make_order(wallet=wallet, request=request, offer=market.offer, recent=recent, now=now)
    claim_now = breach is None and is_to_be_claimed(order, pool_total=market.pool_total)
    _write(order, claim_now=claim_now)
    if breach:
        logger.warning("order %s is held: %s", order.pk, breach.finding, extra={"order_id": order.pk})
        Review.objects.create(order=order, rule=breach.rule, finding=breach.finding)
    debit(
        wallet=wallet,
        amount=order.total_price,
        kind=TransactionKind.PURCHASE,
        to=WalletRole.CLEARING,
        now=now,
        reference=f"order:{order.pk}:charge",
        order_id=order.pk,
    )
    failpoints.reach("order.debited")
    return PlacedOrder(order=order, replayed=False, job_deferred=claim_now)


@retried_on_conflict
@transaction.atomic(durable=True)
def _replay_or_refuse(*, buyer: Principal, request: OrderRequest, now: datetime) -> PlacedOrder:
    if request.key is None:
        raise UnknownCoin
    wallet = lock_dollar_wallet(principal=buyer)
    recent = read_recent_orders(customer_id=wallet.owner_id, key=request.key.key, now=now)
    if recent.same_key_id is None:
        raise UnknownCoin
    return PlacedOrder(order=_replay(order_id=recent.same_key_id, key=request.key), replayed=True)


def _replay(*, order_id: int, key: IdempotencyKey) -> Order:
    order = Order.objects.select_related("coin").get(pk=order_id)
    key.ensure_same_request(earlier_hash=order.request_hash or "")
    return order


def _make_order(
    *, wallet: LockedWallet, request: OrderRequest, offer: Offer, recent: RecentOrders, now: datetime
) -> tuple[Order, Breach | None]:
    """The order as it is to be written, and the risk rule that it breaks."""
    price = offer.ensure_sellable(now=now)
    amount = _amount_of(request, offer=offer, price=price)
    charge = charge_for(amount=amount, price=price)
    ensure_funds(wallet=wallet, amount=charge)
    small = is_small(charge=charge, threshold=settings.ORDER_AGGREGATION_THRESHOLD)
    breach = find_breach(recent=recent, charge=charge)
    order = Order(
        customer_id=wallet.owner_id,
        coin=Coin(pk=offer.coin_id, name=offer.name),  # known already: no query
        amount=amount,
        price=price,
        price_source=offer.price_source,
        price_at=offer.price_at or now,
        total_price=charge,
        state=_first_state(small=small, held=breach is not None),
        is_aggregated=small,
        settle_by=now + settings.POOL_MAX_AGE if small else None,
        idempotency_key=request.key.key if request.key else None,
        request_hash=request.key.request_hash if request.key else None,
        reason=UNDER_REVIEW if breach else None,
        created_at=now,
        held_at=now if breach else None,
    )
    return order, breach


_PLACE_ORDER: Final = Path(__file__).with_name("place_order.sql").read_text()
_WRITTEN: Final = (
    "customer_id",
    "coin_id",
    "amount",
    "price",
    "price_source",
    "price_at",
    "total_price",
    "state",
    "is_aggregated",
    "settle_by",
    "reason",
    "idempotency_key",
    "request_hash",
    "created_at",
    "held_at",
)


def _write(order: Order, *, claim_now: bool) -> None:
    """Insert the order, and its job if it is to be claimed now."""
    values = {name: getattr(order, name) for name in _WRITTEN}
    job = {"claim_now": claim_now, "task": events.CLAIM_TASK, "queue": events.SETTLEMENT_QUEUE}
    with connection.cursor() as cursor:
        cursor.execute(_PLACE_ORDER, values | job)
        order.pk = cursor.fetchone()[0]


def _first_state(*, small: bool, held: bool) -> OrderState:
    if held:
        return OrderState.HELD
    return OrderState.AGGREGATED if small else OrderState.PENDING


def _amount_of(request: OrderRequest, *, offer: Offer, price: Decimal) -> Decimal:
    if request.total is not None:
        amount = amount_for(total=request.total, price=price, step=offer.step)
    else:
        assert request.amount is not None, "the schema asks for exactly one of amount and total"
        amount = request.amount
    if amount < offer.minimum:
        raise BelowMinimum(minimum=offer.minimum)
    if amount > offer.maximum:
        raise AboveMaximum(maximum=offer.maximum)
    return amount


def is_to_be_claimed(order: Order, *, pool_total: Decimal | None) -> bool:
    """A large order at once; a small one when it finds its pool full, or cannot tell."""
    if not order.is_aggregated or pool_total is None:
        return True
    return pool_total + order.total_price >= settings.ORDER_AGGREGATION_THRESHOLD


def _join_pool(placed: PlacedOrder) -> PlacedOrder:
    """Count a committed order. Others may have come in between: then the claim is due after all."""
    order = placed.order
    total = pools.count(coin=order.coin.name, change=order.total_price)
    if total is not None and total >= settings.ORDER_AGGREGATION_THRESHOLD and not placed.job_deferred:
        events.orders_wait(coin_id=order.coin_id)
    return replace(placed, pool_total=total)


def cancel_order(*, customer: Principal, order_id: int, now: datetime) -> Order:
    """Undo an order that settlement has not claimed, and give its charge back.

    Raises NotFound, OrderNotCancellable, AccountFrozen, TokenInvalid.
    """
    add_to_log_context(order_id=order_id)
    order = _cancel(customer=customer, order_id=order_id, now=now)
    if order.is_aggregated:
        pools.count(coin=order.coin.name, change=-order.total_price)
    return order


@retried_on_conflict
@transaction.atomic(durable=True)
def _cancel(*, customer: Principal, order_id: int, now: datetime) -> Order:
    wallet = lock_dollar_wallet(principal=customer)
    order = _lock_waiting_order(customer_id=wallet.owner_id, order_id=order_id)
    order.state = OrderState.CANCELLED
    order.cancelled_at = now
    order.reason = "cancelled_by_customer"
    order.save(update_fields=["state", "cancelled_at", "reason"])
    credit(
        wallet=wallet,
        amount=order.total_price,
        kind=TransactionKind.REFUND,
        source=WalletRole.CLEARING,
        now=now,
        reference=outcome_reference(order_id=order.pk),
        order_id=order.pk,
    )
    failpoints.reach("cancel.credited")
    count_closed_after_commit(state=OrderState.CANCELLED)
    return order


def _lock_waiting_order(*, customer_id: int, order_id: int) -> Order:
    """SKIP LOCKED: whoever holds the row is claiming it, and must not wait for us, nor we for them."""
    own = Order.objects.select_related("coin").filter(customer_id=customer_id, id=order_id)
    order = own.select_for_update(skip_locked=True, no_key=True, of=("self",)).filter(state__in=WAITING).first()
    if order:
        return order
    if own.exists():
        raise OrderNotCancellable
    raise NotFound
