"""The kinds of proposals about debits that answer nothing, and about payouts that came back as deposits."""

from decimal import Decimal
from typing import Any, Final

from wallets.exceptions import NotFound, OwnAccount
from wallets.models import Deposit, Payout, StatementLine, User, Wallet
from wallets.money import USD
from wallets.services.deposits import Decision
from wallets.services.payouts.coming_back import ensure_may_be, find_deposit, take_back_as_deposit
from wallets.services.payouts.debits import charge_debit, ensure_chargeable, explain_debit, find_open_debit
from wallets.services.pins import ensure_pinned, pins_of_deposit, pins_of_payout
from wallets.services.proposals import Kind, Payload


class ExplainDebitKind(Kind):
    """To take a debit that answers nothing off the to-do page: a fee of the bank, a transfer of our own. Books nothing.

    Two persons say that no customer has got the dollars, because they have left our account.
    """

    name = "explain_debit"
    title = "Explanation of a debit"
    permissions = ("wallets.decide_payout",)

    def payload_of(self, *, line_id: int) -> dict[str, Any]:
        """Return the payload for a line of a statement."""
        return {"line": line_id}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        find_open_debit(line_id=payload["line"])

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        return f"{explain_debit(line_id=payload['line'], by=approved_by or asked_by)} is explained."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        told = _in_words(find_open_debit(line_id=payload["line"]))
        return f"{told}: answers nothing", f"{told}: concerns no customer"

    def amount(self, *, payload: Payload) -> Decimal | None:
        return find_open_debit(line_id=payload["line"]).amount


class ChargeDebitKind(Kind):
    """To take a debit that answers nothing from the customer to whom it has paid. What they do not have, they owe."""

    name = "charge_debit"
    title = "Charge for a debit"
    permissions = ("wallets.decide_payout",)

    def payload_of(self, *, line_id: int, customer_id: int) -> dict[str, Any]:
        """Return the payload for a line of a statement."""
        return {"line": line_id, "customer": customer_id}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        if payload["customer"] == asked_by.pk:
            raise OwnAccount
        if not Wallet.objects.filter(owner_id=payload["customer"], asset=USD).exists():
            raise NotFound("This user has no dollar wallet.")
        line = find_open_debit(line_id=payload["line"])
        ensure_chargeable(line=line, customer_id=payload["customer"])

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        by = approved_by or asked_by
        payout, owed = charge_debit(line_id=payload["line"], customer_id=payload["customer"], by=by)
        return f"{payout}, is paid; {owed} USD of it are owed."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        line = find_open_debit(line_id=payload["line"])
        told, payout = _in_words(line), line.contradicts
        names = f"names {payout}, which is {payout.get_state_display().lower()}" if payout else "answers nothing"
        return f"{told}: {names}", f"{told}: has paid {User.objects.get(pk=payload['customer'])}"

    def amount(self, *, payload: Payload) -> Decimal | None:
        return find_open_debit(line_id=payload["line"]).amount


class CameBackKind(Kind):
    """To say that a deposit of nobody is a payout that has come back."""

    name = "came_back"
    title = "Payout that came back as a deposit"
    permissions = ("wallets.decide_deposit",)

    def payload_of(self, *, deposit: Deposit, payout_id: int, note: str) -> dict[str, Any]:
        """Return the payload for a deposit and a payout; the note is stored with the deposit."""
        named = {"deposit": deposit.pk, "payout": payout_id, "note": note}
        return {**named, **self._pins(deposit, payout_id)}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        payout = self._payout(payload)
        if payout.customer_id == asked_by.pk:
            raise OwnAccount
        deposit = find_deposit(deposit_id=payload["deposit"])
        ensure_may_be(payout=payout, deposit=deposit)
        ensure_pinned(payload, self._pins(deposit, payout.pk), about=f"{deposit} or {payout}")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        decision = Decision(by=asked_by, approved_by=approved_by, note=payload["note"])
        payout = take_back_as_deposit(payout_id=payload["payout"], deposit_id=payload["deposit"], decision=decision)
        return f"{payout}, has come back."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        deposit, payout = find_deposit(deposit_id=payload["deposit"]), self._payout(payload)
        return f"{deposit}: of nobody", f"{deposit}: {payout} of {payout.customer}, which came back"

    def beneficiary_id(self, *, payload: Payload) -> int | None:
        return self._payout(payload).customer_id

    def amount(self, *, payload: Payload) -> Decimal | None:
        return find_deposit(deposit_id=payload["deposit"]).amount

    def _payout(self, payload: Payload) -> Payout:
        payout = Payout.objects.select_related("customer").filter(pk=payload["payout"]).first()
        if payout is None:
            raise NotFound("There is no such payout.")
        return payout

    def _pins(self, deposit: Deposit, payout_id: int) -> dict[str, Any]:
        return {**pins_of_deposit(deposit), **pins_of_payout(payout_id=payout_id)}


EXPLAIN_DEBIT: Final = ExplainDebitKind()
CHARGE_DEBIT: Final = ChargeDebitKind()
CAME_BACK: Final = CameBackKind()
LINE_KINDS: Final = (EXPLAIN_DEBIT, CHARGE_DEBIT, CAME_BACK)


def _in_words(line: StatementLine) -> str:
    return f"{line}, debit of {line.amount} USD on {line.booked_on}"
