"""Accounts that were closed, and when what is personal about them was erased."""

from django.db import models
from django.db.models import F, Q

from wallets.models.accounts import User


class ClosedAccount(models.Model):
    """The end of a customer's account, which is not opened again. The application's role may not delete the row."""

    customer = models.OneToOneField(User, primary_key=True, on_delete=models.PROTECT, related_name="closed")
    closed_at = models.DateTimeField()
    closed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    reason = models.CharField(max_length=500)
    erased_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["closed_at"], condition=Q(erased_at=None), name="closed_and_not_erased"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="an_account_is_closed_for_a_reason"),
            models.CheckConstraint(condition=~Q(closed_by=F("customer")), name="nobody_closes_their_own_account"),
        ]

    def __str__(self) -> str:
        return f"closed account {self.customer_id}"
