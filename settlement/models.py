"""Batches of orders, the attempts to buy what they need, and what stops, contradicts or overrules these."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from trading.models import Coin
from wallets.runtime.constraints import is_number


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
    # Ended for a reason that has nothing to do with the purchase: not counted against MAX_ATTEMPTS.
    excused = models.BooleanField(default=False)
    # Taken to be not placed, and still asked for now and then: reads lag at the venue.
    recheck_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    answer = models.JSONField(null=True, blank=True, help_text="The venue's last answer.")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["next_step_at"], condition=Q(state__in=IN_FLIGHT), name="attempts_in_flight"),
            models.Index(fields=["recheck_at"], condition=Q(recheck_at__isnull=False), name="attempts_to_recheck"),
            models.Index(fields=["created_at"], name="attempts_by_age"),
            models.Index(fields=["venue_order_id"], name="attempts_by_venue_order"),
        ]
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
            models.CheckConstraint(
                condition=Q(recheck_at=None) | Q(state=AttemptState.NOT_PLACED, signed_at__isnull=False),
                name="only_attempts_that_were_sent_are_asked_for_again",
            ),
        ]

    def __str__(self) -> str:
        return self.client_order_id


class Pause(models.Model):
    """Nothing is bought of `coin` before `until`; without a coin, nothing at the venue.

    The circuit breaker: set by what the venue answers, with waits that grow, and lifted by a purchase that
    succeeds. One without an end is staff's, and theirs to lift.
    """

    coin = models.OneToOneField(Coin, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    until = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200)
    times = models.PositiveIntegerField(default=1, help_text="How often in a row the venue gave a reason.")
    is_of_calls = models.BooleanField(default=False, help_text="Too many calls: the venue is not asked for anything.")
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
                condition=Q(until=None, set_by__isnull=False) | Q(until__isnull=False, set_by=None),
                name="pauses_without_an_end_are_of_staff",
            ),
        ]

    def __str__(self) -> str:
        return f"pause of {self.coin or 'the venue'}"


class FindingKind(models.TextChoices):
    """How our books and the venue's, or our own among themselves, contradict each other."""

    MISSING = "missing", "the venue does not know it"
    EXTRA = "extra", "we do not know it"
    DIFFERS = "differs", "the figures differ"
    LATE_FILL = "late_fill", "bought after it was given up"
    LEDGER = "ledger", "the ledger does not balance"


class Finding(models.Model):
    """What reconciliation found. Open until a later run does not find it any more, or staff close it."""

    kind = models.CharField(max_length=10, choices=FindingKind.choices)
    subject = models.CharField(max_length=200)
    coin = models.ForeignKey(Coin, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    attempt = models.ForeignKey(Attempt, null=True, blank=True, on_delete=models.PROTECT, related_name="findings")
    ours = models.CharField(max_length=200, blank=True)
    theirs = models.CharField(max_length=200, blank=True)
    amount = models.DecimalField(
        max_digits=38, decimal_places=8, null=True, blank=True, help_text="Theirs less ours, in coins or US dollars."
    )
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="When it was last found.")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(closed_at=None), name="a_finding_is_open_once"
            ),
            models.CheckConstraint(condition=Q(kind__in=FindingKind.values), name="finding_kind_is_known"),
            models.CheckConstraint(
                condition=Q(closed_by=None) | Q(closed_at__isnull=False) & ~Q(note=""),
                name="who_closes_a_finding_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}"


class InterventionAction(models.TextChoices):
    """What an operator may do about a batch that is parked, or unknown for too long."""

    LOOK_AGAIN = "look_again", "ask the exchange again"
    MARK_FILLED = "mark_filled", "mark as filled"
    MARK_NOT_PLACED = "mark_not_placed", "mark as not placed"
    RETRY = "retry", "buy again"
    REFUND = "refund", "refund"


class InterventionOutcome(models.TextChoices):
    DONE = "done"
    REFUSED = "refused"


class Intervention(models.Model):
    """An operator's decision, and what came of it. Append-only: only an outcome is added, once.

    A worker carries it out, because it asks the exchange first. `quantity`, `cost` and `commission` are the
    venue's figures that MARK_FILLED states.
    """

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="interventions")
    attempt = models.ForeignKey(Attempt, null=True, blank=True, on_delete=models.PROTECT, related_name="interventions")
    action = models.CharField(max_length=16, choices=InterventionAction.choices)
    reason = models.CharField(max_length=500)
    quantity = models.DecimalField(max_digits=38, decimal_places=8, null=True, blank=True)
    cost = models.DecimalField(max_digits=38, decimal_places=8, null=True, blank=True)
    commission = models.DecimalField(max_digits=38, decimal_places=8, null=True, blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    outcome = models.CharField(max_length=8, choices=InterventionOutcome.choices, null=True, blank=True)  # noqa: DJ001  null: not yet
    detail = models.CharField(max_length=500, blank=True)
    venue_answer = models.JSONField(null=True, blank=True, help_text="What the exchange said when it was asked.")
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["requested_at"], condition=Q(outcome=None), name="interventions_to_do")]
        constraints = [
            models.CheckConstraint(
                condition=Q(action__in=InterventionAction.values), name="intervention_action_is_known"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="interventions_have_a_reason"),
            models.CheckConstraint(
                condition=Q(action=InterventionAction.MARK_FILLED, quantity__gt=0, cost__gt=0, commission__gte=0)
                # With NULL the comparisons are neither true nor false, and a check lets that pass.
                & Q(quantity__isnull=False, cost__isnull=False, commission__isnull=False)
                & is_number("quantity")
                & is_number("cost")
                & is_number("commission")
                | ~Q(action=InterventionAction.MARK_FILLED) & Q(quantity=None, cost=None, commission=None),
                name="only_fills_state_figures",
            ),
            models.CheckConstraint(
                condition=Q(outcome=None, decided_at=None)
                | Q(outcome__in=InterventionOutcome.values, decided_at__isnull=False),
                name="interventions_are_decided_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} of {self.batch}"
