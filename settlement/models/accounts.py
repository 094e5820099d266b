"""Our accounts at venues."""

from datetime import timedelta
from typing import Final

from django.db import models
from django.db.models import Q

from trading.models import Coin
from wallets.runtime.constraints import is_number

FORGOTTEN_AFTER: Final = timedelta(minutes=1)
"""A shortage that no claim has confirmed for so long is over, or its orders are cancelled."""


class VenueAccount(models.Model):
    """Our account at a venue: how much of `asset` (booked one to one as US dollars) it could spend when last read.

    Attempts that are in flight have set a part of it aside, see `Attempt.budget`. `short_of` is the subtotal of an
    order that the account could not pay when a claim last looked, at `short_at`.
    """

    venue = models.CharField(max_length=32)
    asset = models.CharField(max_length=12)
    free = models.DecimalField(max_digits=38, decimal_places=8)
    read_at = models.DateTimeField(help_text="By Postgres' clock, before the venue was asked.")
    short_since = models.DateTimeField(null=True, blank=True)
    short_at = models.DateTimeField(null=True, blank=True)
    short_of = models.DecimalField(max_digits=38, decimal_places=2, null=True, blank=True)
    short_coin = models.ForeignKey(Coin, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["venue", "asset"], name="one_row_per_venue_account"),
            models.CheckConstraint(condition=Q(free__gte=0) & is_number("free"), name="free_funds_are_not_negative"),
            models.CheckConstraint(
                condition=Q(short_since=None, short_at=None, short_of=None, short_coin=None)
                | Q(
                    short_since__isnull=False,
                    short_at__isnull=False,
                    short_of__isnull=False,
                    short_coin__isnull=False,
                ),
                name="a_shortage_says_of_what",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset} at {self.venue}"
