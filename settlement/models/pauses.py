"""Pauses of buying."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from trading.models import Coin


class Pause(models.Model):
    """Buying of `coin` (null: of every coin) is paused until the time `until` (null: until staff lift the pause).

    A pause with an end is a circuit breaker: the venue's answers set it, longer each time in a row, and an accepted
    purchase lifts it. Only staff lift a pause without an end. Staff set it, or nobody did (`set_by` is null): then the
    venue said something about a purchase of the coin that cannot be true.
    """

    coin = models.OneToOneField(Coin, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
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
            models.UniqueConstraint(
                fields=["coin"], nulls_distinct=False, name="one_pause_per_coin_and_one_for_the_venue"
            ),
            models.CheckConstraint(
                condition=Q(until=None) | Q(set_by=None),
                name="pauses_of_staff_have_no_end",
            ),
        ]

    def __str__(self) -> str:
        return f"pause of {self.coin or 'the venue'}"
