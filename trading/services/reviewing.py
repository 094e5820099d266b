"""Decisions of staff about held orders: each order is released or refunded, only once."""

import logging
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from trading import jobs, pools
from trading.exceptions import OrderNotHeld, OwnOrder
from trading.metrics import count_closed_after_commit
from trading.models import Order, OrderState, Review, ReviewDecision
from trading.offers import load_offer
from trading.selectors.orders import get_held_order
from trading.services.settling import PRICE_MOVED
from wallets.models import User
from wallets.money import USD
from wallets.services.ledger.crediting import OrderCredit, refund_customers
from wallets.services.ledger.locking import lock_customer_wallets

logger = logging.getLogger(__name__)

REFUSED = "refused_after_review"


@transaction.atomic
def release_within_transaction(*, order_id: int, decided_by: User, note: str, now: datetime) -> Order:
    """Release a held order to settlement, at its original price, inside the running database transaction.

    Refund the order instead if the price has moved further than PRICE_DEVIATION_LIMIT since: the house gives no
    free options. A stop of sales does not hold the order back, because it is taken already. Redis is not asked for the
    total of the order's pool, so a claim is always requested: it counts the pool itself. Raises OrderNotHeld if
    staff have decided already, and OwnOrder if the order is `decided_by`'s own. Raises UnknownCoin or PriceUnavailable
    if the coin has no current price; the order then stays held.
    """
    held = get_order_of_another(order_id=order_id, decided_by=decided_by)
    market_price = load_offer(coin_name=held.coin.name).ensure_market_price(now=now)
    if _has_moved(market_price, since=held.market_price or held.price):
        return _refund(held, reason=PRICE_MOVED, decided_by=decided_by, note=note, now=now)
    return _release(held, decided_by=decided_by, note=note, now=now)


@transaction.atomic
def refund_within_transaction(*, order_id: int, decided_by: User, note: str, now: datetime) -> Order:
    """Refund a held order, inside the running database transaction.

    Raises OrderNotHeld if staff have decided already, and OwnOrder for their own order.
    """
    held = get_order_of_another(order_id=order_id, decided_by=decided_by)
    return _refund(held, reason=REFUSED, decided_by=decided_by, note=note, now=now)


def get_order_of_another(*, order_id: int, decided_by: User) -> Order:
    """Return a held order that staff may decide about. Raises OrderNotHeld, and OwnOrder for their own one."""
    held = get_held_order(order_id=order_id)
    if held.customer_id == decided_by.pk:
        logger.warning("order %s: %s may not decide about their own order", held.pk, decided_by.pk)
        raise OwnOrder
    return held


def _has_moved(price: Decimal, *, since: Decimal) -> bool:
    return bool(abs(price - since) > since * settings.PRICES.deviation_limit)


def _release(held: Order, *, decided_by: User, note: str, now: datetime) -> Order:
    _leave_hold(
        held,
        state=OrderState.POOLED if held.is_pooled else OrderState.PENDING,
        settle_by=now + settings.POOLS.max_age if held.is_pooled else None,
        reason=None,
    )
    _decide(held, decision=ReviewDecision.RELEASED, decided_by=decided_by, note=note, now=now)
    jobs.request_claim(coin_id=held.coin_id)
    if held.is_pooled:
        transaction.on_commit(lambda: pools.add(coin_name=held.coin.name, amount=held.subtotal))
    return held


def _refund(held: Order, *, reason: str, decided_by: User, note: str, now: datetime) -> Order:
    lock_customer_wallets(asset=USD, customer_ids=[held.customer_id])  # all code locks wallets before orders
    _leave_hold(held, state=OrderState.REFUNDED, refunded_at=now, reason=reason)
    refund_customers(
        credits_=[OrderCredit(order_id=held.pk, customer_id=held.customer_id, amount=held.charge)], now=now
    )
    count_closed_after_commit(state=OrderState.REFUNDED)
    _decide(held, decision=ReviewDecision.REFUNDED, decided_by=decided_by, note=note, now=now)
    return held


def _leave_hold(held: Order, **fields: object) -> None:
    if not Order.objects.filter(pk=held.pk, state=OrderState.HELD).update(**fields):
        raise OrderNotHeld
    for name, value in fields.items():
        setattr(held, name, value)


def _decide(held: Order, *, decision: ReviewDecision, decided_by: User, note: str, now: datetime) -> None:
    logger.info("order %s is %s by %s", held.pk, decision.value, decided_by.pk, extra={"order_id": held.pk})
    Review.objects.filter(order=held, decision=None).update(
        decision=decision, decided_by=decided_by, note=note, decided_at=now
    )
