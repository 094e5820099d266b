"""Reads imported statements."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from wallets.models import DepositState, Payout, PayoutState, Statement, StatementLine, StatementState
from wallets.statements.lines import COMES_IN, LineKind

_TITLES: Final = {
    LineKind.CREDIT: "credits",
    LineKind.DEBIT: "debits",
    LineKind.TAKEN_BACK: "credits that the bank took back",
    LineKind.GIVEN_BACK: "debits that the bank gave back",
    LineKind.PENDING: "pending, not booked yet",
    LineKind.NOTHING: "of zero",
}
_MOST: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A statement in few lines: by kind its title, number and US dollars, and at most 1000 credits of nobody."""

    rows: list[tuple[str, int, Decimal]]
    of_nobody: list[StatementLine]


def summarise_statement(*, statement_id: int) -> Summary:
    """Return a statement's lines by kind. Three queries."""
    statement = Statement.objects.get(pk=statement_id)
    lines = StatementLine.objects.filter(statement_id=statement_id)
    sums = {
        kind: (count, amount)
        for kind, count, amount in lines.values_list("kind").annotate(count=Count("pk"), total=Sum("amount")).order_by()
    }
    sums[LineKind.PENDING.value] = statement.counts.get(LineKind.PENDING.value, 0), Decimal(0)
    # A line that brings a payout back becomes no deposit, and says so only when it is credited.
    brought_back = Payout.objects.filter(end_to_end_id=OuterRef("end_to_end_id"), amount=OuterRef("amount"))
    of_nobody = lines.filter(customer=None, kind__in=COMES_IN, payout=None).order_by("number")
    of_nobody = of_nobody.exclude(Q(deposit=None, kind=LineKind.GIVEN_BACK.value) & Exists(brought_back))
    return Summary(
        rows=[(title, *sums[kind.value]) for kind, title in _TITLES.items() if sums.get(kind.value, (0, 0))[0]],
        of_nobody=list(of_nobody[:_MOST]),
    )


def list_open_debits() -> QuerySet[StatementLine]:
    """Return the debits of credited statements that answer nothing, and about which nobody has decided."""
    debits = StatementLine.objects.filter(kind=LineKind.DEBIT.value, payout=None, seen_at=None)
    return debits.filter(statement__state=StatementState.CREDITED).order_by("id")


def list_unanswered(*, latest: datetime) -> QuerySet[Payout]:
    """Return the payouts that were sent until `latest` without an answer, or marked as returned without a line.

    The latter are those that our bank has paid and never brought back. One that came back as a deposit is none of them.
    Nor is one that a credit names which staff have sent back, because the customer had the dollars already.
    """
    named = StatementLine.objects.filter(end_to_end_id=OuterRef("end_to_end_id"), kind__in=COMES_IN)
    back = named.exclude(end_to_end_id="").filter(Q(payout=OuterRef("pk")) | Q(deposit__state=DepositState.SENT_BACK))
    paid = StatementLine.objects.filter(payout=OuterRef("pk"), kind=LineKind.DEBIT.value)
    returned = Q(state=PayoutState.RETURNED, came_back_as=None, returned_at__lte=latest)
    sent = Q(state=PayoutState.SENT, sent_at__lte=latest)
    return Payout.objects.filter(sent | (returned & Exists(paid) & ~Exists(back))).order_by("id")
