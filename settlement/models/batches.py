"""Batches: orders of one coin, claimed together."""

from typing import Final

from django.db import models
from django.db.models import Q

from trading.models import Coin
from wallets.runtime.constraints import is_number


class BatchState(models.TextChoices):
    OPEN = "open"
    SETTLED = "settled"
    REFUNDED = "refunded"
    PARKED = "parked"  # staff decide


NOT_CLOSED: Final = (BatchState.OPEN, BatchState.PARKED)


class Batch(models.Model):
    """Orders of one coin that were claimed together; they are bought, or refunded, together.

    `needed` is in coins; `charge`, in US dollars, is what its orders paid for them, without fees. `reserved` counts the
    coins of the house's inventory that are set aside for the batch: surplus of earlier purchases, and coins that the
    batch itself bought but has not yet delivered to an order. `denials` counts its purchases that were sent and then
    denied by the venue, by id and in its lists.
    """

    coin = models.ForeignKey(Coin, on_delete=models.PROTECT, related_name="batches")
    state = models.CharField(max_length=10, choices=BatchState.choices, default=BatchState.OPEN)
    orders_count = models.PositiveIntegerField(default=0)
    needed = models.DecimalField(max_digits=38, decimal_places=8, default=0)
    charge = models.DecimalField(max_digits=38, decimal_places=2, default=0, db_column="charged")
    reserved = models.DecimalField(max_digits=38, decimal_places=8, default=0)
    denials = models.PositiveSmallIntegerField(default=0, db_default=0, help_text="Purchases sent, then not found.")
    reason = models.CharField(max_length=200, blank=True)
    # Set if the batch let others go first while its own next attempt had to wait until this time.
    resume_at = models.DateTimeField(null=True, blank=True)
    turns_given = models.PositiveIntegerField(
        db_default=0, help_text="How often other orders of the coin were bought between this batch's attempts."
    )
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "batches"
        indexes = [
            models.Index(fields=["coin"], condition=Q(state__in=[*NOT_CLOSED]), name="batches_not_closed"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=BatchState.values), name="batch_state_is_known"),
            models.CheckConstraint(
                condition=Q(reserved__gte=0) & is_number("reserved"), name="batch_reserve_is_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[*NOT_CLOSED], closed_at=None)
                | (~Q(state__in=[*NOT_CLOSED]) & Q(closed_at__isnull=False, reserved=0)),
                name="closed_batches_hold_no_reserve",
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.pk}"
