"""Exports approved payouts to files for our bank. A file's row commits with the state `sent` of its payouts."""

import hashlib
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import transaction

from wallets.bank_accounts import is_bic, read_iban, read_routing
from wallets.exceptions import DomainError, ExportRefused, NotFound
from wallets.models import Payout, PayoutFile, PayoutState, User, Wallet, WalletRole
from wallets.money import USD
from wallets.runtime import failpoints
from wallets.runtime.clock import database_now
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.sealed import ERASED
from wallets.services.payouts.guards import ensure_all_is_known
from wallets.services.payouts.kinds import EXPORT
from wallets.services.payouts.leaving import ensure_may_leave, lock_customers
from wallets.services.payouts.moves import send
from wallets.services.proposals import propose
from wallets.transfer_files import Debtor, Transfer, write_transfers

logger = logging.getLogger(__name__)

MAY_EXPORT: Final = "wallets.export_payout"
_REASON: Final = "They are approved."


@dataclass(kw_only=True)
class Export:
    """The files that were made or still have to be written, and the payouts that may not leave now, with the reason."""

    files: list[PayoutFile] = field(default_factory=list)
    held: dict[Payout, str] = field(default_factory=dict)


def export_payouts(*, by: User) -> Export:
    """Make files for all approved payouts that may leave, and find those that no command has written yet.

    Raises ExportRefused, Busy; then nothing is sent.
    """
    _ensure_may_export(by)
    debtor = _find_debtor()
    ensure_all_is_known()  # also before, because a doubt that is new is kept
    export = Export()
    while _export_some(by=by, debtor=debtor, export=export):
        failpoints.reach("payouts.exported")
    export.files = list(PayoutFile.objects.filter(written_at=None).order_by("id"))
    return export


def find_file(*, message_id: str, by: User) -> PayoutFile:
    """Return a file that was made before. Raises NotFound, and ExportRefused if the person may not export."""
    _ensure_may_export(by)
    found = PayoutFile.objects.filter(message_id=message_id).first()
    if found is None:
        raise NotFound("There is no file of payouts with this message id.")
    return found


def hand_out(*, file: PayoutFile, by: User, write: Callable[[str, bytes], object]) -> None:
    """Give a file's name and bytes to `write`, and then record that it is written. Safe to run again.

    Raises ExportRefused if the stored bytes were altered.
    """
    if file.content == ERASED:
        raise ExportRefused(f"The content of {file} was erased, with the data of a customer in it.")
    content = file.content.encode()
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ExportRefused(f"{file} was altered: its hash is another one.")
    write(f"{file.message_id}.xml", content)
    logger.warning("%s has written %s, of %s payouts and %s USD", by.pk, file, file.count, file.total)
    failpoints.reach("payouts.written")
    PayoutFile.objects.filter(pk=file.pk, written_at=None).update(written_at=database_now())


def _ensure_may_export(by: User) -> None:
    if not (by.is_active and by.is_staff and by.has_perm(MAY_EXPORT)):
        raise ExportRefused("This member of staff may not export payouts.")


def _find_debtor() -> Debtor:
    """Return our account that pays. Raises ExportRefused unless the configuration names it in full."""
    given = settings.PAYOUTS
    account, bank = ("".join(text.split()).upper() for text in (given.account, given.account_bank))
    name = given.account_name.strip()
    if not account or not name or not bank:
        raise ExportRefused("PAYOUT_ACCOUNT, PAYOUT_ACCOUNT_BANK and PAYOUT_ACCOUNT_NAME have to be set.")
    is_iban = account[:2].isalpha()
    try:
        if is_iban:
            read_iban(account)
        if not is_bic(bank):
            read_routing(bank)
    except ValueError as error:
        raise ExportRefused(f"PAYOUT_ACCOUNT or PAYOUT_ACCOUNT_BANK {error}.") from error
    return Debtor(name=name, account=account, is_iban=is_iban, bank=bank)


@retried_on_conflict
@transaction.atomic(durable=True)
def _export_some(*, by: User, debtor: Debtor, export: Export) -> bool:
    """Make one file, and say whether there may be more payouts."""
    ensure_all_is_known()
    # One export after the other. Customers' wallets are locked first everywhere, and nothing waits for them with this.
    approved = Payout.objects.filter(state=PayoutState.APPROVED).exclude(pk__in=[each.pk for each in export.held])
    ids = dict(approved.order_by("id").values_list("pk", "customer_id")[: settings.PAYOUTS.most_in_a_file])
    customers = lock_customers(customer_ids=ids.values())
    Wallet.objects.select_for_update(no_key=True).get(role=WalletRole.PAYABLE, asset=USD, owner=None)
    leaving: list[Payout] = []
    payouts = Payout.objects.filter(pk__in=ids, state=PayoutState.APPROVED).select_related("payee")
    for payout in payouts.order_by("id"):
        try:
            ensure_may_leave(payout=payout, customer=customers[payout.customer_id])
        except DomainError as error:
            export.held[payout] = str(error)
        else:
            leaving.append(payout)
    if leaving:
        _send(leaving, by=by, debtor=debtor, now=database_now())
    return bool(ids)


def _send(payouts: list[Payout], *, by: User, debtor: Debtor, now: datetime) -> None:
    message_id = f"PF{uuid.uuid4().hex[:30].upper()}"
    transfers = [_transfer_of(payout) for payout in payouts]
    content = write_transfers(message_id=message_id, made_at=now, debtor=debtor, transfers=transfers)
    file = PayoutFile.objects.create(
        message_id=message_id,
        content=content.decode(),
        sha256=hashlib.sha256(content).hexdigest(),
        count=len(payouts),
        total=sum(payout.amount for payout in payouts),
        account=debtor.account,
        made_by=by,
        made_at=now,
    )
    of_file = Payout.objects.filter(pk__in=[payout.pk for payout in payouts], state=PayoutState.APPROVED)
    changed = of_file.update(state=PayoutState.SENT, sent_at=now, file=file)
    assert changed == len(payouts), "their wallets are locked"
    send(payouts=payouts, now=now)
    propose(kind=EXPORT.name, payload=EXPORT.payload_of(file=file), reason=_REASON, asked_by=by)
    failpoints.reach("payouts.sending")


def _transfer_of(payout: Payout) -> Transfer:
    assert payout.payee is not None, "it may leave"
    return Transfer(
        end_to_end_id=payout.end_to_end_id,
        amount=payout.amount,
        name=payout.payee.name,
        account=payout.payee.bank_account,
    )
