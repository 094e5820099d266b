"""Places orders."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import transaction

from trading import jobs, pools
from trading.exceptions import AboveMaximum, AmountOffStep, BelowMinimum, TooManyHeld, UnknownCoin
from trading.metrics import count_placed
from trading.models import Order, OrderState, Review, is_coin_name
from trading.offers import Offer
from trading.pool_rules import joins_pool, reaches_threshold
from trading.risk import Breach, find_breach
from trading.rounding import amount_for, charge_for
from trading.selectors.orders import OrderContext, has_many_held_orders, read_order_context
from wallets.models import TransactionKind, WalletRole
from wallets.runtime import failpoints
from wallets.runtime.conflicts import retried_on_conflict
from wallets.runtime.idempotency import IdempotencyKey
from wallets.runtime.log_context import add_to_log_context
from wallets.runtime.redis_round import RedisRound
from wallets.selectors.accounts import Principal
from wallets.services.ledger.locking import LockedWallet, lock_dollar_wallet
from wallets.services.ledger.moving import Movement, NewSubject, debit_for, ensure_funds

logger = logging.getLogger(__name__)

UNDER_REVIEW = "under_review"


@dataclass(frozen=True, kw_only=True)
class OrderRequest:
    """A request for `amount` coins, or for as many coins as `total` US dollars buy. Exactly one of the two is set."""

    coin_name: str
    amount: Decimal | None
    total: Decimal | None
    key: IdempotencyKey | None = None


@dataclass(frozen=True, kw_only=True)
class PlacedOrder:
    """An order and its pool's total (US dollars). `replayed`: an earlier request with the same key placed the order."""

    order: Order
    coin_name: str
    replayed: bool
    job_deferred: bool = False
    pool_total: Decimal | None = None


def place_order(
    *,
    buyer: Principal,
    order_request: OrderRequest,
    redis_round: RedisRound | None = None,
    now: datetime | None = None,
) -> PlacedOrder:
    """Sell a coin to `buyer` at the current price.

    The order, its charge and the job that claims the order commit together or not at all. An order that breaks
    a risk rule is charged too, and held for a review by staff. The price is read after the wallet is locked, and the
    moment that counts is that of the lock, by Postgres' clock; tests give another one as `now`. `redis_round` is the
    request's round trip, which may have read the pool's counter.

    Raises UnknownCoin, PriceUnavailable, BelowMinimum, AboveMaximum, AmountOffStep, InsufficientFunds, TooManyHeld,
    AccountFrozen, TokenInvalid, IdempotencyKeyReused.
    """
    pool_total = _read_pool_counter(order_request.coin_name, redis_round=redis_round)
    placed = _place(buyer=buyer, order_request=order_request, pool_total=pool_total, now=now)
    failpoints.reach("order.committed")
    add_to_log_context(order_id=placed.order.pk)
    if placed.replayed:
        return placed
    count_placed(state=placed.order.state)
    return _join_pool(placed) if placed.order.state == OrderState.POOLED else placed


@retried_on_conflict
@transaction.atomic(durable=True)
def _place(
    *, buyer: Principal, order_request: OrderRequest, pool_total: Decimal | None, now: datetime | None
) -> PlacedOrder:
    wallet = lock_dollar_wallet(principal=buyer)
    now = now or wallet.now
    context = read_order_context(
        customer_id=wallet.owner_id, coin_name=order_request.coin_name, key=order_request.key, now=now
    )
    if earlier := _find_earlier(context, key=order_request.key):
        return earlier
    offer = context.offer
    if offer is None:
        raise UnknownCoin
    order, breach = _make_order(wallet, order_request, offer=offer, context=context, now=now)
    claim_now = breach is None and is_to_be_claimed(order, pool_total=pool_total)
    _write(order, wallet=wallet, claim_now=claim_now)
    if breach:
        logger.warning("order %s is held: %s", order.pk, breach.grounds, extra={"order_id": order.pk})
        Review.objects.create(order=order, customer_id=order.customer_id, rule=breach.rule, grounds=breach.grounds)
    failpoints.reach("order.debited")
    return PlacedOrder(order=order, coin_name=offer.name, replayed=False, job_deferred=claim_now)


def _read_pool_counter(coin_name: str, *, redis_round: RedisRound | None) -> Decimal | None:
    """Return the pool's total according to its counter, which tells only whether to look into the pool now."""
    return pools.read_counter(coin_name=coin_name, redis_round=redis_round) if is_coin_name(coin_name) else None


def _find_earlier(context: OrderContext, *, key: IdempotencyKey | None) -> PlacedOrder | None:
    """Return the order that an earlier request with this key placed, if any. Raises IdempotencyKeyReused."""
    if key is None or context.same_key_id is None:
        return None
    order = Order.objects.select_related("coin").get(pk=context.same_key_id)
    key.ensure_same_request(earlier_hash=order.request_hash or "")
    return PlacedOrder(order=order, coin_name=order.coin.name, replayed=True)


def _make_order(
    wallet: LockedWallet, order_request: OrderRequest, *, offer: Offer, context: OrderContext, now: datetime
) -> tuple[Order, Breach | None]:
    """Return the order, not yet written, and its breach of a risk rule, if any. Raises TooManyHeld for a breach."""
    price = offer.ensure_sellable(now=now)
    amount = _amount_of(order_request, offer=offer, price=price)
    charge = charge_for(amount=amount, price=price)
    ensure_funds(wallet=wallet, amount=charge)
    is_pooled = joins_pool(charge=charge, threshold=settings.POOLS.threshold)
    breach = find_breach(recent=context.recent, charge=charge)
    if breach and has_many_held_orders(customer_id=wallet.owner_id):
        raise TooManyHeld
    key = order_request.key
    order = Order(
        customer_id=wallet.owner_id,
        coin_id=offer.coin_id,
        amount=amount,
        price=price,
        price_source=offer.price_source,
        price_at=offer.price_at or now,
        charge=charge,
        state=_first_state(is_pooled=is_pooled, is_held=breach is not None),
        is_pooled=is_pooled,
        settle_by=now + settings.POOLS.max_age if is_pooled else None,
        idempotency_key=key.value if key else None,
        request_hash=key.request_hash if key else None,
        reason=UNDER_REVIEW if breach else None,
        created_at=now,
        held_at=now if breach else None,
    )
    return order, breach


_WRITTEN: Final = (
    "customer_id",
    "coin_id",
    "amount",
    "price",
    "price_source",
    "price_at",
    "charge",
    "state",
    "is_pooled",
    "settle_by",
    "reason",
    "idempotency_key",
    "request_hash",
    "created_at",
    "held_at",
)


def _write(order: Order, *, wallet: LockedWallet, claim_now: bool) -> None:
    """Insert the order and, if `claim_now`, the job that claims it, and charge the order."""
    values = {name: getattr(order, name) for name in _WRITTEN}
    values |= {"claim_now": claim_now, "task": jobs.CLAIM_TASK, "queue": jobs.SETTLEMENT_QUEUE}
    charge = Movement(
        amount=order.charge,
        kind=TransactionKind.PURCHASE,
        house=WalletRole.CLEARING,
        created_at=order.created_at,
    )
    order.pk = debit_for(wallet=wallet, movement=charge, subject=NewSubject(name="trading.place_order", values=values))


def _first_state(*, is_pooled: bool, is_held: bool) -> OrderState:
    if is_held:
        return OrderState.HELD
    return OrderState.POOLED if is_pooled else OrderState.PENDING


def _amount_of(order_request: OrderRequest, *, offer: Offer, price: Decimal) -> Decimal:
    if order_request.total is not None:
        amount = amount_for(total=order_request.total, price=price, step=offer.step)
    else:
        assert order_request.amount is not None, "the schema asks for exactly one of amount and total"
        amount = order_request.amount
    if amount < offer.minimum:
        raise BelowMinimum(minimum=offer.minimum)
    if amount > offer.maximum:
        raise AboveMaximum(maximum=offer.maximum)
    if amount % offer.step:
        raise AmountOffStep(step=offer.step)
    return amount


def is_to_be_claimed(order: Order, *, pool_total: Decimal | None) -> bool:
    """Say whether to request a claim now: if the order is large, or its pool is full or of unknown total."""
    if not order.is_pooled or pool_total is None:
        return True
    return reaches_threshold(total=pool_total + order.charge, threshold=settings.POOLS.threshold)


def _join_pool(placed: PlacedOrder) -> PlacedOrder:
    """Add a committed order to its pool's counter. Request the claim if other orders have filled the pool meanwhile."""
    order = placed.order
    total = pools.add(coin_name=placed.coin_name, amount=order.charge)
    if (
        total is not None
        and not placed.job_deferred
        and reaches_threshold(total=total, threshold=settings.POOLS.threshold)
    ):
        jobs.request_claim(coin_id=order.coin_id)
    return replace(placed, pool_total=total)
