"""Deposits: dollars that came in from outside, each known by our account that received it and the bank's reference."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from wallets.models.accounts import User
from wallets.models.encrypted import EncryptedText
from wallets.models.searchable import HashedText, SearchableText
from wallets.runtime import clock
from wallets.runtime.constraints import agree, is_above_zero, is_not_negative, is_one_of


class DepositState(models.TextChoices):
    """Where a deposit's dollars are: with their customer, with nobody yet, or with their sender again."""

    CREDITED = "credited"
    UNASSIGNED = "unassigned"
    SENT_BACK = "sent_back", "sent back"


class Deposit(models.Model):
    """Dollars that were received once. `returned` is what the bank has taken back since: the sum of its returns.

    `source` is our own account that received them: its IBAN or number, or `sandbox` or `opening` where no bank was.
    `reference` is unique for that account, so the same line of a bank's statement is credited once, whatever the format
    of the file that tells it. It is encrypted, because banks may name the payer in it. The movements of a deposit have
    references that begin with `deposit:` and its id.
    """

    customer = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="deposits", db_index=False
    )
    amount = models.DecimalField(max_digits=38, decimal_places=2)
    returned = models.DecimalField(max_digits=38, decimal_places=2, default=0, db_default=0)
    source = models.CharField(max_length=64)
    reference = SearchableText()
    reference_hash = HashedText(of="reference")
    state = models.CharField(max_length=16, choices=DepositState.choices)
    received_at = models.DateTimeField()
    created_at = models.DateTimeField(default=clock.now)
    decided_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    approved_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    note = EncryptedText(blank=True)

    class Meta:
        permissions = [("decide_deposit", "Can assign deposits of nobody and send them back")]
        indexes = [
            models.Index(
                "customer",
                F("created_at").desc(),
                F("id").desc(),
                condition=Q(customer__isnull=False),
                name="deposits_of_customer",
            ),
            models.Index(fields=["id"], condition=Q(state="unassigned"), name="deposits_of_nobody"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["reference_hash", "source"], name="each_deposit_is_received_once"),
            models.CheckConstraint(condition=is_above_zero("amount"), name="deposit_amount_is_positive"),
            models.CheckConstraint(
                condition=is_not_negative("returned") & Q(returned__lte=F("amount")),
                name="a_deposit_is_returned_in_full_at_most",
            ),
            models.CheckConstraint(condition=is_one_of("state", DepositState.values), name="deposit_state_is_known"),
            models.CheckConstraint(
                condition=agree(Q(customer__isnull=False), Q(state=DepositState.CREDITED)),
                name="a_credited_deposit_has_its_customer",
            ),
            models.CheckConstraint(condition=~Q(source=""), name="a_deposit_names_its_source"),
            models.CheckConstraint(
                condition=~Q(state=DepositState.SENT_BACK) | Q(decided_by__isnull=False),
                name="staff_send_deposits_back",
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("decided_by")),
                name="another_person_approves_a_decision_about_a_deposit",
            ),
        ]

    def __str__(self) -> str:
        return f"deposit {self.pk}, {self.amount} USD"

    @property
    def kept(self) -> Decimal:
        """What the bank has not taken back, in US dollars."""
        return self.amount - self.returned
