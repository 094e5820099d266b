"""Statements of our bank accounts, as imported: a batch of lines that is credited once it is approved."""

from django.db import models
from django.db.models import F, Q

from wallets.models.accounts import User
from wallets.models.deposits import Deposit
from wallets.models.encrypted import EncryptedText
from wallets.models.payouts import Payout
from wallets.models.searchable import HashedText, SearchableText
from wallets.runtime import clock
from wallets.runtime.constraints import agree, is_one_of
from wallets.statements.lines import COMES_IN, LineKind


class StatementState(models.TextChoices):
    """How far an imported statement is. A rejected one counts as never imported."""

    WAITING = "waiting", "waits for approval"
    APPROVED = "approved"  # its lines are being credited
    CREDITED = "credited"
    REJECTED = "rejected"


_IN_FORCE = ~Q(state=StatementState.REJECTED)


class Statement(models.Model):
    """A statement of one of our accounts: what its file says, and who decided about it.

    Statements of an account follow one another: each opens with the balance with which `previous` closed.
    """

    account = models.CharField(max_length=64)
    previous = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="following", db_index=False
    )
    file_name = models.CharField(max_length=100)
    sha256 = models.CharField(max_length=64)
    opening = models.DecimalField(max_digits=38, decimal_places=2)
    credits = models.DecimalField(max_digits=38, decimal_places=2)
    debits = models.DecimalField(max_digits=38, decimal_places=2)
    closing = models.DecimalField(max_digits=38, decimal_places=2)
    last_day = models.DateField(null=True, blank=True)
    counts = models.JSONField()
    state = models.CharField(max_length=16, choices=StatementState.choices, default=StatementState.WAITING)
    imported_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    imported_at = models.DateTimeField(default=clock.now)
    decided_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("approve_statement", "Can approve and reject imported statements")]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(state__in=["waiting", "approved"]), name="statements_that_are_not_done"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "sha256"], condition=_IN_FORCE, name="each_file_is_imported_once"
            ),
            models.UniqueConstraint(
                fields=["previous"],
                condition=_IN_FORCE & Q(previous__isnull=False),
                name="one_statement_follows_another",
            ),
            models.UniqueConstraint(
                fields=["account"], condition=_IN_FORCE & Q(previous=None), name="one_statement_is_an_accounts_first"
            ),
            models.CheckConstraint(
                condition=Q(closing=F("opening") + F("credits") - F("debits")), name="statement_balances_add_up"
            ),
            models.CheckConstraint(
                condition=is_one_of("state", StatementState.values), name="statement_state_is_known"
            ),
            models.CheckConstraint(
                condition=agree(Q(decided_by=None), Q(state=StatementState.WAITING)),
                name="a_decision_about_a_statement_has_its_person",
            ),
        ]

    def __str__(self) -> str:
        return f"statement {self.pk} of {self.account}"


class StatementLine(models.Model):
    """A booked line of a statement. `reference` is the deposit's; lines of one `key` differ by their ordinal.

    `originals` are the bank's further references of a line that took a payment back, divided by ` | `.
    Without a `customer` a credit becomes a deposit of nobody, and `remark` says why. `counterparty` and `text` of a
    customer's line are sealed with their key besides (`wallets.services.sealing`).
    """

    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="lines", db_index=False)
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in LineKind])
    amount = models.DecimalField(max_digits=38, decimal_places=2)
    booked_on = models.DateField()
    key = HashedText()
    reference = SearchableText()
    reference_hash = HashedText(of="reference")
    counterparty = EncryptedText(blank=True)
    text = EncryptedText(blank=True)
    originals = EncryptedText(null=True, blank=True)
    customer = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    remark = models.CharField(max_length=200, blank=True)
    deposit = models.ForeignKey(
        Deposit, null=True, blank=True, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    # The payout that the line names, and the one that it answers: our bank has paid it, or it has come back.
    end_to_end_id = models.CharField(max_length=32, blank=True, default="", db_default="")
    payout = models.ForeignKey(
        Payout, null=True, blank=True, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    # The payout that the line names and does not fit, until the line answers it. A debit that answers nothing, whether
    # it names a payout or not, waits for two persons: until they have decided, nobody has seen it.
    contradicts = models.ForeignKey(
        Payout, null=True, blank=True, on_delete=models.PROTECT, related_name="contradictions", db_index=False
    )
    seen_at = models.DateTimeField(null=True, blank=True)
    seen_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False)

    class Meta:
        indexes = [
            models.Index(fields=["deposit"], condition=Q(deposit__isnull=False), name="lines_of_deposit"),
            models.Index(fields=["payout"], condition=Q(payout__isnull=False), name="lines_of_payout"),
            models.Index(
                fields=["id"],
                condition=Q(kind=LineKind.DEBIT.value, payout=None, seen_at=None),
                name="debits_that_wait",
            ),
            models.Index(
                fields=["end_to_end_id"],
                condition=Q(kind__in=COMES_IN) & ~Q(end_to_end_id=""),
                name="credits_that_name_a_payout",
            ),
            models.Index(fields=["key"], name="lines_by_key"),
            models.Index(
                fields=["statement", "number"],
                condition=Q(kind__in=COMES_IN, deposit=None, payout=None),
                name="lines_to_receive",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["statement", "number"], name="lines_of_a_statement_are_numbered"),
            models.CheckConstraint(
                condition=is_one_of("kind", [kind.value for kind in LineKind]), name="line_kind_is_known"
            ),
            models.CheckConstraint(
                condition=is_one_of("kind", COMES_IN) | Q(customer=None, deposit=None),
                name="only_dollars_that_came_in_become_deposits",
            ),
            models.CheckConstraint(
                condition=Q(payout=None) | Q(deposit=None), name="an_answer_about_a_payout_is_no_deposit"
            ),
            models.CheckConstraint(
                condition=Q(payout=None) | Q(contradicts=None), name="an_answer_about_a_payout_fits_it"
            ),
            models.CheckConstraint(
                condition=agree(Q(seen_at=None), Q(seen_by=None)), name="somebody_has_seen_a_seen_line"
            ),
        ]

    def __str__(self) -> str:
        return f"line {self.number} of statement {self.statement_id}"
