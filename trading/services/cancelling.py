"""Cancels waiting orders."""

from datetime import datetime

from django.db import transaction

from trading import pools
from trading.exceptions import OrderNotCancellable
from trading.metrics import count_closed_after_commit
from trading.models import WAITING, Order, OrderState
from wallets.exceptions import NotFound
from wallets.models import TransactionKind, WalletRole
from wallets.runtime import failpoints
from wallets.runtime.conflicts import retried_on_conflict
from wallets.runtime.log_context import add_to_log_context
from wallets.selectors.accounts import Principal
from wallets.services.ledger.crediting import outcome_reference
from wallets.services.ledger.locking import lock_dollar_wallet
from wallets.services.ledger.moving import Movement, credit


def cancel_order(*, customer: Principal, order_id: int, now: datetime | None = None) -> Order:
    """Cancel an order that settlement has not claimed, and refund its charge. Tests give a moment as `now`.

    Raises NotFound, OrderNotCancellable, AccountFrozen, TokenInvalid.
    """
    add_to_log_context(order_id=order_id)
    order = _cancel(customer=customer, order_id=order_id, now=now)
    if order.is_pooled:
        pools.add(coin_name=order.coin.name, amount=-order.subtotal)
    return order


@retried_on_conflict
@transaction.atomic(durable=True)
def _cancel(*, customer: Principal, order_id: int, now: datetime | None) -> Order:
    wallet = lock_dollar_wallet(principal=customer)
    now = now or wallet.now
    order = _lock_waiting_order(customer_id=wallet.owner_id, order_id=order_id)
    order.state = OrderState.CANCELLED
    order.cancelled_at = now
    order.reason = "cancelled_by_customer"
    order.save(update_fields=["state", "cancelled_at", "reason"])
    refund = Movement(
        amount=order.charge,
        kind=TransactionKind.REFUND,
        house=WalletRole.CLEARING,
        reference=outcome_reference(order_id=order.pk),
        created_at=now,
        order_id=order.pk,
    )
    credit(wallet=wallet, movement=refund)
    failpoints.reach("cancel.credited")
    count_closed_after_commit(state=OrderState.CANCELLED)
    return order


def _lock_waiting_order(*, customer_id: int, order_id: int) -> Order:
    """Lock and return the order. Raise OrderNotCancellable rather than wait if a claim has locked it (SKIP LOCKED)."""
    own = Order.objects.select_related("coin").filter(customer_id=customer_id, id=order_id)
    order = own.select_for_update(skip_locked=True, no_key=True, of=("self",)).filter(state__in=WAITING).first()
    if order:
        return order
    if own.exists():
        raise OrderNotCancellable
    raise NotFound
