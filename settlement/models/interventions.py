"""Interventions: decisions of staff about a batch, and their outcomes."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from settlement.models.attempts import Attempt
from settlement.models.batches import Batch
from wallets.runtime.constraints import is_number


class InterventionAction(models.TextChoices):
    """The decisions that staff can make about a batch that is parked, or whose outcome is unknown for too long."""

    LOOK_UP = "look_again", "look up at the venue again"
    MARK_FILLED = "mark_filled", "mark as filled"
    MARK_NOT_PLACED = "mark_not_placed", "mark as not placed"
    RETRY = "retry", "buy again"
    BOOK_EXCESS = "book_excess", "book what the venue did beyond the request"
    REFUND = "refund", "refund"


class InterventionOutcome(models.TextChoices):
    DONE = "done"
    REFUSED = "refused"


class Intervention(models.Model):
    """A decision of staff, and its outcome. A row never changes, except that its outcome is added once.

    A worker carries the decision out, because the venue is asked first. `quantity`, `cost` and `commission` are
    set for MARK_FILLED only: the venue's figures, as staff state them.
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
    venue_answer = models.JSONField(null=True, blank=True, help_text="The venue's answers about the attempts in doubt.")
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
                # Comparisons with NULL are neither true nor false, and a check constraint accepts that.
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
