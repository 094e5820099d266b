"""The shop's tables."""

from django.conf import settings
from django.db import models


class Coin(models.Model):
    """A coin on sale. Its price is in the cache, where a periodic task writes it."""

    name = models.CharField(max_length=16, unique=True)
    title = models.CharField(max_length=64)
    minimum_total = models.DecimalField(max_digits=20, decimal_places=2)
    is_active = models.BooleanField(default=True)

    def __str__(self):
        return self.name


class Wallet(models.Model):
    """A customer's dollars."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, related_name="wallet", on_delete=models.CASCADE)
    balance = models.DecimalField(max_digits=20, decimal_places=2, default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self):
        return f"{self.user_id}: {self.balance}"


class Order(models.Model):
    """A purchase of a coin by a customer."""

    class Status(models.TextChoices):
        PENDING = "pending"
        COMPLETED = "completed"
        FAILED = "failed"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, related_name="orders", on_delete=models.CASCADE)
    coin = models.ForeignKey(Coin, related_name="orders", on_delete=models.PROTECT)
    amount = models.DecimalField(max_digits=30, decimal_places=8)
    price = models.DecimalField(max_digits=30, decimal_places=8)
    total = models.DecimalField(max_digits=20, decimal_places=2)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self):
        return f"{self.pk}: {self.amount} {self.coin_id}"


class Movement(models.Model):
    """A change of a wallet's balance."""

    class Kind(models.TextChoices):
        DEPOSIT = "deposit"
        PURCHASE = "purchase"
        REFUND = "refund"

    wallet = models.ForeignKey(Wallet, related_name="movements", on_delete=models.CASCADE)
    order = models.ForeignKey(Order, related_name="movements", null=True, on_delete=models.PROTECT)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    amount = models.DecimalField(max_digits=20, decimal_places=2)
    balance_after = models.DecimalField(max_digits=20, decimal_places=2)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"{self.kind} {self.amount}"
