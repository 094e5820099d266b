"""Reads deposits."""

from dataclasses import dataclass
from datetime import datetime

from wallets.models import Deposit
from wallets.runtime.paging import Page, read_page


@dataclass(frozen=True, kw_only=True)
class DepositFilters:
    """Filters for a customer's deposits."""

    created_after: datetime | None = None
    created_before: datetime | None = None


def list_deposits(*, customer_id: int, filters: DepositFilters, limit: int, cursor: str | None) -> Page[Deposit]:
    """Return the customer's deposits, newest first. Raises InvalidCursor."""
    rows = Deposit.objects.filter(customer_id=customer_id)
    if filters.created_after:
        rows = rows.filter(created_at__gt=filters.created_after)
    if filters.created_before:
        rows = rows.filter(created_at__lt=filters.created_before)
    return read_page(queryset=rows, filters={"deposits of": customer_id, **vars(filters)}, limit=limit, cursor=cursor)
