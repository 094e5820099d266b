"""Kinds of proposals about dollars that come in: deposits that staff book, bank statements, and deposits of nobody."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

from django.db import transaction

from wallets.exceptions import DepositDecided, NotFound, OwnAccount, ProposalRefused
from wallets.models import Deposit, DepositState, Proposal, Statement, StatementLine, StatementState, User, Wallet
from wallets.money import USD
from wallets.runtime import clock
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.proposals import list_open_proposals
from wallets.selectors.sealed import open_text
from wallets.services.comparing import list_alike
from wallets.services.crediting_statements import approve_statement, lock_waiting_statement
from wallets.services.deposits import (
    OPENING,
    SANDBOX,
    Decision,
    IncomingMoney,
    assign_deposit,
    book_deposit,
    send_deposit_back,
)
from wallets.services.importing import lock_last_statement
from wallets.services.our_accounts import our_account
from wallets.services.pins import ensure_pinned, pins_of_deposit
from wallets.services.proposals import Kind, Payload, propose
from wallets.services.sealing import seal_text
from wallets.statements.lines import LineKind, printable, reference_of

_WITHOUT_BANK: Final = frozenset({SANDBOX.upper(), OPENING.upper()})


class DepositKind(Kind):
    """A deposit that staff book by hand: they have seen it on our account, and no statement will tell of it."""

    name = "deposit"
    title = "Deposit"
    permissions = ("wallets.add_deposit",)

    def payload_of(
        self, *, customer_id: int, amount: Decimal, source: str, reference: str, received_on: date
    ) -> dict[str, Any]:
        """Return the payload; `source` is our account's IBAN or number, `reference` the bank's name for the payment.

        Raises StatementRefused for an account or a reference that cannot be one.
        """
        return {
            "customer": customer_id,
            "amount": f"{amount:.2f}",
            "source": our_account(source),
            "reference": _seal(reference_of(printable(reference), place="The deposit"), customer_id=customer_id),
            "received_on": received_on.isoformat(),
        }

    def check(self, *, payload: Payload, asked_by: User) -> None:
        if Decimal(payload["amount"]) <= 0:
            raise ProposalRefused("A deposit is more than zero.")
        if not payload["reference"]:
            raise ProposalRefused("Give the reference by which the bank knows the payment.")
        if payload["source"] in _WITHOUT_BANK:
            raise ProposalRefused("Name the account of ours that has received the money.")
        if date.fromisoformat(payload["received_on"]) > clock.database_now().date():
            raise ProposalRefused("The day is in the future.")
        _ensure_customer(payload)
        _ensure_not_received(source=payload["source"], reference=open_text(text=payload["reference"]))

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        money = IncomingMoney(
            amount=Decimal(payload["amount"]),
            source=payload["source"],
            reference=open_text(text=payload["reference"]),
            received_at=datetime.combine(date.fromisoformat(payload["received_on"]), time(), tzinfo=UTC),
        )
        decision = Decision(by=asked_by, approved_by=approved_by, note="booked by staff")
        deposit_id = book_deposit(money=money, customer_id=payload["customer"], decision=decision)
        return f"deposit {deposit_id} is booked."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        customer = User.objects.get(pk=payload["customer"])
        came = f"received by {payload['source']} on {payload['received_on']}"
        return "", f"{payload['amount']} USD for {customer}: {came}{_beside_deposits(payload)}"

    def beneficiary_id(self, *, payload: Payload) -> int | None:
        customer_id: int = payload["customer"]
        return customer_id

    def amount(self, *, payload: Payload) -> Decimal | None:
        return Decimal(payload["amount"])


@dataclass
class _OfNobodyKind(Kind):
    """A decision about a deposit that belongs to nobody yet. After a correction it does so again, for other reasons."""

    name: str
    title: str
    permissions: tuple[str, ...] = ("wallets.decide_deposit",)

    def check(self, *, payload: Payload, asked_by: User) -> None:
        deposit = _deposit_of(payload)
        if deposit.state != DepositState.UNASSIGNED:
            raise DepositDecided(state=deposit.get_state_display())
        ensure_pinned(payload, pins_of_deposit(deposit), about=deposit)

    def amount(self, *, payload: Payload) -> Decimal | None:
        return _deposit_of(payload).amount


class AssignmentKind(_OfNobodyKind):
    """The assignment of a deposit of nobody to a customer."""

    def payload_of(self, *, deposit: Deposit, customer_id: int, note: str) -> dict[str, Any]:
        """Return the payload for crediting a customer with a deposit; the note is stored with it."""
        return {"deposit": deposit.pk, "customer": customer_id, "note": note, **pins_of_deposit(deposit)}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        super().check(payload=payload, asked_by=asked_by)
        _ensure_customer(payload)

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        decision = Decision(by=asked_by, approved_by=approved_by, note=payload["note"])
        assign_deposit(deposit_id=payload["deposit"], customer_id=payload["customer"], decision=decision)
        return f"deposit {payload['deposit']} is credited."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        what, customer = _in_words(payload), User.objects.get(pk=payload["customer"])
        deposit = _deposit_of(payload)
        alike = list_alike(
            customer_id=customer.pk,
            source=deposit.source,
            amount=deposit.amount,
            received_on=deposit.received_at.date(),
        )
        return f"{what}: of nobody", f"{what}: for {customer}{_compare_with(alike)}"

    def beneficiary_id(self, *, payload: Payload) -> int | None:
        customer_id: int = payload["customer"]
        return customer_id


class SendBackKind(_OfNobodyKind):
    """To book that a deposit of nobody goes back to its sender."""

    def payload_of(self, *, deposit: Deposit, note: str) -> dict[str, Any]:
        """Return the payload for sending a deposit back; the note is stored with it."""
        return {"deposit": deposit.pk, "note": note, **pins_of_deposit(deposit)}

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        decision = Decision(by=asked_by, approved_by=approved_by, note=payload["note"])
        send_deposit_back(deposit_id=payload["deposit"], decision=decision)
        return f"deposit {payload['deposit']} is booked back: order the transfer at the bank."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        what = _in_words(payload)
        return f"{what}: of nobody", f"{what}: back to its sender"


class ImportKind(Kind):
    """The approval of an imported bank statement, whose credits then become deposits.

    The person who imported a statement does not approve it, and no line of it credits a person who takes part.
    """

    name = "import"
    title = "Bank statement"
    permissions = ("wallets.add_statement", "wallets.approve_statement")

    def payload_of(self, *, statement: Statement) -> dict[str, Any]:
        """Return the payload for crediting a statement."""
        return {"statement": statement.pk}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        statement = lock_waiting_statement(statement_id=payload["statement"])
        if statement.lines.filter(customer=asked_by).exists():
            raise OwnAccount

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        approve_statement(statement_id=payload["statement"], by=asked_by, approved_by=approved_by)
        return f"statement {payload['statement']} is approved; its lines are credited one after the other."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        statement = Statement.objects.get(pk=payload["statement"])
        told = f"{statement}: {statement.credits} USD of credits, closing with {statement.closing} USD"
        return f"{statement}: {statement.get_state_display().lower()}", f"{told}, credited{_in_lines(statement)}"

    def amount(self, *, payload: Payload) -> Decimal | None:
        return Statement.objects.values_list("credits", flat=True).filter(pk=payload["statement"]).first()


DEPOSIT: Final = DepositKind()
ASSIGNMENT: Final = AssignmentKind(name="assignment", title="Assignment of a deposit")
SEND_BACK: Final = SendBackKind(name="send_back", title="Sending a deposit back")
IMPORT: Final = ImportKind()
DEPOSIT_KINDS: Final = (DEPOSIT, ASSIGNMENT, SEND_BACK, IMPORT)


@retried_on_conflict
@transaction.atomic
def ask_to_credit(*, statement_id: int, asked_by: User, reason: str) -> Proposal | None:
    """Propose to credit a statement, or find the proposal that waits already. None if somebody has decided about it.

    Raises what `propose` raises.
    """
    statement = Statement.objects.select_for_update(no_key=True).filter(pk=statement_id).first()
    if statement is None:
        raise NotFound
    if statement.state != StatementState.WAITING:
        return None
    payload = IMPORT.payload_of(statement=statement)
    open_ = list_open_proposals(now=clock.database_now()).filter(kind=IMPORT.name, payload=payload)
    return open_.first() or propose(kind=IMPORT.name, payload=payload, reason=reason, asked_by=asked_by)


def _seal(reference: str, *, customer_id: int) -> str:
    """Return a bank's reference, which may name the payer, as the record keeps it. An empty one stays empty."""
    return seal_text(text=reference, customer_id=customer_id) if reference else ""


def _ensure_customer(payload: Payload) -> None:
    if not Wallet.objects.filter(owner=payload["customer"], asset=USD).exists():
        raise NotFound("This user has no dollar wallet.")


def _ensure_not_received(*, source: str, reference: str) -> None:
    """Raise ProposalRefused if the account has received the payment, or a statement in force tells of it.

    The last statement stays locked, so that none is imported until the deposit is booked.
    """
    lock_last_statement(account=source)
    spellings = {reference, reference.upper(), reference.lower()}
    if earlier := Deposit.objects.filter(source=source, reference__in=spellings).first():
        raise ProposalRefused(f"A payment of this reference was received before, as {earlier}.")
    told = StatementLine.objects.filter(key__in=spellings, statement__account=source)
    if line := told.exclude(statement__state=StatementState.REJECTED).first():
        raise ProposalRefused(f"The payment of this reference is {line}. Approve that instead.")


def _beside_deposits(payload: Payload) -> str:
    """Name the customer's deposits of this amount and these days: it may be one of them, under another reference."""
    alike = list_alike(
        customer_id=payload["customer"],
        source=payload["source"],
        amount=Decimal(payload["amount"]),
        received_on=date.fromisoformat(payload["received_on"]),
    )
    return _compare_with(alike)


def _compare_with(alike: list[Deposit]) -> str:
    return f"; compare with {', '.join(map(str, alike))}" if alike else ""


def _in_lines(statement: Statement) -> str:
    """Say what the lines of a statement are that do more than credit, and which other accounts have the same file."""
    taken_back = statement.lines.filter(kind=LineKind.TAKEN_BACK).count()
    of_payouts = statement.lines.exclude(end_to_end_id="").count()
    same = Statement.objects.filter(sha256=statement.sha256).exclude(pk=statement.pk)
    told = (
        f"{taken_back} lines take deposits back" if taken_back else "",
        f"{of_payouts} lines name payouts" if of_payouts else "",
        *(f"the same file is {each}" for each in same.exclude(state=StatementState.REJECTED).order_by("id")[:10]),
    )
    return "".join(f"; {each}" for each in told if each)


def _deposit_of(payload: Payload) -> Deposit:
    deposit = Deposit.objects.filter(pk=payload["deposit"]).first()
    if deposit is None:
        raise NotFound
    return deposit


def _in_words(payload: Payload) -> str:
    deposit = _deposit_of(payload)
    return f"{deposit}, received by {deposit.source} on {deposit.received_at:%Y-%m-%d}"
