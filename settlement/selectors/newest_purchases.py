"""Reads the newest purchases."""

from django.db.models import Q

from settlement.models import Attempt, AttemptState

FOUND = Q(state=AttemptState.FILLED, lookups__gt=0)
"""Bought, and known from a lookup alone: the venue's answer was lost."""


def list_newest_purchases(*, limit: int) -> list[Attempt]:
    """Return the newest attempts with coin and batch, the newest first. Reads so many rows by primary key."""
    return list(Attempt.objects.select_related("coin", "batch").order_by("-pk")[:limit])


def list_found_purchases(*, after_id: int, limit: int) -> list[Attempt]:
    """Return attempts above an id that a lookup has found, with coin and batch, those found last first."""
    found = Attempt.objects.filter(FOUND, pk__gt=after_id).select_related("coin", "batch")
    return list(found.order_by("-ended_at", "-pk")[:limit])


def id_before_newest(*, most: int) -> int:
    """Return the id above which there are at most so many attempts."""
    ids = Attempt.objects.order_by("-pk").values_list("pk", flat=True)[most : most + 1]
    return next(iter(ids), 0)
