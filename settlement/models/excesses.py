"""Excesses: what a venue did beyond an attempt's request, and really did."""

from django.db import models
from django.db.models import Q

from settlement.models.attempts import Attempt
from settlement.models.interventions import Intervention
from wallets.runtime.constraints import is_number


class Excess(models.Model):
    """The part of a purchase beyond its attempt's request: coins, their cost in the quote asset, commission in coins.

    Staff have approved it, after the venue's trades and its balance confirmed it. Rows never change.
    """

    attempt = models.OneToOneField(Attempt, on_delete=models.PROTECT, related_name="excess")
    intervention = models.ForeignKey(Intervention, on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(max_digits=38, decimal_places=8)
    cost = models.DecimalField(max_digits=38, decimal_places=8)
    commission = models.DecimalField(max_digits=38, decimal_places=8)
    booked_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "excesses"
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity__gte=0, cost__gte=0, commission__gte=0)
                & (Q(quantity__gt=0) | Q(cost__gt=0) | Q(commission__gt=0))
                & is_number("quantity")
                & is_number("cost")
                & is_number("commission"),
                name="an_excess_is_something",
            ),
        ]

    def __str__(self) -> str:
        return f"excess of {self.attempt_id}"
