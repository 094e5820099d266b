"""Read pauses of buying."""

from datetime import datetime

from django.db.models import Q, QuerySet

from settlement.models import Pause


def pauses_in_force(*, now: datetime) -> QuerySet[Pause]:
    """Return the pauses that have not ended at `now`, the oldest first."""
    return Pause.objects.filter(Q(until=None) | Q(until__gt=now)).order_by("set_at", "pk")


def list_paused_coins(*, now: datetime) -> list[tuple[str, str, str]]:
    """List the names of coins whose buying is paused, with the kind of pause and the venue.

    No name stands for every coin, no venue for every venue.
    """
    pauses = pauses_in_force(now=now).values_list("coin__name", "kind", "venue")
    return sorted((name or "", kind, venue) for name, kind, venue in pauses)
