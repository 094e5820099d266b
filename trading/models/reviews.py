"""Reviews of held orders."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from trading.models.orders import Order


class RiskRule(models.TextChoices):
    """The risk rules, which trading/risk.py applies: an order that breaks one is held."""

    ORDERS = "orders", "too many orders"
    CANCELS = "cancels", "too many cancels"
    VALUE = "value", "too much value"


class ReviewDecision(models.TextChoices):
    RELEASED = "released"
    REFUNDED = "refunded"


class Review(models.Model):
    """The rule that an order broke, the grounds, and the decision of staff."""

    order = models.OneToOneField(Order, on_delete=models.PROTECT, primary_key=True, related_name="review")
    customer = models.ForeignKey(  # the order's customer: a trigger sees to it
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    rule = models.CharField(max_length=10, choices=RiskRule.choices)
    grounds = models.CharField(max_length=200, db_column="finding")
    decision = models.CharField(max_length=10, choices=ReviewDecision.choices, null=True, blank=True)  # noqa: DJ001  null: undecided
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=500, blank=True, help_text="The reason for the decision.")

    class Meta:
        indexes = [models.Index(fields=["order"], condition=Q(decision=None), name="reviews_to_decide")]
        constraints = [
            models.CheckConstraint(condition=Q(rule__in=RiskRule.values), name="risk_rule_is_known"),
            models.CheckConstraint(
                condition=Q(decision=None, decided_by=None, decided_at=None, note="")
                | Q(decision__in=ReviewDecision.values, decided_by__isnull=False, decided_at__isnull=False)
                & ~Q(note=""),
                name="decisions_have_somebody_a_time_and_a_note",
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("customer")), name="nobody_decides_about_their_own_order"
            ),
        ]

    def __str__(self) -> str:
        return f"review of {self.order}"
