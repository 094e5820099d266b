"""The kinds of proposals of the money side, and their registration: deposits, payouts, powers and freezing."""

from typing import Any, Final

from wallets.exceptions import OwnAccount, ProposalRefused
from wallets.models import SecurityEventKind, User, Wallet
from wallets.money import USD
from wallets.selectors.accounts import is_closed
from wallets.services.accounts import ensure_owes_nothing, freeze_within_transaction, unfreeze_within_transaction
from wallets.services.closing import CLOSE_CUSTOMER
from wallets.services.customer_names import CUSTOMER_NAME
from wallets.services.deposit_kinds import DEPOSIT_KINDS
from wallets.services.exporting import EXPORT_CUSTOMER
from wallets.services.ledger.locking import lock_customer_wallets
from wallets.services.money_kinds import MONEY_KINDS
from wallets.services.payouts.kinds import EXPORT, PAYOUT, PAYOUT_OUTCOME
from wallets.services.payouts.line_kinds import LINE_KINDS
from wallets.services.powers import GroupDeletionKind, GroupPermissionsKind, UserPowersKind
from wallets.services.proposals import Kind, Payload, register
from wallets.services.recorded_kinds import REJECT_STATEMENT, SEND_LINK
from wallets.services.security_log import find_last_event


class UnfreezeKind(Kind):
    """To let a frozen customer move money again. To freeze one needs one person only, and is no proposal."""

    name = "unfreeze"
    title = "Unfreezing"
    permissions = ("wallets.freeze_user",)

    def payload_of(self, *, owner_id: int) -> dict[str, Any]:
        """Return the payload for unfreezing a customer, who was frozen for a reason that staff know now."""
        return {"customer": owner_id, "last": _last_freezing(owner_id)}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        if payload["customer"] == asked_by.pk:
            raise OwnAccount
        if is_closed(customer_id=payload["customer"]):
            raise ProposalRefused("The account is closed for good.")
        lock_customer_wallets(asset=USD, customer_ids=[payload["customer"]])
        ensure_owes_nothing(customer_id=payload["customer"])
        if _last_freezing(payload["customer"]) != payload.get("last"):
            raise ProposalRefused("The customer was frozen or unfrozen meanwhile. Look at them, and ask again.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        unfreeze_within_transaction(owner_id=payload["customer"])
        return f"{User.objects.get(pk=payload['customer'])} may move money again."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        customer = User.objects.get(pk=payload["customer"])
        return f"{customer}: {_standing(customer)}", f"{customer}: not frozen"

    def beneficiary_id(self, *, payload: Payload) -> int | None:
        customer_id: int = payload["customer"]
        return customer_id


class FreezeKind(Kind):
    """To stop a customer from moving money."""

    name = "freeze"
    title = "Freezing"
    permissions = ("wallets.freeze_user",)
    only_lessens = True

    def payload_of(self, *, owner_id: int) -> dict[str, Any]:
        """Return the payload for freezing a customer."""
        return {"customer": owner_id}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        if payload["customer"] == asked_by.pk:
            raise OwnAccount

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        freeze_within_transaction(owner_id=payload["customer"])
        return f"{User.objects.get(pk=payload['customer'])} moves no money any more."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        customer = User.objects.get(pk=payload["customer"])
        return f"{customer}: {_standing(customer)}", f"{customer}: frozen"


UNFREEZE: Final = UnfreezeKind()
FREEZE: Final = FreezeKind()
USER_POWERS: Final = UserPowersKind()
GROUP_PERMISSIONS: Final = GroupPermissionsKind()
GROUP_DELETION: Final = GroupDeletionKind()
_FOR_THE_RECORD: Final = (GROUP_DELETION, REJECT_STATEMENT, SEND_LINK, EXPORT, EXPORT_CUSTOMER, CLOSE_CUSTOMER)


def register_kinds() -> None:
    """Make the kinds of the money side known."""
    of_money = (*DEPOSIT_KINDS, PAYOUT, PAYOUT_OUTCOME, *LINE_KINDS, *MONEY_KINDS)
    for kind in (UNFREEZE, FREEZE, USER_POWERS, GROUP_PERMISSIONS, CUSTOMER_NAME, *_FOR_THE_RECORD, *of_money):
        register(kind)


def _last_freezing(owner_id: int) -> int | None:
    return find_last_event(User.objects.get(pk=owner_id), SecurityEventKind.FROZEN, SecurityEventKind.UNFROZEN)


def _standing(customer: User) -> str:
    is_frozen = Wallet.objects.filter(owner=customer, asset=USD, frozen=True).exists()
    return "frozen" if is_frozen else "not frozen"
