"""Requests from a server to make somebody a superuser, for when too few superusers are left to propose it."""

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from wallets.models.accounts import User


class BreakGlassOutcome(models.TextChoices):
    """How a request ended."""

    DONE = "done", "took effect"
    REVOKED = "revoked", "revoked"
    LAPSED = "lapsed", "came too late"


class BreakGlass(models.Model):
    """A request that takes effect when the command runs again at `ready_at` or later, unless staff revoke it.

    The database dates a request and its end, refuses an effect before `ready_at`, and lets nobody change what was asked
    for, nor an end. `asked_from` is who ran the command, on which host, as that host says.
    """

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    reason = models.CharField(max_length=500)
    asked_from = models.CharField(max_length=200)
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    ready_at = models.DateTimeField()
    outcome = models.CharField(max_length=7, null=True, blank=True, choices=BreakGlassOutcome.choices)  # noqa: DJ001  null: it waits
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = "break-glass request"
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(outcome=None), name="one_break_glass_request_of_a_user_waits"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="a_break_glass_request_has_a_reason"),
            models.CheckConstraint(
                condition=Q(ready_at__gt=F("asked_at")), name="a_break_glass_request_waits_before_its_effect"
            ),
            models.CheckConstraint(
                condition=Q(outcome=None, ended_at=None, ended_by=None)
                | Q(outcome="done", ended_at__gte=F("ready_at"), ended_by=None)
                | Q(outcome="revoked", ended_at__isnull=False, ended_by__isnull=False)
                | Q(outcome="lapsed", ended_at__gte=F("ready_at"), ended_by=None),
                name="a_break_glass_request_ends_as_it_may",
            ),
        ]

    def __str__(self) -> str:
        return f"break-glass request {self.pk} for {self.user}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row. Its end is written by an update that the database checks."""
        super().save(*args, **{**kwargs, "force_insert": True})
