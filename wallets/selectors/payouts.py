"""Reads payouts."""

from dataclasses import dataclass
from datetime import datetime

from wallets.exceptions import NotFound
from wallets.models import Payout
from wallets.runtime.paging import Page, read_page


@dataclass(frozen=True, kw_only=True)
class PayoutFilters:
    """Filters for a customer's payouts."""

    created_after: datetime | None = None
    created_before: datetime | None = None


def list_payouts(*, customer_id: int, filters: PayoutFilters, limit: int, cursor: str | None) -> Page[Payout]:
    """Return the customer's payouts, newest first. Raises InvalidCursor."""
    rows = Payout.objects.filter(customer_id=customer_id)
    if filters.created_after:
        rows = rows.filter(created_at__gt=filters.created_after)
    if filters.created_before:
        rows = rows.filter(created_at__lt=filters.created_before)
    return read_page(queryset=rows, filters={"payouts of": customer_id, **vars(filters)}, limit=limit, cursor=cursor)


def get_payout(*, customer_id: int, payout_id: int) -> Payout:
    """Return one of the customer's payouts. Raises NotFound, also for a payout of another customer."""
    payout = Payout.objects.filter(pk=payout_id, customer_id=customer_id).first()
    if payout is None:
        raise NotFound
    return payout
