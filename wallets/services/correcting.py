"""Reverses movements that staff booked wrongly, and gives goodwill.

Only deposits, withdrawals and goodwill are reversed, each once: what an order or an attempt has moved stays.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Coalesce

from wallets.exceptions import NotCorrectable, NotFound
from wallets.models import Deposit, DepositState, Payout, PayoutState, Transaction, TransactionKind, User, WalletRole
from wallets.money import USD
from wallets.runtime import failpoints
from wallets.services.ledger.locking import LockedWallet, lock_wallets_to_credit
from wallets.services.ledger.moving import Movement, credit, ensure_funds, reverse

_HOUSES: Final[Mapping[str, WalletRole]] = {
    TransactionKind.DEPOSIT: WalletRole.UNASSIGNED,
    TransactionKind.WITHDRAWAL: WalletRole.FUNDING,
    TransactionKind.GOODWILL: WalletRole.GOODWILL,
}
"""By the kind of a movement, the house wallet on the other side of its correction."""


@transaction.atomic
def correct_movement(*, movement_id: int, by: User, approved_by: User | None, note: str) -> Transaction:
    """Reverse a customer's deposit, withdrawal or goodwill in the caller's database transaction. Return the correction.

    The dollars of a deposit are of nobody then, because they are still here: staff assign them to the right customer,
    or send them back. Raises NotFound, NotCorrectable, and InsufficientFunds if the wallet does not hold them any more.
    """
    movement = find_correctable(movement_id=movement_id)
    assert movement.customer_id is not None, "a correctable movement has its customer"
    wallet = lock_wallets_to_credit(customer_ids=[movement.customer_id])[movement.customer_id]
    find_correctable(movement_id=movement_id)  # again, now that nobody else can reverse it
    change = movement.amount if movement.kind == TransactionKind.WITHDRAWAL else -movement.amount
    if change < 0:
        ensure_funds(wallet=wallet, amount=-change)
    if movement.kind == TransactionKind.DEPOSIT:
        _take_from_customer(movement, wallet=wallet, by=by, approved_by=approved_by, note=note)
    reverse(wallet=wallet, movement_id=movement.pk, change=change, house=_HOUSES[movement.kind])
    failpoints.reach("correction.booked")
    return Transaction.objects.get(reverses_id=movement.pk)


def find_correctable(*, movement_id: int) -> Transaction:
    """Return a movement that can be corrected. Raises NotFound, NotCorrectable."""
    movement = Transaction.objects.select_related("destination", "customer").filter(pk=movement_id).first()
    if movement is None:
        raise NotFound
    is_of_kind = movement.kind in _HOUSES and movement.customer_id is not None and movement.asset == USD
    if not is_of_kind or movement.order_id is not None or Transaction.objects.filter(reverses=movement).exists():
        raise NotCorrectable
    if movement.reference.startswith("payout:"):
        raise NotCorrectable("This is a payout's. Say on the page of the payout what came of it.")
    if movement.kind == TransactionKind.DEPOSIT:
        _ensure_whole(find_deposit_of(movement))
    return movement


def find_deposit_of(movement: Transaction) -> Deposit | None:
    """Return the deposit that a movement of its kind has credited; None for one from before deposits had rows."""
    begin, _, rest = movement.reference.partition(":")
    number = rest.partition(":")[0]
    return Deposit.objects.filter(pk=int(number)).first() if begin == "deposit" and number.isdecimal() else None


def _ensure_whole(deposit: Deposit | None) -> None:
    if deposit is None:
        raise NotCorrectable("This deposit is from before deposits had rows of their own.")
    if deposit.returned:
        raise NotCorrectable("Its bank has taken a part of this deposit back.")


def _take_from_customer(
    movement: Transaction, *, wallet: LockedWallet, by: User, approved_by: User | None, note: str
) -> None:
    found = find_deposit_of(movement)
    assert found is not None, "a correctable deposit has its row"
    deposit = Deposit.objects.select_for_update(no_key=True).get(pk=found.pk)
    _ensure_whole(deposit)
    if deposit.customer_id != movement.customer_id:
        raise NotCorrectable
    deposit.state, deposit.customer = DepositState.UNASSIGNED, None
    deposit.decided_by, deposit.approved_by, deposit.decided_at = by, approved_by, wallet.now
    deposit.note = f"corrected: {note}"[:200]
    deposit.save(update_fields=["state", "customer", "decided_by", "approved_by", "decided_at", "note"])
    # The payout that was taken for the deposit has not come back.
    back = Payout.objects.filter(came_back_as=deposit, state=PayoutState.RETURNED)
    back.update(
        state=PayoutState.PAID, came_back_as=None, returned_at=None, paid_at=Coalesce("paid_at", Value(wallet.now))
    )


@transaction.atomic
def give_goodwill(*, customer_id: int, amount: Decimal, name: str) -> None:
    """Give a customer dollars of the house, in the caller's database transaction. Gifts of one `name` are one gift.

    What the customer owes is paid first. Raises NotFound without a dollar wallet, or for a closed account.
    """
    wallet = lock_wallets_to_credit(customer_ids=[customer_id]).get(customer_id)
    if wallet is None:
        raise NotFound("This user has no dollar wallet.")
    reference = f"goodwill:{name}"
    if Transaction.objects.filter(reference=reference).exists():
        return
    gift = Movement(
        amount=amount,
        kind=TransactionKind.GOODWILL,
        house=WalletRole.GOODWILL,
        reference=reference,
        created_at=wallet.now,
    )
    credit(wallet=wallet, movement=gift)
    failpoints.reach("goodwill.given")
