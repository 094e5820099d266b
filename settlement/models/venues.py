"""The venues at which coins are bought, as staff rank them."""

from collections.abc import Iterable
from typing import Final

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, models
from django.db.models import Q
from django.db.models.functions import Now

NAME_LENGTH: Final = 32
_HIGHEST: Final = 1


class VenueState(models.TextChoices):
    """Whether new purchases may go to a venue. Purchases that were sent are looked up in every state."""

    IN_USE = "in_use", "in use"
    NOT_USED = "not_used", "not used"


class VenueEntry(models.Model):
    """A venue, by its name in ccxt, and its rank: coins are bought at the lowest `priority` first.

    Its keys are in the environment, its pauses are rows of Pause, its funds rows of VenueAccount. Of venues with the
    same priority, the one with the lowest ask gets a purchase. Staff change rows by proposals alone.
    """

    name = models.CharField(max_length=NAME_LENGTH, unique=True)
    priority = models.PositiveSmallIntegerField(default=_HIGHEST, help_text="Coins are bought at the lowest first.")
    state = models.CharField(max_length=8, choices=VenueState.choices, default=VenueState.NOT_USED)
    added_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "venue"
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="venues_have_a_name"),
            models.CheckConstraint(condition=Q(state__in=VenueState.values), name="venue_state_is_known"),
        ]

    def __str__(self) -> str:
        return self.name


def current_venue() -> str:
    """Return the name of the venue that the variables EXCHANGE_… describe."""
    return settings.VENUE.id


def name_of_wallets(venue: str) -> str:
    """Return the name of a venue's wallets in the ledger: none for the first venue, whose wallets are older than rows.

    The first venue is the one whose row is the oldest; that never changes. One query in the life of a process.
    """
    if not _first:
        _first.extend(VenueEntry.objects.order_by("pk").values_list("name", flat=True)[:1])
    return "" if venue == (_first[0] if _first else current_venue()) else venue


_first: Final[list[str]] = []


def add_venues(*, names: Iterable[str] = (), using: str = DEFAULT_DB_ALIAS) -> None:
    """Add rows for the venue that EXCHANGE_ID names, in use, and for `names`, which staff have to put in use.

    Rows that exist stay as they are.
    """
    rows = [VenueEntry(name=current_venue(), state=VenueState.IN_USE)]
    rows += [VenueEntry(name=name, priority=_HIGHEST + 1) for name in names if name != current_venue()]
    VenueEntry.objects.using(using).bulk_create(rows, ignore_conflicts=True)
    name_of_wallets(current_venue())  # now, rather than when the first purchase is booked


def here_or_before(name: str) -> list[str]:
    """Return the venue and the empty name, for filters: rows from before venues were recorded count at every venue."""
    return [name, ""]
