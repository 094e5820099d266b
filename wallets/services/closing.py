"""Closes accounts of customers, for good. Each app says what has to be settled before."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

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
from wallets.services.security_log import read_powers, record_power_changes
from wallets.statements.lines import LineKind

Obstacles = Callable[[int], Iterator[str]]
"""Yields sentences that say why the account of a customer, by id, cannot be closed yet."""

_finders: Final[list[Obstacles]] = []


def register_obstacles(find: Obstacles) -> None:
    """Ask `find` too before an account is closed. Each process does so once, when Django loads the apps."""
    assert find not in _finders, "obstacles are registered once"
    _finders.append(find)


@retried_on_conflict
@transaction.atomic(durable=True)
def close_account(*, customer_id: int, by: User, reason: str) -> ClosedAccount:
    """Disable a customer for good and end their sign-ins. What is personal about them is erased years later.

    The wallets are locked, so no money or order comes in meanwhile. Raises NotFound, and CannotClose with all that is
    in the way: members of staff, money, coins, orders, proposals, debts, a closed account.
    """
    list(Wallet.objects.select_for_update(no_key=True).filter(owner_id=customer_id).order_by("id"))
    customer = User.objects.select_for_update(no_key=True).filter(pk=customer_id).first()
    if customer is None:
        raise NotFound("There is no such customer.")
    if obstacles := list(_find_obstacles(customer, by=by)):
        raise CannotClose(obstacles=obstacles)
    before = read_powers(customer)
    User.objects.filter(pk=customer_id).update(is_active=False)
    customer.refresh_from_db()
    Wallet.objects.filter(owner_id=customer_id).update(frozen=True)
    record_power_changes(user=customer, before=before)
    record_for_staff(customer=customer, by=by, message=f"The account was closed: {reason}")
    return ClosedAccount.objects.create(customer=customer, closed_at=database_now(), closed_by=by, reason=reason[:500])


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
