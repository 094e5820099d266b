"""The ledger: wallets, and the movements between them."""

from typing import Any

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Round

from wallets.models.accounts import User
from wallets.money import USD
from wallets.runtime import clock
from wallets.runtime.constraints import agree, is_above_zero, is_not_negative, is_one_of


class WalletRole(models.TextChoices):
    """The role of a wallet: a customer's wallet, or one of the house's."""

    CUSTOMER = "customer"
    FUNDING = "funding"  # the world outside
    CLEARING = "clearing"  # dollars of orders that are paid and not yet settled
    VENUE = "venue"  # the counterparty: a wallet for each venue
    INVENTORY = "inventory"  # coins that the house owns beyond those it owes
    FEES = "fees"  # fees of completed orders
    TRADING_RESULT = "trading_result"  # slippage and rounding
    UNASSIGNED = "unassigned"  # dollars that came in and belong to nobody yet
    PAYABLE = "payable"  # dollars that customers asked to be paid out, and that are not sent yet
    RECEIVABLE = "receivable"  # below zero by what customers owe after their banks took deposits back
    GOODWILL = "goodwill"  # below zero by what the house has given away
    WRITTEN_OFF = "written_off", "written off"  # below zero by debts that will not be paid


STORED_BALANCES = (WalletRole.CUSTOMER, WalletRole.INVENTORY)


class Wallet(models.Model):
    """An account of the ledger in one asset.

    Wallets of customers and of inventory store their balance. The other house wallets store null, and their
    balance is the sum of their movements: a stored balance would be a row that every order updates.

    `cost` is what the coins in inventory cost, in US dollars. Coins leave at their average cost.
    """

    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="wallets")
    asset = models.CharField(max_length=16)
    role = models.CharField(max_length=16, choices=WalletRole.choices)
    venue = models.CharField(
        max_length=32, blank=True, default="", db_default="", help_text="Of the role venue; empty: the first venue."
    )
    balance = models.DecimalField(max_digits=38, decimal_places=8, null=True, blank=True)
    cost = models.DecimalField(max_digits=38, decimal_places=8, null=True, blank=True)
    frozen = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "asset"], name="one_wallet_per_customer_and_asset"),
            models.UniqueConstraint(
                fields=["role", "asset", "venue"],
                condition=Q(owner=None),
                name="one_house_wallet_per_role_asset_and_venue",
            ),
            models.CheckConstraint(
                condition=Q(venue="") | Q(role=WalletRole.VENUE), name="only_wallets_of_venues_name_one"
            ),
            # The composite foreign keys of Transaction refer to this key.
            models.UniqueConstraint(fields=["id", "asset"], name="wallet_id_and_asset_are_one_key"),
            models.CheckConstraint(
                condition=agree(Q(owner__isnull=False), Q(role=WalletRole.CUSTOMER)),
                name="customer_wallets_have_an_owner",
            ),
            models.CheckConstraint(condition=is_one_of("role", WalletRole.values), name="wallet_role_is_known"),
            models.CheckConstraint(
                condition=agree(Q(balance__isnull=False), is_one_of("role", STORED_BALANCES)),
                name="only_customers_and_inventory_store_a_balance",
            ),
            models.CheckConstraint(condition=is_not_negative("balance"), name="balance_is_not_negative"),
            models.CheckConstraint(
                condition=~Q(asset=USD) | Q(balance=Round(F("balance"), 2)),  # NULL passes
                name="dollar_balances_are_whole_cents",
            ),
            models.CheckConstraint(condition=~Q(role=WalletRole.INVENTORY, asset=USD), name="inventory_is_of_coins"),
            models.CheckConstraint(
                condition=Q(cost=None) | (Q(role=WalletRole.INVENTORY) & is_not_negative("cost")),
                name="inventory_alone_has_a_cost",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.owner or self.venue or self.role} {self.asset}"


class TransactionKind(models.TextChoices):
    """The kind of a movement. Customers see those that move their dollar wallet."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    PURCHASE = "purchase"
    REFUND = "refund"
    PRICE_IMPROVEMENT = "price_improvement"  # what a purchase saved beyond the spread, back to the customer
    DELIVERY = "delivery"  # coins to a customer
    REVENUE = "revenue"  # subtotals of completed orders
    FEE = "fee"  # fees of completed orders
    FILL = "fill"  # coins from the venue
    FILL_COST = "fill_cost"  # dollars to the venue
    UNASSIGNED = "unassigned"  # dollars that came in for nobody yet
    SENT_BACK = "sent_back", "sent back"  # such dollars, to their sender
    PAYOUT = "payout"  # dollars that were sent to a customer's bank
    RETURN = "return"  # a deposit that a bank took back, and what pays for it later; or a payout that came back
    REPURCHASE = "repurchase"  # coins of a customer who owes, for inventory, and dollars for them
    WRITE_OFF = "write_off", "write-off"  # a debt that will not be paid
    GOODWILL = "goodwill"  # a gift of the house to a customer
    CORRECTION = "correction"


class Transaction(models.Model):
    """One movement of one asset from a source wallet to a destination wallet; a row never changes.

    Each row balances by construction. `reference` is unique, so that nothing is booked twice: an order's
    delivery and refund share one reference, because an order has one outcome.
    """

    asset = models.CharField(max_length=16)
    amount = models.DecimalField(max_digits=38, decimal_places=8)
    source = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="+")
    destination = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=32, choices=TransactionKind.choices)
    reference = models.CharField(max_length=100, unique=True)
    order_id = models.BigIntegerField(null=True, blank=True)  # no foreign key: orders belong to the shop
    customer = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    balance_after = models.DecimalField(max_digits=38, decimal_places=8, null=True, blank=True)
    reverses = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT)
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001  null: no key
    request_hash = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  null: no key
    created_at = models.DateTimeField()

    class Meta:
        permissions = [
            ("correct_movement", "Can ask for corrections of movements"),
            ("give_goodwill", "Can ask for gifts of goodwill"),
        ]
        indexes = [
            models.Index(
                "customer",
                F("created_at").desc(),
                F("id").desc(),
                condition=Q(asset=USD, customer__isnull=False),
                name="transaction_statement",
            ),
            models.Index(fields=["order_id"], condition=Q(order_id__isnull=False), name="transaction_of_order"),
            # Movements are written in the order of their time, so this index is tiny and costs an order nothing.
            BrinIndex(fields=["created_at"], autosummarize=True, name="transaction_by_time"),
        ]
        constraints = [
            models.CheckConstraint(condition=is_above_zero("amount"), name="transaction_amount_is_positive"),
            models.CheckConstraint(condition=~Q(source=F("destination")), name="transaction_moves_between_two_wallets"),
            models.CheckConstraint(
                condition=is_one_of("kind", TransactionKind.values), name="transaction_kind_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(asset=USD)
                | Q(kind=TransactionKind.FILL_COST)
                | Q(reverses__isnull=False, customer=None)  # a correction of a movement of the house
                | Q(amount=Round(F("amount"), 2)),
                name="customer_dollars_move_in_whole_cents",
            ),
            models.CheckConstraint(condition=is_not_negative("balance_after"), name="balance_after_is_not_negative"),
            models.CheckConstraint(
                condition=agree(Q(customer=None), Q(balance_after=None)), name="balance_after_is_the_customers"
            ),
            models.CheckConstraint(
                condition=agree(Q(reverses__isnull=False), Q(kind=TransactionKind.CORRECTION)),
                name="a_correction_names_what_it_reverses",
            ),
            models.CheckConstraint(
                condition=agree(Q(idempotency_key=None), Q(request_hash=None)),
                name="transaction_key_has_its_request_hash",
            ),
            models.UniqueConstraint(
                fields=["customer", "kind", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="one_movement_per_idempotency_key",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row, and never update one. The database refuses updates and deletions too."""
        super().save(*args, **{**kwargs, "force_insert": True})
