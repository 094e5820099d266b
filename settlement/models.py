"""Batches of orders, and the attempts to buy what they need."""

import uuid

from django.db import models
from django.db.models import F, Q

from trading.models import Coin
from wallets.constraints import is_number


class BatchState(models.TextChoices):
    OPEN = "open"
    SETTLED = "settled"
    REFUNDED = "refunded"
    PARKED = "parked"  # an operator decides


class Batch(models.Model):
    """The orders of one coin that one claim took together; they are bought, or refunded, together.

    `needed` is in coins, `charged` in US dollars. `reserved` coins of the house's inventory are set
    aside for the batch: surplus of earlier purchases, and what its own purchases brought in beyond the
    orders they completed.
    """

    coin = models.ForeignKey(Coin, on_delete=models.PROTECT, related_name="batches")
    state = models.CharField(max_length=10, choices=BatchState.choices, default=BatchState.OPEN)
    orders_count = models.PositiveIntegerField(default=0)
    needed = models.DecimalField(max_digits=38, decimal_places=8, default=0)
    charged = models.DecimalField(max_digits=38, decimal_places=2, default=0)
    reserved = models.DecimalField(max_digits=38, decimal_places=8, default=0)
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "batches"
        indexes = [
            models.Index(fields=["coin"], condition=Q(state__in=["open", "parked"]), name="batches_not_closed"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=BatchState.values), name="batch_state_is_known"),
            models.CheckConstraint(
                condition=Q(reserved__gte=0) & is_number("reserved"), name="batch_reserve_is_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[BatchState.OPEN, BatchState.PARKED], closed_at=None)
                | (~Q(state__in=[BatchState.OPEN, BatchState.PARKED]) & Q(closed_at__isnull=False, reserved=0)),
                name="closed_batches_hold_no_reserve",
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.pk}"


class AttemptState(models.TextChoices):
    """What is known of a request to the venue. `sent` includes every answer that may have been lost."""

    NEW = "new"
    SENT = "sent"
    FILLED = "filled"  # something was bought and is booked
    EMPTY = "empty"  # final, and nothing was bought
    REFUSED = "refused"  # this purchase can never succeed
    NOT_PLACED = "not_placed"  # it did not reach the book, and may be tried again
    PARKED = "parked"  # an operator decides


IN_FLIGHT = (AttemptState.NEW, AttemptState.SENT)


def new_client_order_id() -> str:
    """An id of our own for the venue: 34 of the 36 characters that venues take."""
    return f"ce{uuid.uuid4().hex}"


class Attempt(models.Model):
    """One request to buy, sent once at most. Quantities in coins, prices and cost in the quote asset."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="attempts")
    coin = models.ForeignKey(Coin, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveSmallIntegerField()
    client_order_id = models.CharField(max_length=36, unique=True, default=new_client_order_id)
    state = models.CharField(max_length=10, choices=AttemptState.choices, default=AttemptState.NEW)
    quantity = models.DecimalField(max_digits=38, decimal_places=8, null=True, blank=True)
    limit_price = models.DecimalField(max_digits=38, decimal_places=8, null=True, blank=True)
    # Of the venue's clock: after `valid_until` the request can no longer be accepted.
    signed_at = models.DateTimeField(null=True, blank=True)
    valid_until = models.DateTimeField(null=True, blank=True)
    clock_offset = models.DurationField(null=True, blank=True)
    venue_order_id = models.CharField(max_length=64, blank=True)
    executed = models.DecimalField(max_digits=38, decimal_places=8, default=0)
    cost = models.DecimalField(max_digits=38, decimal_places=8, default=0)
    commission = models.DecimalField(max_digits=38, decimal_places=8, default=0, help_text="Taken in the coin.")
    lookups = models.PositiveIntegerField(default=0)
    not_found = models.PositiveIntegerField(default=0, help_text="Lookups that counted as not found.")
    next_step_at = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True)
    answer = models.JSONField(null=True, blank=True, help_text="The venue's last answer.")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["next_step_at"], condition=Q(state__in=IN_FLIGHT), name="attempts_in_flight")]
        constraints = [
            models.UniqueConstraint(
                fields=["coin"], condition=Q(state__in=IN_FLIGHT), name="one_attempt_in_flight_per_coin"
            ),
            models.UniqueConstraint(fields=["batch", "number"], name="attempts_of_a_batch_are_numbered"),
            models.CheckConstraint(condition=Q(state__in=AttemptState.values), name="attempt_state_is_known"),
            models.CheckConstraint(
                condition=Q(state__in=IN_FLIGHT, ended_at=None) | (~Q(state__in=IN_FLIGHT) & Q(ended_at__isnull=False)),
                name="attempts_end_once",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[AttemptState.SENT, AttemptState.FILLED])
                | Q(signed_at__isnull=False, valid_until__isnull=False, quantity__gt=0, limit_price__gt=0),
                name="sent_attempts_say_what_was_sent",
            ),
            models.CheckConstraint(
                condition=Q(state=AttemptState.FILLED, executed__gt=0) | ~Q(state=AttemptState.FILLED) & Q(executed=0),
                name="filled_attempts_bought_something",
            ),
            models.CheckConstraint(
                condition=Q(commission__gte=0, commission__lte=F("executed"), cost__gte=0)
                & is_number("commission")
                & is_number("cost")
                & is_number("executed"),
                name="fill_figures_are_plausible",
            ),
        ]

    def __str__(self) -> str:
        return self.client_order_id
