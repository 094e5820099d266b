"""Closes accounts of customers, for good. Each app says what has to be settled before."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from wallets.exceptions import CannotClose, NotFound
from wallets.models import (
    PAYABLE,
    ClosedAccount,
    Payout,
    PayoutState,
    Proposal,
    Receivable,
    StatementLine,
    User,
    Wallet,
)
from wallets.runtime.clock import database_now
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.proposals import is_open
from wallets.services.exporting import record_for_staff
from wallets.services.proposals import Kind, Payload, propose
from wallets.services.security_log import read_powers, record_power_changes
from wallets.statements.lines import LineKind

Obstacles = Callable[[int], Iterator[str]]
"""Yields sentences that say why the account of a customer, by id, cannot be closed yet."""

_finders: Final[list[Obstacles]] = []


def register_obstacles(find: Obstacles) -> None:
    """Ask `find` too before an account is closed. Each process does so once, when Django loads the apps."""
    assert find not in _finders, "obstacles are registered once"
    _finders.append(find)


class CloseCustomerKind(Kind):
    """The end of a customer's account, for good. Nothing is left in it."""

    name = "close_customer"
    title = "Closing of an account"
    permissions = ("wallets.freeze_user",)
    only_lessens = True

    def payload_of(self, *, customer_id: int, reason: str) -> dict[str, Any]:
        """Return the payload for closing the account of a customer."""
        return {"customer": customer_id, "reason": reason}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        if obstacles := list(_find_obstacles(_lock(payload), by=asked_by)):
            raise CannotClose(obstacles=obstacles)

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        customer = _lock(payload)
        _close(customer, by=asked_by, reason=payload["reason"])
        return f"{customer} is closed for good."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        customer = _lock(payload)
        return f"{customer}: an account", f"{customer}: closed for good"


CLOSE_CUSTOMER: Final = CloseCustomerKind()


@retried_on_conflict
@transaction.atomic(durable=True)
def close_account(*, customer_id: int, by: User, reason: str) -> ClosedAccount:
    """Disable a customer for good and end their sign-ins. What is personal about them is erased years later.

    The wallets are locked, so no money or order comes in meanwhile. Raises NotFound, ProposalRefused if the person may
    not, and CannotClose with all that is in the way: members of staff, money, coins, orders, proposals, debts, a closed
    account.
    """
    payload = CLOSE_CUSTOMER.payload_of(customer_id=customer_id, reason=reason[:500])
    propose(kind=CLOSE_CUSTOMER.name, payload=payload, reason=reason[:500], asked_by=by)
    return ClosedAccount.objects.get(pk=customer_id)


def _lock(payload: Payload) -> User:
    list(Wallet.objects.select_for_update(no_key=True).filter(owner_id=payload["customer"]).order_by("id"))
    customer = User.objects.select_for_update(no_key=True).filter(pk=payload["customer"]).first()
    if customer is None:
        raise NotFound("There is no such customer.")
    return customer


def _close(customer: User, *, by: User, reason: str) -> None:
    before = read_powers(customer)
    User.objects.filter(pk=customer.pk).update(is_active=False)
    customer.refresh_from_db()
    Wallet.objects.filter(owner=customer).update(frozen=True)
    record_power_changes(user=customer, before=before)
    record_for_staff(customer=customer, by=by, message=f"The account was closed: {reason}")
    ClosedAccount.objects.create(customer=customer, closed_at=database_now(), closed_by=by, reason=reason)


def _find_obstacles(customer: User, *, by: User) -> Iterator[str]:
    if by.pk == customer.pk:
        yield "Nobody closes their own account."
    if customer.is_staff or customer.is_superuser:
        yield "They are a member of staff."
    if ClosedAccount.objects.filter(pk=customer.pk).exists():
        yield "The account is closed already."
    for asset, balance in Wallet.objects.filter(owner=customer, balance__gt=0).values_list("asset", "balance"):
        yield f"They have {(balance or Decimal(0)).normalize():f} {asset}."
    for debt in Receivable.objects.filter(customer=customer, amount__gt=0):
        yield f"They owe {debt.amount} USD."
    if Payout.objects.filter(customer=customer, state__in=[*PAYABLE, PayoutState.SENT]).exists():
        yield "A payout of theirs is under way."
    lines = StatementLine.objects.filter(customer=customer, kind=LineKind.CREDIT.value, deposit=None)
    if lines.filter(statement__state__in=["waiting", "approved"]).exists():
        yield "A bank statement that is not credited yet has money for them."
    about = Q(beneficiary=customer) | Q(asked_by=customer) | Q(payload__customer=customer.pk)
    if Proposal.objects.filter(about | Q(payload__user=customer.pk), is_open(now=database_now())).exists():
        yield "A proposal about them waits for a decision."
    for find in _finders:
        yield from find(customer.pk)
