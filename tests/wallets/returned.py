"""Deposits of a bank, and returns of them."""

import uuid
from decimal import Decimal

from django.db import transaction

from trading.services.asked_orders import OrderRequest
from trading.services.placing import place_order
from wallets.models import Deposit, Receivable, TransactionKind, WalletRole
from wallets.services.deposits import IncomingMoney, receive_deposit
from wallets.services.ledger.locking import lock_wallets_to_credit
from wallets.services.ledger.moving import Movement, debit, ensure_funds
from wallets.services.returns.taking import ReturnedMoney, take_return

IBAN = "GB82WEST12345698765432"


def receive(shopper, now, *, reference="line 1", amount="25.00"):
    """Receive a deposit of the bank, for nobody without a shopper."""
    money = IncomingMoney(amount=Decimal(amount), source=IBAN, reference=reference, received_at=now)
    with transaction.atomic():
        ids = [shopper.user.pk] if shopper else []
        [wallet] = lock_wallets_to_credit(customer_ids=ids).values() or [None]
        received = receive_deposit(money=money, wallet=wallet, now=now)
    return Deposit.objects.get(pk=received.deposit_id)


def money_taken(now, *, amount="25.00", reference="r1", named=""):
    return ReturnedMoney(amount=Decimal(amount), source=IBAN, reference=reference, received_at=now, named=named)


def take(deposit, now, **told):
    return take_return(money=money_taken(now, **told), deposit_id=deposit.pk)


def spend(shopper, amount):
    """Book a withdrawal as releases without payouts did: straight to the world outside."""
    with transaction.atomic():
        [wallet] = lock_wallets_to_credit(customer_ids=[shopper.user.pk]).values()
        ensure_funds(wallet=wallet, amount=Decimal(amount))
        kind, house = TransactionKind.WITHDRAWAL, WalletRole.FUNDING
        reference = f"withdrawal:{uuid.uuid4()}"
        movement = Movement(amount=Decimal(amount), kind=kind, house=house, reference=reference, created_at=wallet.now)
        debit(wallet=wallet, movement=movement)


def owed(shopper):
    return Receivable.objects.filter(customer=shopper.user).values_list("amount", flat=True).first() or 0


def buy(shopper, total, now):
    """Place an order of ABAN by its total."""
    order_request = OrderRequest(coin_name="ABAN", amount=None, total=Decimal(total))
    return place_order(buyer=shopper.principal, order_request=order_request, now=now).order
