"""Columns of the shop's own kinds."""

from typing import Any, Final

from django.db import models
from django.db.models import Q

from trading.readings import TOO_HIGH
from wallets.money import PRICE_PLACES

_DIGITS: Final = 12 + PRICE_PLACES
_OF_DECIMALS: Final = frozenset({"max_digits", "decimal_places"})


def is_price(field: str) -> Q:
    """Return the condition that `field` is a price: positive, below 1e12, and so neither NaN nor infinite."""
    return Q(**{f"{field}__gt": 0, f"{field}__lt": TOO_HIGH})


class PriceField(models.DecimalField):  # type: ignore[type-arg]  # of decimals
    """A price in US dollars a coin, in a column of type numeric without a scale: coins cost from 1e-14 to 1e12 dollars.

    Forms accept 12 digits before the point and 18 behind it. Checks of the table keep the value positive.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"max_digits": _DIGITS, "decimal_places": PRICE_PLACES, **options})

    def deconstruct(self) -> Any:
        """Leave the digits out of migrations: the column does not have them."""
        name, path, args, options = super().deconstruct()
        return name, path, args, {key: value for key, value in options.items() if key not in _OF_DECIMALS}

    def db_type(self, connection: Any) -> str:
        return "numeric"
