"""Pauses of buying, and bans of calls to the venue."""

from typing import Final

from django.conf import settings
from django.db import models
from django.db.models import Case, Q, Value, When

from trading.models import Coin


class PauseKind(models.TextChoices):
    """Who paused. Each kind ends by itself or by its own authors, whatever the others do."""

    STAFF = "staff"
    TROUBLE = "trouble"
    BAN = "ban"


_KIND: Final = Case(
    When(set_by__isnull=False, then=Value(PauseKind.STAFF.value)),
    When(stops_all_calls=True, then=Value(PauseKind.BAN.value)),
    default=Value(PauseKind.TROUBLE.value),
)


class Pause(models.Model):
    """Buying of `coin` (null: of every coin) is paused until the time `until` (null: until staff lift the pause).

    A pause with an end is a circuit breaker: the venue's answers set it, longer each time in a row. An accepted
    purchase lifts a pause after trouble; a probe lifts a ban. A pause without an end was set by staff, and only staff
    lift it. A coin, and the venue, may be paused once for each of these reasons at the same time.
    """

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
                fields=["coin", "kind"], nulls_distinct=False, name="one_pause_per_coin_and_one_for_the_venue"
            ),
            models.CheckConstraint(
                condition=Q(until=None, set_by__isnull=False) | Q(until__isnull=False, set_by=None),
                name="pauses_without_an_end_are_of_staff",
            ),
            models.CheckConstraint(
                condition=Q(stops_all_calls=False) | Q(coin=None, set_by=None), name="only_the_venue_stops_all_calls"
            ),
        ]

    def __str__(self) -> str:
        if self.kind == PauseKind.BAN:
            return "ban of calls by the venue"
        by = " by staff" if self.kind == PauseKind.STAFF else ""
        return f"pause of {self.coin or 'the venue'}{by}"
