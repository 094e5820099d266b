"""Lists of the venue's markets that lacked a coin."""

from datetime import timedelta
from typing import Final

from django.db import models
from django.db.models import F, Q

from settlement.models.attempts import Attempt

LISTS_APART: Final = timedelta(minutes=2)
"""Two lists that lack a coin are evidence if so much time is between them."""


class AbsentMarket(models.Model):
    """An attempt that is not sent, because the venue's list of markets lacks its coin: the evidence so far.

    The row goes when a list has the coin again. It means nothing any more once the attempt was sent.
    """

    attempt = models.OneToOneField(Attempt, primary_key=True, on_delete=models.PROTECT, related_name="absent_market")
    first_at = models.DateTimeField(help_text="When the first list lacked the coin, by Postgres' clock.")
    latest_at = models.DateTimeField()
    lists = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(lists__gte=1), name="an_absence_has_a_list"),
            models.CheckConstraint(condition=Q(first_at__lte=F("latest_at")), name="an_absence_begins_before_it_ends"),
        ]

    def __str__(self) -> str:
        if self.lists == 1:
            return f"one list, at {self.first_at:%H:%M:%S} UTC"
        return f"{self.lists} lists, {self.first_at:%H:%M:%S} to {self.latest_at:%H:%M:%S} UTC"

    @property
    def is_confirmed(self) -> bool:
        """Say whether two lists, far enough apart, lacked the coin."""
        return self.latest_at - self.first_at >= LISTS_APART
