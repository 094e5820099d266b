"""Dollars of a customer that are bound in orders. The money side knows no orders: the shop registers who reads them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

_readers: Final[list[Callable[..., Decimal]]] = []


def register_reader(read: Callable[..., Decimal]) -> None:
    """Let `read(customer_id=…)` say how many US dollars of a customer are bound. Each process registers it once."""
    _readers.append(read)


def sum_bound(*, customer_id: int) -> Decimal:
    """Return the US dollars that the customer's open orders have been charged."""
    return sum((read(customer_id=customer_id) for read in _readers), Decimal(0))
