"""Reads a customer's statement of a month: dollars from the ledger, and coins with their prices."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading.selectors.month_holdings import HoldingThen, list_holdings_before
from wallets.exceptions import NotFound
from wallets.selectors.months import DollarMonth, Month, month_of, sum_dollars


@dataclass(frozen=True, kw_only=True)
class MonthlyStatement:
    """A statement as of a moment: the end of its month, or now if the month has not ended. The movements are apart."""

    month: Month
    as_of: datetime
    dollars: DollarMonth
    holdings: list[HoldingThen]

    @property
    def holdings_cost(self) -> Decimal:
        """What the coins had cost, in US dollars."""
        return sum((holding.cost for holding in self.holdings), Decimal(0))

    @property
    def holdings_value(self) -> Decimal | None:
        """What the coins were worth, in US dollars; None if the price of one is not known."""
        values = [holding.value for holding in self.holdings]
        return None if None in values else sum((value for value in values if value is not None), Decimal(0))


def read_statement(*, customer_id: int, name: str, now: datetime) -> MonthlyStatement:
    """Return the statement of a month, such as `2026-01`. Raises NotFound for a month that has not begun."""
    year, number = map(int, name.split("-"))
    month = month_of(year=year, month=number, now=now)
    if month.begins_at > now:
        raise NotFound("This month has not begun.")
    as_of = min(month.ends_at, now)
    return MonthlyStatement(
        month=month,
        as_of=as_of,
        dollars=sum_dollars(customer_id=customer_id, month=month),
        holdings=list_holdings_before(customer_id=customer_id, before=as_of),
    )
