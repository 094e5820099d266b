"""Findings: contradictions between our books and the venue's, or among our own."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from settlement.models.attempts import Attempt
from settlement.models.venues import NAME_LENGTH
from trading.models import Coin


class FindingKind(models.TextChoices):
    """How our books contradict the venue's books, or each other."""

    MISSING = "missing", "the venue does not know it"
    EXTRA = "extra", "we do not know it"
    DIFFERS = "differs", "the figures differ"
    LATE_FILL = "late_fill", "bought after it was given up"
    UNTRUE = "untrue", "an answer that cannot be true"
    LEDGER = "ledger", "the ledger does not balance"
    BALANCE = "balance", "the account holds more or less than it should"


class FindingDecision(models.TextChoices):
    """What staff decide about an order at the venue that we do not know."""

    ADOPT = "adopt", "ours: book it"
    NOT_OURS = "not_ours", "not ours"


class Finding(models.Model):
    """A contradiction that reconciliation found. The row is open until the contradiction is gone or staff close it."""

    kind = models.CharField(max_length=10, choices=FindingKind.choices)
    subject = models.CharField(max_length=200)
    coin = models.ForeignKey(Coin, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    attempt = models.ForeignKey(Attempt, null=True, blank=True, on_delete=models.PROTECT, related_name="findings")
    ours = models.CharField(max_length=200, blank=True)
    theirs = models.CharField(max_length=200, blank=True)
    amount = models.DecimalField(
        max_digits=38, decimal_places=8, null=True, blank=True, help_text="Theirs less ours, in coins or US dollars."
    )
    venue = models.CharField(
        max_length=NAME_LENGTH, blank=True, default="", db_default="", help_text="Empty: of no venue, or of any."
    )
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="When the contradiction was last found.")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    note = models.CharField(max_length=500, blank=True)
    # For orders that we do not know. A worker carries out `adopt`, and then closes the finding.
    decision = models.CharField(max_length=10, choices=FindingDecision.choices, blank=True, db_default="")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(closed_at=None), name="a_finding_is_open_once"
            ),
            models.CheckConstraint(condition=Q(kind__in=FindingKind.values), name="finding_kind_is_known"),
            models.CheckConstraint(
                condition=Q(decision="", decided_by=None)
                | Q(kind=FindingKind.EXTRA, decision__in=FindingDecision.values, decided_by__isnull=False)
                & ~Q(note=""),
                name="only_unknown_orders_are_decided_about_and_with_a_note",
            ),
            models.CheckConstraint(
                condition=Q(closed_by=None) | Q(closed_at__isnull=False) & ~Q(note=""),
                name="who_closes_a_finding_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}"
