"""What staff ask for and what came of it: one row for the question, and one for its end."""

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from wallets.models.accounts import User


class ProposalOutcome(models.TextChoices):
    """How a proposal ended. One that nobody decides in time has expired, and has no row that says so."""

    DONE = "done", "done"
    REFUSED = "refused", "could no longer be done"
    REJECTED = "rejected", "rejected"
    WITHDRAWN = "withdrawn", "withdrawn"


class Proposal(models.Model):
    """A deed that a member of staff asks for. The database refuses to change or to delete a row.

    `kind` is the name of a registered kind, which alone understands `payload`. `old` and `new` are what staff read.
    With `needs_two`, another member of staff approves the deed before it is carried out; otherwise its record is
    written in the same database transaction. `amount` is what a deed that adds exposure is about, in US dollars: what
    one person does alone is added up by it. `beneficiary` is the customer who gains by it, if there is one.
    """

    kind = models.CharField(max_length=40)
    payload = models.JSONField()
    old = models.TextField(blank=True)
    new = models.TextField()
    reason = models.CharField(max_length=500)
    needs_two = models.BooleanField()
    amount = models.DecimalField(max_digits=38, decimal_places=2, null=True, blank=True)
    beneficiary = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()

    class Meta:
        permissions = [("decide_proposal", "Can approve and reject proposals")]
        indexes = [
            models.Index(
                fields=["asked_by", "kind", "asked_at"],
                condition=Q(needs_two=False, amount__isnull=False),
                name="what_one_person_did_alone",
            ),
            models.Index(fields=["expires_at"], condition=Q(needs_two=True), name="proposals_by_their_end"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="a_proposal_has_a_reason"),
            models.CheckConstraint(
                condition=Q(beneficiary=None) | ~Q(beneficiary=F("asked_by")), name="nobody_proposes_their_own_gain"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("asked_at")), name="a_proposal_expires_after_it_was_made"
            ),
        ]

    def __str__(self) -> str:
        return f"proposal {self.pk}: {self.new}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row, and never update one. The database refuses updates and deletions too."""
        super().save(*args, **{**kwargs, "force_insert": True})


class ProposalRecord(models.Model):
    """The end of a proposal: who decided, when, and what came of it. The database refuses to change or delete a row.

    `decided_by` is null if one person sufficed. A trigger copies `asked_by`, `beneficiary` and `needs_two` from the
    proposal, whatever is inserted, so that constraints can compare the persons.
    """

    proposal = models.OneToOneField(Proposal, primary_key=True, on_delete=models.PROTECT, related_name="record")
    outcome = models.CharField(max_length=9, choices=ProposalOutcome.choices)
    detail = models.CharField(max_length=500, blank=True, help_text="What came of it.")
    note = models.CharField(max_length=500, blank=True, help_text="Why it was decided so.")
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    beneficiary = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    needs_two = models.BooleanField()
    decided_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    decided_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=ProposalOutcome.values), name="outcome_of_a_proposal_is_known"
            ),
            models.CheckConstraint(
                condition=Q(needs_two=True, decided_by__isnull=False)
                | Q(needs_two=False, decided_by=None, outcome=ProposalOutcome.DONE),
                name="two_persons_decide_where_two_are_needed",
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None)
                | Q(outcome=ProposalOutcome.WITHDRAWN, decided_by=F("asked_by"))
                | ~Q(outcome=ProposalOutcome.WITHDRAWN) & ~Q(decided_by=F("asked_by")),
                name="author_and_approver_differ",
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | Q(beneficiary=None) | ~Q(decided_by=F("beneficiary")),
                name="nobody_decides_about_their_own_gain",
            ),
        ]

    def __str__(self) -> str:
        return f"proposal {self.pk} is {self.get_outcome_display()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row, and never update one. The database refuses updates and deletions too."""
        super().save(*args, **{**kwargs, "force_insert": True})
