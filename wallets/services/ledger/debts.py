"""Books what customers owe after returns, and what reaches their wallets until it is paid.

A customer who owes is frozen. So only code that credits frozen wallets has to look here, and others pay nothing for it.
"""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from django.db.models import F

from wallets.exceptions import OwesLess
from wallets.models import Receivable
from wallets.money import USD
from wallets.runtime import sql
from wallets.services.ledger.house_moves import book_owed, book_write_off


def collect_debts(*, customer_ids: Collection[int], now: datetime) -> dict[int, Decimal]:
    """Take from locked wallets what their customers owe, as far as they hold it. Return what was taken, by customer.

    One statement. Runs in the database transaction that has credited the wallets.
    """
    rows = sql.fetch_all("wallets.collect_debts", customers=list(customer_ids), asset=USD, now=now)
    return dict(rows)


def owe(*, customer_id: int, amount: Decimal, reference: str, now: datetime) -> None:
    """Let a customer owe dollars that their bank took back. The caller has locked and frozen the wallet."""
    book_owed(amount=amount, reference=reference, now=now)
    known = Receivable.objects.filter(customer_id=customer_id)
    if not known.filter(amount__gt=0).update(amount=F("amount") + amount):
        Receivable.objects.update_or_create(customer_id=customer_id, defaults={"amount": amount, "since": now})


def write_debt_off(*, customer_id: int, amount: Decimal, name: str, now: datetime) -> None:
    """Book that a customer will not pay dollars that they owe; `name` tells it from others of the customer.

    The caller holds the lock on the wallet. Raises OwesLess.
    """
    lessen_debt(customer_id=customer_id, amount=amount)
    book_write_off(amount=amount, reference=f"write_off:{customer_id}:{name}", now=now)


def lessen_debt(*, customer_id: int, amount: Decimal) -> None:
    """Lessen what a customer owes. The caller holds the lock on the wallet, and books the movement. Raises OwesLess."""
    known = Receivable.objects.filter(customer_id=customer_id)
    if not known.filter(amount__gte=amount).update(amount=F("amount") - amount):
        raise OwesLess(owed=known.values_list("amount", flat=True).first() or Decimal(0))
