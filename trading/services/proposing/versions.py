"""Tells whether a row was written since somebody asked for a deed about it, also if it looks as it did then."""

from typing import Final

from django.db.models.expressions import RawSQL

from trading.models import Coin, Shop

_VERSION: Final = RawSQL("xmin::text", ())
"""The transaction that wrote the row last: Postgres' own column of every row."""


def version_of_coin(*, coin_id: int) -> str | None:
    """Return a text that changes with every change of the coin's row; None without a row."""
    return Coin.objects.filter(pk=coin_id).annotate(version=_VERSION).values_list("version", flat=True).first()


def version_of_shop() -> str | None:
    """Return a text that changes whenever the shop is opened or closed; None if it never was."""
    return Shop.objects.annotate(version=_VERSION).values_list("version", flat=True).first()
