"""Kinds of proposals that move customers' dollars: returns, corrections, goodwill and write-offs."""

import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from wallets.exceptions import NotFound, OwesLess, OwnAccount, ProposalRefused, ReturnDiffers
from wallets.models import Deposit, Receivable, Return, ReturnState, TransactionKind, User, Wallet
from wallets.money import USD
from wallets.runtime import clock
from wallets.selectors.accounts import is_closed
from wallets.selectors.sealed import open_text
from wallets.services.correcting import correct_movement, find_correctable, give_goodwill
from wallets.services.ledger.debts import write_debt_off
from wallets.services.ledger.locking import lock_customer_wallets
from wallets.services.pins import ensure_pinned, pins_of_debt, pins_of_return
from wallets.services.proposals import Kind, Payload
from wallets.services.returns.receiving import money_of
from wallets.services.returns.taking import Deciders, ReturnedMoney, ensure_returnable, take_return
from wallets.services.returns.winning import (
    ensure_not_won,
    ensure_waiting,
    put_aside,
    win_return_back,
)
from wallets.services.sealing import seal_text


class ReturnKind(Kind):
    """A deposit that its bank took back, in part or in whole."""

    name = "return"
    title = "Return of a deposit"
    permissions = ("wallets.take_return",)

    def payload_of(self, *, deposit_id: int, amount: Decimal, reference: str, note: str) -> dict[str, Any]:
        """Return the payload for a return that staff know of; `reference` is the bank's."""
        owner_id = Deposit.objects.values_list("customer_id", flat=True).filter(pk=deposit_id).first()
        sealed = seal_text(text=reference, customer_id=owner_id)
        return {"deposit": deposit_id, "amount": f"{amount:.2f}", "reference": sealed, "waiting": None, "note": note}

    def payload_for_waiting(self, *, waiting: Return, deposit_id: int, note: str) -> dict[str, Any]:
        """Return the payload for a return that has waited for its deposit."""
        payload = self.payload_of(deposit_id=deposit_id, amount=waiting.amount, reference=waiting.reference, note=note)
        return {**payload, "waiting": waiting.pk}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        deposit, reference = _deposit_of(payload), open_text(text=payload["reference"])
        if not reference:
            raise ProposalRefused("Give the bank's reference.")
        if deposit.customer_id == asked_by.pk:
            raise OwnAccount
        ensure_returnable(deposit=deposit, amount=Decimal(payload["amount"]))
        if payload["waiting"] is not None:
            if Return.objects.get(pk=payload["waiting"]).source != deposit.source:
                raise ReturnDiffers
        elif Return.objects.filter(source=deposit.source, reference=reference).exists():
            raise ReturnDiffers

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        row = take_return(
            money=self._money(payload),
            deposit_id=payload["deposit"],
            deciders=Deciders(by=asked_by, approved_by=approved_by),
            waiting_id=payload["waiting"],
        )
        return f"{row}: {row.taken} USD were in the wallet, {row.owed} USD are owed."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        deposit = _deposit_of(payload)
        whose = deposit.customer or "nobody"
        return (
            f"{deposit} of {whose}, {deposit.returned} USD taken back",
            f"{deposit} of {whose}: a further {payload['amount']} USD taken back" + _beside_returns(deposit, payload),
        )

    def amount(self, *, payload: Payload) -> Decimal | None:
        return Decimal(payload["amount"])

    def _money(self, payload: Payload) -> ReturnedMoney:
        if payload["waiting"] is not None:
            return money_of(Return.objects.get(pk=payload["waiting"]))
        return ReturnedMoney(
            amount=Decimal(payload["amount"]),
            source=_deposit_of(payload).source,
            reference=open_text(text=payload["reference"]),
            received_at=clock.database_now(),
            note=payload["note"],
        )


class WonBackKind(Kind):
    """A return that is won back: the bank has given the dollars to us again, and their customer gets them."""

    name = "won_back"
    title = "Return that is won back"
    permissions = ("wallets.take_return",)

    def payload_of(self, *, return_id: int, others: Sequence[int] = ()) -> dict[str, Any]:
        """Return the payload for a return; `others` are deposits since then of its amount that are other payments."""
        return {"return": return_id, "others": sorted(others)}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        ensure_not_won(row=_return_of(payload), others=self._others(payload))

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        return f"{win_return_back(return_id=payload['return'], others=self._others(payload))} is won back."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        row, others = _return_of(payload), self._others(payload)
        besides = f"; other payments: deposits {', '.join(map(str, others))}" if others else ""
        return f"{row}: {row.get_state_display().lower()}", f"{row}: {ReturnState.WON.label}{besides}"

    def beneficiary_id(self, *, payload: Payload) -> int | None:
        deposit = _return_of(payload).deposit
        return deposit.customer_id if deposit else None

    def amount(self, *, payload: Payload) -> Decimal | None:
        return _return_of(payload).amount

    def _others(self, payload: Payload) -> list[int]:
        return payload.get("others") or []


class PutAsideKind(Kind):
    """A return whose deposit never came, which staff take off the to-do page. It books nothing.

    Two persons say that nothing is to be booked, because the dollars have left our account.
    """

    name = "put_aside"
    title = "Putting a return aside"
    permissions = ("wallets.take_return",)

    def payload_of(self, *, return_id: int) -> dict[str, Any]:
        """Return the payload for a return that waits for its deposit."""
        return {"return": return_id, **pins_of_return(return_id=return_id)}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        row = _return_of(payload)
        ensure_waiting(row=row)
        ensure_pinned(payload, pins_of_return(return_id=row.pk), about=row)

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        return f"{put_aside(return_id=payload['return'], by=approved_by or asked_by)} is put aside."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        row = _return_of(payload)
        return f"{row} of {row.source}: {ReturnState.WAITING.label}", f"{row}: put aside"

    def amount(self, *, payload: Payload) -> Decimal | None:
        return _return_of(payload).amount


class CorrectionKind(Kind):
    """The reversal of a deposit, a withdrawal or goodwill that staff booked wrongly."""

    name = "correction"
    title = "Correction"
    permissions = ("wallets.correct_movement",)

    def payload_of(self, *, movement_id: int, note: str) -> dict[str, Any]:
        """Return the payload for the correction of a movement."""
        return {"movement": movement_id, "note": note}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        if find_correctable(movement_id=payload["movement"]).customer_id == asked_by.pk:
            raise OwnAccount

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        correction = correct_movement(
            movement_id=payload["movement"], by=asked_by, approved_by=approved_by, note=payload["note"]
        )
        return f"Reversed: the wallet of {correction.customer} holds {correction.balance_after} USD then."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        movement = find_correctable(movement_id=payload["movement"])
        what = f"{movement.get_kind_display()} of {movement.amount:.2f} USD, {movement.customer}, {movement.reference}"
        return what, f"{what}: reversed"

    def beneficiary_id(self, *, payload: Payload) -> int | None:
        movement = find_correctable(movement_id=payload["movement"])
        return movement.customer_id if movement.kind == TransactionKind.WITHDRAWAL else None

    def amount(self, *, payload: Payload) -> Decimal | None:
        return find_correctable(movement_id=payload["movement"]).amount


class GoodwillKind(Kind):
    """A gift of the house to a customer."""

    name = "goodwill"
    title = "Goodwill"
    permissions = ("wallets.give_goodwill",)

    def payload_of(self, *, customer_id: int, amount: Decimal) -> dict[str, Any]:
        """Return the payload for a gift, which has a name of its own."""
        return {"customer": customer_id, "amount": f"{amount:.2f}", "name": str(uuid.uuid4())}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        if not Wallet.objects.filter(owner_id=payload["customer"], asset=USD).exists():
            raise NotFound("This user has no dollar wallet.")
        if is_closed(customer_id=payload["customer"]):
            raise NotFound("The account is closed, so nobody would have the gift.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        give_goodwill(customer_id=payload["customer"], amount=Decimal(payload["amount"]), name=payload["name"])
        return f"{payload['amount']} USD are given."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        return "", f"{payload['amount']} USD of goodwill for {User.objects.get(pk=payload['customer'])}"

    def beneficiary_id(self, *, payload: Payload) -> int | None:
        return int(payload["customer"])

    def amount(self, *, payload: Payload) -> Decimal | None:
        return Decimal(payload["amount"])


class WriteOffKind(Kind):
    """A debt, or a part of it, that will not be paid."""

    name = "write_off"
    title = "Write-off of a debt"
    permissions = ("wallets.settle_debt",)

    def payload_of(self, *, customer_id: int, amount: Decimal) -> dict[str, Any]:
        """Return the payload for a write-off, which has a name of its own."""
        named = {"customer": customer_id, "amount": f"{amount:.2f}", "name": str(uuid.uuid4())}
        return {**named, **pins_of_debt(kind=self.name, customer_id=customer_id)}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        lock_customer_wallets(asset=USD, customer_ids=[payload["customer"]])  # two may be approved at once
        owed = debt_of(customer_id=payload["customer"])
        if owed < Decimal(payload["amount"]):
            raise OwesLess(owed=owed)
        pins = pins_of_debt(kind=self.name, customer_id=payload["customer"])
        ensure_pinned(payload, pins, about="what the customer owes")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        write_debt_off(
            customer_id=payload["customer"],
            amount=Decimal(payload["amount"]),
            name=payload["name"],
            now=clock.database_now(),
        )
        return f"{payload['amount']} USD are written off."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        customer = User.objects.get(pk=payload["customer"])
        return f"{customer} owes {debt_of(customer_id=customer.pk)} USD", f"{payload['amount']} USD of it written off"

    def beneficiary_id(self, *, payload: Payload) -> int | None:
        return int(payload["customer"])

    def amount(self, *, payload: Payload) -> Decimal | None:
        return Decimal(payload["amount"])


def debt_of(*, customer_id: int) -> Decimal:
    """Return what a customer owes, in US dollars."""
    owed = Receivable.objects.filter(customer_id=customer_id).values_list("amount", flat=True).first()
    return owed or Decimal(0)


def _beside_returns(deposit: Deposit, payload: Payload) -> str:
    """Name the returns of this amount that the deposit has already: it may be the same one."""
    same = deposit.returns.filter(amount=Decimal(payload["amount"])).order_by("id")[:10]
    return f"; compare with {', '.join(map(str, same))}" if same else ""


def _return_of(payload: Payload) -> Return:
    row = Return.objects.select_related("deposit").filter(pk=payload["return"]).first()
    if row is None:
        raise NotFound
    return row


def _deposit_of(payload: Payload) -> Deposit:
    deposit = Deposit.objects.select_related("customer").filter(pk=payload["deposit"]).first()
    if deposit is None:
        raise NotFound
    return deposit


RETURN: Final = ReturnKind()
WON_BACK: Final = WonBackKind()
PUT_ASIDE: Final = PutAsideKind()
CORRECTION: Final = CorrectionKind()
GOODWILL: Final = GoodwillKind()
WRITE_OFF: Final = WriteOffKind()
MONEY_KINDS: Final = (RETURN, WON_BACK, PUT_ASIDE, CORRECTION, GOODWILL, WRITE_OFF)
