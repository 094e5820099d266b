"""Cancels waiting orders: for their customers, and of those whose bank took a deposit back."""

from datetime import datetime
from functools import partial
from typing import Final

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
from wallets.services.ledger.crediting import OrderCredit, outcome_reference, refund_customers
from wallets.services.ledger.locking import LockedWallet, lock_dollar_wallet
from wallets.services.ledger.moving import Movement, credit

DEPOSIT_RETURNED: Final = "deposit_returned"
"""The reason of a cancel: the customer's bank took a deposit back."""


def cancel_order(*, customer: Principal, order_id: int, now: datetime | None = None) -> Order:
    """Cancel an order that settlement has not claimed, and refund its charge. Tests give a moment as `now`.

    Raises NotFound, OrderNotCancellable, AccountFrozen, TokenInvalid, Busy.
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


def cancel_open_orders(*, wallet: LockedWallet) -> None:
    """Cancel the orders of a customer whose bank took a deposit back, and refund their charges to the locked wallet.

    Held ones too. In the running database transaction. Orders that a claim has locked are passed over, as in a cancel:
    their refund or their coins reach a customer who is frozen by then.
    """
    own = Order.objects.filter(customer_id=wallet.owner_id, state__in=(*WAITING, OrderState.HELD))
    locked = own.select_related("coin").select_for_update(skip_locked=True, no_key=True, of=("self",))
    orders = list(locked.order_by("id"))
    if not orders:
        return
    ids = [order.pk for order in orders]
    Order.objects.filter(pk__in=ids).update(
        state=OrderState.CANCELLED, cancelled_at=wallet.now, reason=DEPOSIT_RETURNED
    )
    credits_ = [OrderCredit(order_id=order.pk, customer_id=wallet.owner_id, amount=order.charge) for order in orders]
    refund_customers(credits_=credits_, now=wallet.now)
    count_closed_after_commit(state=OrderState.CANCELLED, count=len(orders))
    transaction.on_commit(partial(_leave_pools, orders), robust=True)


def _leave_pools(orders: list[Order]) -> None:
    for order in orders:
        if order.is_pooled and order.state == OrderState.POOLED:  # the state before; held orders are not counted
            pools.add(coin_name=order.coin.name, amount=-order.subtotal)


def _lock_waiting_order(*, customer_id: int, order_id: int) -> Order:
    """Lock and return the order. Raise OrderNotCancellable rather than wait if a claim has locked it (SKIP LOCKED)."""
    own = Order.objects.select_related("coin").filter(customer_id=customer_id, id=order_id)
    order = own.select_for_update(skip_locked=True, no_key=True, of=("self",)).filter(state__in=WAITING).first()
    if order:
        return order
    if own.exists():
        raise OrderNotCancellable
    raise NotFound
