"""What is given back to a customer's wallet before a return takes its balance: payouts not yet sent, waiting orders.

Each app registers what it gives back, because the money side knows no orders.
"""

from typing import Final, Protocol

from django.db import transaction

from wallets.models import Receivable
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.ledger import read_dollar_balance
from wallets.services.ledger.locking import LockedWallet, lock_wallets_to_credit


class GiveBack(Protocol):
    """Gives dollars of a customer back to their locked wallet, in the running database transaction.

    It must not wait for a row that somebody holds who may wait for the wallet: orders that are locked are passed over.
    """

    def __call__(self, *, wallet: LockedWallet) -> object: ...


_givers: Final[list[GiveBack]] = []


def register_giver(give_back: GiveBack) -> None:
    """Make known what gives dollars back. Each process does so once for each, when Django loads the apps."""
    _givers.append(give_back)


def give_everything_back(*, wallet: LockedWallet) -> None:
    """Give back whatever can be, and set the wallet's balance to what it holds then."""
    for give_back in _givers:
        give_back(wallet=wallet)
    wallet.balance = read_dollar_balance(customer_id=wallet.owner_id)


def give_back_of_debtors() -> None:
    """Give back what customers who owe still have in waiting orders and payouts; it pays their debts.

    An order that a claim had locked at the moment of the return waits again if that claim was rolled back.
    """
    owing = Receivable.objects.filter(amount__gt=0).order_by("since")
    for customer_id in list(owing.values_list("customer_id", flat=True)):
        _give_back_of(customer_id)


@retried_on_conflict
@transaction.atomic(durable=True)
def _give_back_of(customer_id: int) -> None:
    wallet = lock_wallets_to_credit(customer_ids=[customer_id]).get(customer_id)
    if wallet is not None:
        give_everything_back(wallet=wallet)
