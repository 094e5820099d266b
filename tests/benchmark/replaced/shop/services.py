"""Placing an order."""

import logging
from decimal import ROUND_UP, Decimal

from django.db import transaction
from rest_framework.exceptions import ValidationError

from .models import Movement, Order, Wallet
from .prices import read_price
from .tasks import enqueue

logger = logging.getLogger(__name__)


def place_order(*, user, coin, amount):
    """Debit the wallet and write the order in one transaction, and enqueue its settlement after the commit.

    Raises ValidationError for an order that is too small or not covered by the wallet.
    """
    price = read_price(coin.name)
    total = (amount * price).quantize(Decimal("0.01"), ROUND_UP)
    if total < coin.minimum_total:
        raise ValidationError({"amount": "The order is too small."})
    with transaction.atomic():
        wallet = Wallet.objects.select_for_update().get(user=user)
        if wallet.balance < total:
            raise ValidationError({"amount": "The wallet has not enough money."})
        wallet.balance -= total
        wallet.save(update_fields=["balance", "updated_at"])
        order = Order(user=user, coin=coin, amount=amount, price=price, total=total)
        order.full_clean()
        order.save()
        Movement.objects.create(
            wallet=wallet, order=order, kind=Movement.Kind.PURCHASE, amount=-total, balance_after=wallet.balance
        )
        transaction.on_commit(lambda: enqueue("shop.settle_order", order.pk))
    logger.info("order %s of user %s: %s %s for %s", order.pk, user.pk, amount, coin.name, total)
    return order
