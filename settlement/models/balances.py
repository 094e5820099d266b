"""For each asset: what our account at a venue should hold, and what it held when last read."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q

from trading.models import Coin
from wallets.runtime.constraints import is_number


class AccountMoveKind(models.TextChoices):
    """Why the account holds more or less than our purchases explain."""

    OPENING = "opening", "what it held besides our purchases when the comparison began"
    MOVE = "move", "moved in (more than 0) or out (less than 0)"


class AccountMove(models.Model):
    """A part of the account at a venue that no purchase explains: its opening, or a move in or out.

    Used for the comparison of balances alone: the ledger knows nothing of it. Rows never change; a wrong one is mended
    by another. Staff book them. Only the first reading of an asset that was never bought is booked without staff.
    """

    venue = models.CharField(max_length=32)
    asset = models.CharField(max_length=12)
    kind = models.CharField(max_length=8, choices=AccountMoveKind.choices)
    amount = models.DecimalField(max_digits=38, decimal_places=8)
    reason = models.CharField(max_length=500)
    booked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    booked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["venue", "asset"], condition=Q(kind="opening"), name="an_account_opens_once_per_asset"
            ),
            models.CheckConstraint(condition=Q(kind__in=AccountMoveKind.values), name="account_move_kind_is_known"),
            models.CheckConstraint(
                condition=~Q(venue="") & ~Q(asset="") & ~Q(reason=""), name="account_moves_say_where_and_why"
            ),
            models.CheckConstraint(
                condition=is_number("amount") & (Q(kind="opening") | ~Q(amount=0)), name="moves_move_something"
            ),
            models.CheckConstraint(
                condition=Q(booked_by__isnull=False) | Q(kind="opening", reason="first reading"),
                name="staff_book_all_but_first_readings",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.amount.normalize():f} {self.asset} at {self.venue}"


class PurchaseSum(models.Model):
    """What the purchases of a coin at a venue have brought (coins) and cost that ended by `until`.

    The comparison of balances begins with these sums instead of reading every purchase each time. They are made from
    the attempts, and made anew by each reconciliation and before a difference is believed. All rows of a venue are
    written together, with the same `until`.
    """

    venue = models.CharField(max_length=32)
    coin = models.ForeignKey(Coin, on_delete=models.PROTECT, related_name="+")
    received = models.DecimalField(max_digits=38, decimal_places=8)
    cost = models.DecimalField(max_digits=38, decimal_places=8)
    count = models.PositiveBigIntegerField()
    last_ended = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["venue", "coin"], name="one_sum_of_purchases_per_venue_and_coin"),
            models.CheckConstraint(
                condition=Q(received__gte=0, cost__gte=0) & is_number("received") & is_number("cost"),
                name="sums_of_purchases_are_plausible",
            ),
            models.CheckConstraint(
                condition=Q(last_ended=None) | Q(last_ended__lte=models.F("until")),
                name="sums_hold_what_has_ended",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.coin} at {self.venue}"


class BalanceReading(models.Model):
    """The latest reading of the account's balance of one asset, and what our books say about it.

    With an opening there are `expected` and `difference` (theirs less ours). Without one there is `proposed`: the
    opening with which the books would agree. `steady_since` is the time of the first of the latest readings that all
    show the same difference or proposal, with no purchase in flight between them; null while one is.
    """

    venue = models.CharField(max_length=32)
    asset = models.CharField(max_length=12)
    amount = models.DecimalField(max_digits=38, decimal_places=8)
    expected = models.DecimalField(max_digits=38, decimal_places=8, null=True, blank=True)
    difference = models.DecimalField(max_digits=38, decimal_places=8, null=True, blank=True)
    proposed = models.DecimalField(max_digits=38, decimal_places=8, null=True, blank=True)
    read_at = models.DateTimeField(help_text="By Postgres' clock, before the venue was asked.")
    steady_since = models.DateTimeField(null=True, blank=True)
    agreed_at = models.DateTimeField(null=True, blank=True, help_text="When the books last agreed.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["venue", "asset"], name="one_reading_per_venue_and_asset"),
            models.CheckConstraint(condition=Q(amount__gte=0) & is_number("amount"), name="balances_are_not_negative"),
            models.CheckConstraint(
                condition=Q(proposed__isnull=False, expected=None, difference=None)
                | Q(proposed=None, expected__isnull=False, difference__isnull=False),
                name="a_reading_is_compared_or_proposes_an_opening",
            ),
            models.CheckConstraint(
                condition=Q(steady_since=None) | Q(steady_since__lte=models.F("read_at")),
                name="a_reading_is_steady_since_an_earlier_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset} at {self.venue}"

    @property
    def shown(self) -> Decimal:
        """The figure that has to stay the same from one reading to the next before it is believed."""
        figure = self.proposed if self.difference is None else self.difference
        assert figure is not None, "a constraint"
        return figure
