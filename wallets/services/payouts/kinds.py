"""The kinds of proposals about payouts: their approval or rejection, and what came of them."""

from decimal import Decimal
from typing import Any, Final

from wallets.exceptions import NotFound, OwnAccount, ProposalRefused
from wallets.models import GIVEN_BACK, Payout, PayoutFile, PayoutState, User
from wallets.selectors.accounts import is_closed
from wallets.services.payouts.ending import reject_payout
from wallets.services.payouts.leaving import ensure_may_leave, lock_customers
from wallets.services.payouts.outcomes import MAY_BECOME, approve_payout, note_outcome
from wallets.services.pins import ensure_pinned, pins_of_payout
from wallets.services.proposals import Kind, Payload


class _AboutPayout(Kind):
    """A deed about one payout. `payload` names the state that the payout is in, and the one that it gets.

    The proposal's reason stays among staff; the customer reads `told`.
    """

    permissions = ("wallets.decide_payout",)

    def payload_of(self, *, payout: Payout, becomes: PayoutState, told: str = "") -> dict[str, Any]:
        """Return the payload for a payout that is to get another state, and what its customer is told."""
        return {"payout": payout.pk, "state": payout.state, "becomes": becomes.value, "told": told}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        payout = _find(payload)
        if payout.customer_id == asked_by.pk:
            raise OwnAccount
        if payout.state != payload["state"]:
            raise ProposalRefused(f"{payout} is {payout.get_state_display().lower()} meanwhile.")

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        payout = _find(payload)
        named = f"{payout} of {payout.customer}, to {payout.payee.bank_account.masked if payout.payee else 'nobody'}"
        return f"{named}: {payout.get_state_display().lower()}", f"{named}: {payload['becomes']}"

    def beneficiary_id(self, *, payload: Payload) -> int | None:
        return _find(payload).customer_id

    def amount(self, *, payload: Payload) -> Decimal | None:
        return _find(payload).amount


class PayoutKind(_AboutPayout):
    """To let a payout leave, or to reject it. A rejection keeps the money here, so one person suffices."""

    name = "payout"
    title = "Payout"

    def check(self, *, payload: Payload, asked_by: User) -> None:
        super().check(payload=payload, asked_by=asked_by)
        if payload["becomes"] == PayoutState.APPROVED:
            payout = _find(payload)
            if payout.state != PayoutState.REQUESTED:
                raise ProposalRefused(f"{payout} does not wait for approval.")
            customers = lock_customers(customer_ids=[payout.customer_id])
            ensure_may_leave(payout=payout, customer=customers[payout.customer_id])

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        if payload["becomes"] == PayoutState.APPROVED:
            approve_payout(payout_id=payload["payout"])
            return "It is in the next file for the bank."
        reject_payout(payout_id=payload["payout"], reason=payload.get("told", ""))
        return "The dollars are in the customer's wallet again."

    def adds_exposure(self, *, payload: Payload) -> bool:
        return bool(payload["becomes"] == PayoutState.APPROVED)


class PayoutOutcomeKind(_AboutPayout):
    """To say what came of a payout that was sent, or to correct it. If it came back, the customer is credited.

    If it was paid, and the customer has the dollars again, they are taken from the wallet, or owed.
    """

    name = "payout_outcome"
    title = "Outcome of a payout"

    def payload_of(self, *, payout: Payout, becomes: PayoutState, told: str = "") -> dict[str, Any]:
        payload = super().payload_of(payout=payout, becomes=becomes, told=told)
        return {**payload, **pins_of_payout(payout_id=payout.pk)}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        super().check(payload=payload, asked_by=asked_by)
        ensure_pinned(payload, pins_of_payout(payout_id=payload["payout"]), about=_find(payload))
        outcome = PayoutState(payload["becomes"])
        if payload["state"] not in MAY_BECOME[outcome]:
            raise ProposalRefused(f"A payout that is {payload['state']} cannot become {outcome.value}.")
        if outcome is not PayoutState.PAID and is_closed(customer_id=_find(payload).customer_id):
            raise NotFound("The account is closed. Import the bank's statement: the dollars are of nobody there.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        outcome = PayoutState(payload["becomes"])
        note_outcome(payout_id=payload["payout"], outcome=outcome, reason=payload.get("told", ""))
        if outcome is not PayoutState.PAID:
            return "The dollars are in the customer's wallet again."
        return "The dollars were taken again." if payload["state"] in GIVEN_BACK else ""


class ExportKind(Kind):
    """The export of approved payouts to a file for our bank, in whose database transaction it is recorded."""

    name = "export_payouts"
    title = "Export of payouts"
    permissions = ("wallets.export_payout",)
    only_lessens = True  # others have approved what leaves

    def payload_of(self, *, file: PayoutFile) -> dict[str, Any]:
        """Return the payload for a file that was made just now."""
        return {"file": file.pk}

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        return f"{_file(payload).count} payouts are sent."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        file = _file(payload)
        return "", f"{file}: {file.count} payouts, {file.total} USD"


PAYOUT: Final = PayoutKind()
PAYOUT_OUTCOME: Final = PayoutOutcomeKind()
EXPORT: Final = ExportKind()


def _file(payload: Payload) -> PayoutFile:
    return PayoutFile.objects.get(pk=payload["file"])


def _find(payload: Payload) -> Payout:
    payout = Payout.objects.select_related("customer", "payee").filter(pk=payload["payout"]).first()
    if payout is None:
        raise NotFound
    return payout
