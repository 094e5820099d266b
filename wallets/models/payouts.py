"""Payees, payouts to them, and the files by which our bank is told to pay."""

import uuid
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from wallets.bank_accounts import BankAccount
from wallets.models.accounts import User
from wallets.models.deposits import Deposit
from wallets.models.encrypted import EncryptedText
from wallets.runtime import clock
from wallets.runtime.constraints import agree, is_above_zero, is_one_of


class Payee(models.Model):
    """A bank account to which a customer's payouts go. It never changes: another account is another payee.

    Without `routing` the `account` is an IBAN.
    """

    customer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="payees", db_index=False)
    name = EncryptedText()
    account = EncryptedText()
    routing = EncryptedText(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now)
    usable_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["customer", "id"], condition=Q(removed_at=None), name="payees_of_customer"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(usable_at__gte=F("created_at")), name="a_payee_is_usable_after_it_was_added"
            ),
            models.CheckConstraint(
                condition=Q(removed_at=None) | Q(removed_at__gte=F("created_at")),
                name="a_payee_is_removed_after_it_was_added",
            ),
        ]

    def __str__(self) -> str:
        return f"payee {self.pk}"

    @property
    def bank_account(self) -> BankAccount:
        """The account, decrypted."""
        return BankAccount(number=self.account, routing=self.routing or "")


class PayoutFile(models.Model):
    """A file for our bank (pain.001). Its row commits with the state `sent` of its payouts, and never changes.

    `written_at` is the time at which a command first wrote it to a disk.
    """

    message_id = models.CharField(max_length=35, unique=True)
    content = EncryptedText()
    sha256 = models.CharField(max_length=64)
    count = models.PositiveIntegerField()
    total = models.DecimalField(max_digits=38, decimal_places=2)
    account = models.CharField(max_length=64)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    made_at = models.DateTimeField(db_default=Now(), editable=False)
    written_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(written_at=None), name="payout_files_not_written"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(count__gt=0), name="a_payout_file_has_payouts"),
            models.CheckConstraint(condition=is_above_zero("total"), name="total_of_a_payout_file_is_positive"),
        ]

    def __str__(self) -> str:
        return f"payout file {self.message_id}"


class PayoutState(models.TextChoices):
    """How far a payout is. Until it is sent, its dollars are in the house wallet `payable`."""

    REQUESTED = "requested", "waits for approval"
    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    SENT = "sent"
    PAID = "paid"
    FAILED = "failed"
    RETURNED = "returned"


PAYABLE = (PayoutState.REQUESTED, PayoutState.APPROVED)
"""The states of payouts that are not sent yet, and can be cancelled."""
GIVEN_BACK = (PayoutState.REJECTED, PayoutState.CANCELLED, PayoutState.FAILED, PayoutState.RETURNED)
"""The states of payouts whose dollars their customers have again."""
LEFT = (PayoutState.SENT, PayoutState.PAID, PayoutState.FAILED, PayoutState.RETURNED)
"""The states of payouts that were sent."""


def new_end_to_end_id() -> str:
    """Make the name by which banks know a payout. It is random: after a restore, row numbers are given again."""
    return f"PO{uuid.uuid4().hex[:30].upper()}"


class Payout(models.Model):
    """Dollars that a customer wants to have in a bank. Each state has its time; a trigger refuses other changes.

    Its movements have references that begin with `payout:` and its id. Without a payee it is one of a sandbox, which
    counts as paid at once, or one that a restored database had forgotten. `is_automatic` says that no member of staff
    has approved it. `reason` is for its customer; like `bank_reference`, it may be a bank's words. `came_back_as` is
    the deposit as which a returned one came back, if the bank did not say that it was a return.
    """

    customer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="payouts", db_index=False)
    payee = models.ForeignKey(
        Payee, null=True, blank=True, on_delete=models.PROTECT, related_name="payouts", db_index=False
    )
    amount = models.DecimalField(max_digits=38, decimal_places=2)
    state = models.CharField(max_length=16, choices=PayoutState.choices)
    is_automatic = models.BooleanField(default=False)
    end_to_end_id = models.CharField(max_length=35, unique=True, default=new_end_to_end_id)
    file = models.ForeignKey(
        PayoutFile, null=True, blank=True, on_delete=models.PROTECT, related_name="payouts", db_index=False
    )
    bank_reference = EncryptedText(blank=True)
    reason = EncryptedText(blank=True, help_text="Why it was rejected, failed or came back.")
    came_back_as = models.ForeignKey(
        Deposit, null=True, blank=True, on_delete=models.PROTECT, related_name="payouts", db_index=False
    )
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001  null: no key
    request_hash = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  null: no key
    created_at = models.DateTimeField()
    approved_at = models.DateTimeField(null=True, blank=True)
    rejected_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    returned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [
            ("decide_payout", "Can ask for the approval of payouts, reject them, and say what came of them"),
            ("export_payout", "Can export payouts to a file for the bank"),
        ]
        indexes = [
            models.Index("customer", F("created_at").desc(), F("id").desc(), name="payouts_of_customer"),
            models.Index(
                fields=["customer"],
                condition=Q(state__in=["requested", "approved"]),
                name="payable_payouts_of_customer",
            ),
            models.Index(
                fields=["state", "id"],
                condition=Q(state__in=["requested", "approved", "sent"]),
                name="payouts_under_way",
            ),
            models.Index(fields=["approved_at"], condition=Q(is_automatic=True), name="automatic_payouts"),
            models.Index(fields=["payee"], condition=Q(state__in=["requested", "approved"]), name="payouts_to_payee"),
            models.Index(fields=["file"], condition=Q(file__isnull=False), name="payouts_of_file"),
            models.Index(
                fields=["came_back_as"], condition=Q(came_back_as__isnull=False), name="payouts_that_became_deposits"
            ),
            models.Index(
                fields=["returned_at"],
                condition=Q(state="returned", came_back_as=None),
                name="returned_payouts_by_time",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=is_above_zero("amount"), name="payout_amount_is_positive"),
            models.CheckConstraint(condition=is_one_of("state", PayoutState.values), name="payout_state_is_known"),
            models.CheckConstraint(
                condition=Q(payee__isnull=False) | is_one_of("state", [PayoutState.PAID, PayoutState.RETURNED]),
                name="a_payout_without_a_payee_was_paid",
            ),
            models.CheckConstraint(
                condition=Q(came_back_as=None) | Q(state=PayoutState.RETURNED),
                name="a_payout_that_came_back_as_a_deposit_is_returned",
            ),
            models.CheckConstraint(
                condition=agree(Q(approved_at=None), Q(state=PayoutState.REQUESTED))
                | is_one_of("state", [PayoutState.REJECTED, PayoutState.CANCELLED]),
                name="an_approved_payout_has_the_time",
            ),
            models.CheckConstraint(
                condition=agree(Q(rejected_at__isnull=False), Q(state=PayoutState.REJECTED)),
                name="a_rejected_payout_has_the_time",
            ),
            models.CheckConstraint(
                condition=agree(Q(cancelled_at__isnull=False), Q(state=PayoutState.CANCELLED)),
                name="a_cancelled_payout_has_the_time",
            ),
            models.CheckConstraint(
                condition=agree(Q(sent_at__isnull=False), is_one_of("state", LEFT)),
                name="a_sent_payout_has_the_time",
            ),
            models.CheckConstraint(
                condition=agree(Q(paid_at__isnull=False), Q(state=PayoutState.PAID))
                | Q(state=PayoutState.RETURNED),  # also one that was never known as paid
                name="a_paid_payout_has_the_time",
            ),
            models.CheckConstraint(
                condition=agree(Q(failed_at__isnull=False), Q(state=PayoutState.FAILED)),
                name="a_failed_payout_has_the_time",
            ),
            models.CheckConstraint(
                condition=agree(Q(returned_at__isnull=False), Q(state=PayoutState.RETURNED)),
                name="a_returned_payout_has_the_time",
            ),
            models.CheckConstraint(
                condition=Q(file=None) | Q(sent_at__isnull=False), name="payouts_of_a_file_are_sent"
            ),
            models.CheckConstraint(
                condition=agree(Q(idempotency_key=None), Q(request_hash=None)), name="payout_key_has_its_request_hash"
            ),
            models.UniqueConstraint(
                fields=["customer", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="one_payout_per_idempotency_key",
            ),
        ]

    def __str__(self) -> str:
        return f"payout {self.pk}, {self.amount} USD"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row. Guarded updates of the services alone change it."""
        super().save(*args, **{**kwargs, "force_insert": True})

    @property
    def reference(self) -> str:
        """The reference of the movement that took the dollars from the customer, and how those of the others begin."""
        return f"payout:{self.pk}"
