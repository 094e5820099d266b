"""The last count of what may still be sold of a coin: read with the coins, for their offers."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import OuterRef, Subquery, TextField
from django.db.models.functions import Cast, JSONObject

from trading.headroom_rules import LastCount
from trading.models import Headroom

_FIELDS: Final = JSONObject(room=Cast("room", TextField()), most=Cast("most", TextField()), counted_at="counted_at")


def count_of_coin() -> Subquery:
    """Return the last count of the coin of the outer query."""
    return Subquery(Headroom.objects.filter(coin=OuterRef("pk")).values(fields=_FIELDS)[:1])


def read_count(row: dict[str, Any] | None) -> LastCount | None:
    """Return what `count_of_coin` has read: JSON, with its amounts as texts."""
    if row is None:
        return None
    room, most = (row[name] and Decimal(row[name]) for name in ("room", "most"))
    return LastCount(room=room, most=most, counted_at=datetime.fromisoformat(row["counted_at"]))
