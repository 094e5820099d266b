"""Reverses returns that are won back, and takes returns off the to-do page."""

from collections.abc import Collection

from django.db import transaction

from wallets.exceptions import NotFound, ReturnDecided, ReturnRefused
from wallets.models import DepositState, Return, ReturnState, TransactionKind, User, WalletRole
from wallets.runtime import failpoints
from wallets.runtime.clock import database_now
from wallets.services.comparing import find_possible_credit
from wallets.services.ledger.house_moves import book_won_for_nobody
from wallets.services.ledger.moving import Movement, credit
from wallets.services.returns.taking import lock_deposit, name_of


@transaction.atomic
def win_return_back(*, return_id: int, others: Collection[int] = ()) -> Return:
    """Credit the deposit's customer with a return that is won back. What the customer owes is paid first.

    The account stays frozen: to unfreeze it is a decision of its own. `others` are deposits of the same amount that
    have come in since and are other payments. Raises NotFound, ReturnDecided, and ReturnRefused if there is such a
    deposit besides, or the rest of the deposit has gone back to its sender meanwhile.
    """
    deposit_id = Return.objects.filter(pk=return_id).values_list("deposit_id", flat=True).first()
    if deposit_id is None:
        raise NotFound
    locked = lock_deposit(deposit_id=deposit_id)
    row = Return.objects.select_for_update(no_key=True).get(pk=return_id)
    ensure_not_won(row=row, others=others)
    row.state, row.won_at = ReturnState.WON, locked.now
    row.save(update_fields=["state", "won_at"])
    reference = f"{name_of(row)}:won"
    if locked.wallet is not None:
        movement = Movement(
            amount=row.amount,
            kind=TransactionKind.RETURN,
            house=WalletRole.FUNDING,
            reference=reference,
            created_at=locked.now,
        )
        credit(wallet=locked.wallet, movement=movement)
    elif locked.deposit.state == DepositState.UNASSIGNED:
        book_won_for_nobody(amount=row.amount, reference=reference, now=locked.now)
    else:
        raise ReturnRefused("The rest of this deposit has gone back to its sender. Book the dollars as a deposit.")
    failpoints.reach("return.won")
    return row


def ensure_not_won(*, row: Return, others: Collection[int]) -> None:
    """Raise ReturnDecided unless the return is taken and not won back.

    Raises ReturnRefused if a deposit may have brought its dollars already.
    """
    if row.state != ReturnState.TAKEN:
        raise ReturnDecided(state=row.get_state_display())
    if deposit := find_possible_credit(row=row, others=others):
        raise ReturnRefused(
            f"{deposit} has come in since for {deposit.customer or 'nobody'}. If it is the money that is won back, it"
            " needs no other booking. If it is another payment, name its id."
        )


@transaction.atomic
def mark_seen(*, return_id: int, by: User) -> None:
    """Take a return off the to-do page, because somebody has looked at it. Raises NotFound, ReturnDecided."""
    row = Return.objects.select_for_update(no_key=True).filter(pk=return_id).first()
    if row is None:
        raise NotFound
    if row.seen_at is not None or row.state == ReturnState.WAITING:
        raise ReturnDecided(state="seen" if row.seen_at else row.get_state_display())
    row.seen_at, row.seen_by = database_now(), by
    row.save(update_fields=["seen_at", "seen_by"])


@transaction.atomic
def put_aside(*, return_id: int, by: User) -> Return:
    """Take a return whose deposit is not known off the to-do page, because it will hardly come. Books nothing.

    The return still waits: if its deposit comes after all, it is taken back, and the row is there again. Raises
    NotFound, ReturnDecided.
    """
    row = Return.objects.select_for_update(no_key=True).filter(pk=return_id).first()
    if row is None:
        raise NotFound
    ensure_waiting(row=row)
    row.seen_at, row.seen_by = database_now(), by
    row.save(update_fields=["seen_at", "seen_by"])
    return row


def ensure_waiting(*, row: Return) -> None:
    """Raise ReturnDecided unless the return waits for its deposit and is on the to-do page."""
    if row.state != ReturnState.WAITING:
        raise ReturnDecided(state=row.get_state_display())
    if row.seen_at is not None:
        raise ReturnDecided(state="put aside")
