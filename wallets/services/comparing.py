"""Compares lines of statements with what staff have booked by hand, so that the same dollars are credited once.

A line that may tell of them again becomes a deposit of nobody: staff compare.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Q, QuerySet

from wallets.models import Deposit, DepositState, Return, ReturnState, StatementLine
from wallets.statements.lines import KNOWN

BOOKED_BY_HAND: Final = "staff have booked a deposit of this amount by hand: compare whether this is the same one"
WON_BY_HAND: Final = "staff have booked a return of this amount as won back: compare whether this is that money"
_DAYS_OF_A_DEPOSIT: Final = timedelta(days=10)
_DAYS_OF_A_DISPUTE: Final = timedelta(days=90)


def note_what_staff_have_booked(*, lines: Sequence[StatementLine], account: str, now: datetime) -> None:
    """Set the remark of credits that may tell of a deposit by hand, or of a return that is won back. Two queries.

    The customers' wallets are locked, so what staff book at the same time is seen here, or they see the deposit.
    """
    ours = [line for line in lines if line.customer_id and line.remark != KNOWN]
    by_hand = _by_hand(account, {line.customer_id for line in ours}, {line.amount for line in ours})
    won = set(_won(account, {line.amount for line in ours}, now).values_list("customer_id", "amount"))
    for line in ours:
        if any(_is_near(day, line.booked_on) for day in by_hand.get((line.customer_id, line.amount), [])):
            line.remark = BOOKED_BY_HAND
        elif (line.customer_id, line.amount) in won:
            line.remark = WON_BY_HAND


def list_alike(*, customer_id: int, source: str, amount: Decimal, received_on: date) -> list[Deposit]:
    """Return the customer's deposits of an amount that our account received at about that day, at most ten."""
    middle = datetime.combine(received_on, time(), tzinfo=UTC)
    days = (middle - _DAYS_OF_A_DEPOSIT, middle + _DAYS_OF_A_DEPOSIT)
    alike = Deposit.objects.filter(customer_id=customer_id, source=source, amount=amount, received_at__range=days)
    return list(alike.order_by("id")[:10])


def find_possible_credit(*, row: Return, others: Collection[int] = ()) -> Deposit | None:
    """Return a deposit of the return's amount that has come in since, for its customer or nobody, except `others`.

    It may be the dollars that are won back.
    """
    since = Deposit.objects.filter(source=row.source, amount=row.amount, created_at__gt=row.created_at)
    of_theirs = Q(customer=None) if row.customer_id is None else Q(customer=None) | Q(customer_id=row.customer_id)
    return since.filter(of_theirs).exclude(state=DepositState.SENT_BACK).exclude(pk__in=others).order_by("id").first()


def _by_hand(
    account: str, customers: Collection[int | None], amounts: Collection[Decimal]
) -> dict[tuple[int | None, Decimal], list[date]]:
    booked = Deposit.objects.filter(source=account, customer_id__in=customers, amount__in=amounts)
    found: dict[tuple[int | None, Decimal], list[date]] = {}
    for deposit in booked.filter(decided_by__isnull=False, lines=None):
        found.setdefault((deposit.customer_id, deposit.amount), []).append(deposit.received_at.date())
    return found


def _is_near(day: date, other: date) -> bool:
    return abs(day - other) <= _DAYS_OF_A_DEPOSIT


def _won(account: str, amounts: Collection[Decimal], now: datetime) -> QuerySet[Return]:
    recent = Return.objects.filter(state=ReturnState.WON, won_at__gt=now - _DAYS_OF_A_DISPUTE)
    return recent.filter(source=account, amount__in=amounts)
