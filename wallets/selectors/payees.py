"""Reads payees."""

from wallets.models import Payee


def list_payees(*, customer_id: int) -> list[Payee]:
    """Return the payees that the customer has and has not removed, the oldest first."""
    return list(Payee.objects.filter(customer_id=customer_id, removed_at=None).order_by("id"))
