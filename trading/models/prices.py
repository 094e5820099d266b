"""The prices of coins as read from the venue, and their changes."""

from django.db import models
from django.db.models import F, Q

from trading.models.coins import Coin
from wallets.runtime.constraints import is_number


class CoinPrice(models.Model):
    """A coin's current price, and its suspect price while the coin is suspended."""

    coin = models.OneToOneField(Coin, on_delete=models.CASCADE, primary_key=True, related_name="current_price")
    value = models.DecimalField(max_digits=20, decimal_places=8)
    source = models.CharField(max_length=32)
    read_at = models.DateTimeField()
    # A reading too far from `value` sets these fields. Selling stops until readings agree or staff accept a price.
    suspended_at = models.DateTimeField(null=True, blank=True)
    candidate = models.DecimalField(max_digits=20, decimal_places=8, null=True, blank=True)
    candidate_readings = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(value__gt=0) & is_number("value"), name="price_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.coin_id} {self.value}"


class PriceChange(models.Model):
    """A change of a coin's price."""

    coin = models.ForeignKey(Coin, on_delete=models.CASCADE, related_name="price_changes")
    value = models.DecimalField(max_digits=20, decimal_places=8)
    source = models.CharField(max_length=32)
    read_at = models.DateTimeField()

    class Meta:
        db_table = "trading_pricereading"
        indexes = [models.Index("coin", F("read_at").desc(), name="price_history")]

    def __str__(self) -> str:
        return f"{self.coin_id} {self.value} at {self.read_at}"
