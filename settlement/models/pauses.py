"""Pauses of buying, and bans of calls to the venue."""

from typing import Final

from django.conf import settings
from django.db import models
from django.db.models import Case, Q, Value, When

from settlement.models.venues import NAME_LENGTH
from trading.models import Coin


class PauseKind(models.TextChoices):
    """Who paused. Each kind ends by itself or by its own authors, whatever the others do."""

    STAFF = "staff"
    TROUBLE = "trouble"
    BAN = "ban"
    UNTRUE = "untrue"  # an answer about a purchase that cannot be true: until staff decide


_KIND: Final = Case(
    When(set_by__isnull=False, then=Value(PauseKind.STAFF.value)),
    When(stops_all_calls=True, then=Value(PauseKind.BAN.value)),
    When(until__isnull=True, then=Value(PauseKind.UNTRUE.value)),
    default=Value(PauseKind.TROUBLE.value),
)


class Pause(models.Model):
    """Buying of `coin` (null: of every coin) at `venue` (empty: at every venue) is paused.

    It is paused until the time `until` (null: until staff lift the pause).

    A pause with an end is a circuit breaker: the venue's answers set it, longer each time in a row. An accepted
    purchase lifts a pause after trouble; a probe lifts a ban. Only staff lift a pause without an end: their own, and
    one after an answer that cannot be true. A coin at a venue, and a venue, may be paused once for each reason at a
    time.
    """

    venue = models.CharField(
        max_length=NAME_LENGTH, blank=True, default="", db_default="", help_text="Empty: every venue."
    )
    coin = models.ForeignKey(Coin, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    # Computed by the database, so that rows of the previous release have a kind too.
    kind = models.GeneratedField(expression=_KIND, output_field=models.CharField(max_length=8), db_persist=True)
    until = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200)
    times = models.PositiveIntegerField(default=1, help_text="How often in a row the venue gave a reason to pause.")
    stops_all_calls = models.BooleanField(
        default=False, db_column="is_of_calls", help_text="The venue got too many calls: no calls until the end."
    )
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            # One of each kind. Workers of the previous release name this constraint, so it keeps its name.
            models.UniqueConstraint(
                fields=["venue", "coin", "kind"], nulls_distinct=False, name="one_pause_per_coin_and_one_for_the_venue"
            ),
            models.CheckConstraint(
                condition=Q(until=None) | Q(set_by=None),
                name="pauses_of_staff_have_no_end",
            ),
            models.CheckConstraint(
                condition=Q(stops_all_calls=False) | Q(coin=None, set_by=None), name="only_the_venue_stops_all_calls"
            ),
        ]

    def __str__(self) -> str:
        if self.kind == PauseKind.BAN:
            return f"ban of calls by {self.venue or 'the venue'}"
        by = " by staff" if self.kind == PauseKind.STAFF else ""
        return f"pause of {name_paused(coin=self.coin, venue=self.venue)}{by}"


def name_paused(*, coin: Coin | None, venue: str) -> str:
    """Return what a pause stops: a coin, a venue, a coin at a venue, or everything."""
    if coin is None:
        return venue or "every venue"
    return f"{coin} at {venue}" if venue else str(coin)
