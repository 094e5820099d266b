"""Says why the account of a customer with orders cannot be closed yet."""

from collections.abc import Iterator

from trading.models import PAID_AND_OPEN, Order


def find_obstacles(customer_id: int) -> Iterator[str]:
    """Yield a sentence if the customer has orders that are neither completed, refunded nor cancelled."""
    count = Order.objects.filter(customer_id=customer_id, state__in=PAID_AND_OPEN).count()
    if count:
        yield f"They have {count} open orders."
