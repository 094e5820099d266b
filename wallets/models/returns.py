"""Returns: deposits that a bank took back, in part or whole, and what customers owe after that."""

from django.db import models
from django.db.models import F, Q

from wallets.models.accounts import User
from wallets.models.deposits import Deposit
from wallets.models.encrypted import EncryptedText
from wallets.models.searchable import HashedText, SearchableText
from wallets.models.statements import StatementLine
from wallets.runtime import clock
from wallets.runtime.constraints import agree, is_above_zero, is_not_negative, is_one_of


class ReturnState(models.TextChoices):
    """Whether the deposit of a return is known, and whether the bank has given the dollars back again."""

    WAITING = "waiting", "waits for its deposit"
    TAKEN = "taken", "taken back"
    WON = "won", "won back"


class Return(models.Model):
    """Dollars of a deposit that its bank took back (a chargeback). A deposit may have several.

    `source` is our account that the dollars left, and `reference` their name there: the database accepts both together
    once. `taken` left the customer's wallet at once, and `owed` is the rest. A return of a deposit of nobody has no
    customer. While the deposit is not known, `named` holds the bank's own references to it, divided by ` | `, and the
    line what else it tells. Without `named` only staff look for the deposit.

    What banks and staff say is encrypted: it may name the payer.

    A trigger adds up a deposit's returns in its column `returned`, which a CHECK keeps within its amount.
    """

    deposit = models.ForeignKey(
        Deposit, null=True, blank=True, on_delete=models.PROTECT, related_name="returns", db_index=False
    )
    customer = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    amount = models.DecimalField(max_digits=38, decimal_places=2)
    source = models.CharField(max_length=64)
    reference = SearchableText()
    reference_hash = HashedText(of="reference")
    named = EncryptedText(blank=True)
    line = models.OneToOneField(
        StatementLine, null=True, blank=True, on_delete=models.PROTECT, related_name="taken_back"
    )
    state = models.CharField(max_length=16, choices=ReturnState.choices)
    taken = models.DecimalField(max_digits=38, decimal_places=2, default=0)
    owed = models.DecimalField(max_digits=38, decimal_places=2, default=0)
    received_at = models.DateTimeField()
    created_at = models.DateTimeField(default=clock.now)
    decided_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    approved_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    won_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    seen_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    note = EncryptedText(blank=True)

    class Meta:
        permissions = [("take_return", "Can ask for returns of deposits, and for returns that are won back")]
        indexes = [
            models.Index(fields=["deposit"], condition=Q(deposit__isnull=False), name="returns_of_deposit"),
            models.Index(fields=["id"], condition=Q(seen_at=None), name="returns_not_seen"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["reference_hash", "source"], name="each_return_is_taken_once"),
            models.CheckConstraint(condition=is_above_zero("amount"), name="return_amount_is_positive"),
            models.CheckConstraint(condition=~Q(source=""), name="a_return_names_its_source"),
            models.CheckConstraint(condition=is_one_of("state", ReturnState.values), name="return_state_is_known"),
            models.CheckConstraint(
                condition=agree(Q(deposit=None), Q(state=ReturnState.WAITING)), name="a_taken_return_has_its_deposit"
            ),
            models.CheckConstraint(
                condition=is_not_negative("taken") & is_not_negative("owed"), name="parts_of_a_return_are_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(state=ReturnState.WAITING, taken=0, owed=0)
                | ~Q(state=ReturnState.WAITING) & Q(amount=F("taken") + F("owed")),
                name="parts_of_a_return_add_up",
            ),
            models.CheckConstraint(
                condition=Q(owed=0) | Q(customer__isnull=False), name="what_is_owed_has_its_customer"
            ),
            models.CheckConstraint(
                condition=agree(Q(won_at__isnull=False), Q(state=ReturnState.WON)), name="a_won_return_has_its_time"
            ),
            models.CheckConstraint(
                condition=agree(Q(seen_at=None), Q(seen_by=None)), name="somebody_has_seen_a_seen_return"
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("decided_by")),
                name="another_person_approves_a_return",
            ),
        ]

    def __str__(self) -> str:
        return f"return {self.pk}, {self.amount} USD"


class Receivable(models.Model):
    """What a customer owes since a bank took a deposit back that the wallet no longer held, in US dollars.

    The house wallet *receivable* is below zero by the sum of all. Triggers keep the wallet of a customer who owes
    frozen.
    """

    customer = models.OneToOneField(User, primary_key=True, on_delete=models.PROTECT, related_name="receivable")
    amount = models.DecimalField(max_digits=38, decimal_places=2)
    since = models.DateTimeField()

    class Meta:
        permissions = [("settle_debt", "Can ask for write-offs of debts and for repurchases of coins")]
        indexes = [models.Index(fields=["since"], condition=Q(amount__gt=0), name="debts_that_are_open")]
        constraints = [models.CheckConstraint(condition=is_not_negative("amount"), name="debt_is_not_negative")]

    def __str__(self) -> str:
        return f"{self.customer} owes {self.amount} USD"
