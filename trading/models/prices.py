"""The prices of coins as read from the venue, their changes, and the suspensions after a jump."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from trading.models.coins import Coin
from trading.models.fields import PriceField, is_price
from wallets.runtime.constraints import is_number


class CoinPrice(models.Model):
    """A coin's current price, and its suspect price while the coin is suspended.

    `value` is the ask of the newest reading that is believed. The previous release writes only it, `source`, `read_at`
    and the suspect price: after that, what else is here is of an older reading, and does not count (`has_details`).
    """

    coin = models.OneToOneField(Coin, on_delete=models.CASCADE, primary_key=True, related_name="current_price")
    value = PriceField()
    bid = PriceField(null=True, blank=True)
    last = PriceField(null=True, blank=True)
    source = models.CharField(max_length=32)
    read_at = models.DateTimeField()
    quoted_at = models.DateTimeField(null=True, blank=True, help_text="The quote's own time, by our clock.")
    # The quote's time by the venue's clock. A quote with the same time is the same quote, whatever that clock says now.
    venue_time = models.DateTimeField(null=True, blank=True)
    # The reading to which the fields belong that the previous release does not write.
    details_at = models.DateTimeField(null=True, blank=True)
    # Asks of before are no worst ask: the coin was not sold then. Good prices of before are no measure of a jump.
    asks_from = models.DateTimeField(null=True, blank=True)
    jumps_from = models.DateTimeField(null=True, blank=True)
    # Since when the book is the same. A book without a time that does not change for long is asked for by itself.
    book_at = models.DateTimeField(null=True, blank=True)
    # While the ask moves faster than the spread, the coin is sold at the highest one of a short time.
    worst_ask = PriceField(null=True, blank=True)
    # A reading too far from `value` sets these fields. Selling stops until it is believed.
    suspended_at = models.DateTimeField(null=True, blank=True)
    candidate = PriceField(null=True, blank=True)
    candidate_readings = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=is_price("value"), name="price_is_positive"),
            models.CheckConstraint(condition=Q(bid=None) | is_price("bid"), name="bid_is_positive"),
            models.CheckConstraint(condition=Q(last=None) | is_price("last"), name="last_price_is_positive"),
            models.CheckConstraint(condition=Q(worst_ask=None) | is_price("worst_ask"), name="worst_ask_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.coin_id} {self.value}"

    @property
    def has_details(self) -> bool:
        """Whether bid, last price, times of the quote and worst ask are of the newest reading."""
        return self.details_at == self.read_at


class PriceChange(models.Model):
    """A change of a coin's price, which is the venue's ask."""

    coin = models.ForeignKey(Coin, on_delete=models.CASCADE, related_name="price_changes")
    value = PriceField()
    source = models.CharField(max_length=32)
    read_at = models.DateTimeField()

    class Meta:
        db_table = "trading_pricereading"
        indexes = [models.Index("coin", F("read_at").desc(), name="price_history")]

    def __str__(self) -> str:
        return f"{self.coin_id} {self.value} at {self.read_at}"


class SuspensionEnd(models.TextChoices):
    """How the suspension of a coin ended."""

    RETURNED = "returned", "the old price came back"
    CONFIRMED = "confirmed", "readings and a second source agreed"
    ACCEPTED = "accepted", "staff accepted the price"
    PREVIOUS = "previous", "the previous release ended it"


class Suspension(models.Model):
    """A time in which a coin was not sold because its price had jumped, with the readings.

    `limit` is the share by which a reading could differ from `price`, the last good one, when the suspension began. The
    old price is back when three readings are from `lowest` to `highest`.
    """

    coin = models.ForeignKey(Coin, on_delete=models.PROTECT, related_name="suspensions")
    begun_at = models.DateTimeField()
    price = PriceField(help_text="The last good price (USD).")
    price_at = models.DateTimeField()
    limit = models.DecimalField(max_digits=8, decimal_places=6)
    # No prices: all prices before may be so far apart that no price is near all of them.
    lowest = PriceField(null=True, blank=True, help_text="The lowest price that would have been believed (USD).")
    highest = PriceField(null=True, blank=True, help_text="The highest price that would have been believed (USD).")
    readings = models.JSONField(default=list, help_text="The first twenty and the last twenty.")
    second = models.JSONField(null=True, blank=True, help_text="What the second source said last.")
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=SuspensionEnd.choices, blank=True)
    ended_price = PriceField(null=True, blank=True, help_text="The price at which sales went on (USD).")
    seen_at = models.DateTimeField(null=True, blank=True)
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["ended_at"],
                condition=Q(ended_at__isnull=False, seen_at=None),
                name="unseen_suspensions",
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["coin"], condition=Q(ended_at=None), name="one_open_suspension_per_coin"),
            models.CheckConstraint(
                condition=Q(ended_at=None, outcome="", ended_price=None)
                | Q(ended_at__isnull=False, outcome__in=SuspensionEnd.values, ended_price__gt=0),
                name="an_ended_suspension_says_how",
            ),
            models.CheckConstraint(
                condition=Q(seen_at=None, seen_by=None)
                | Q(seen_at__isnull=False, seen_by__isnull=False, ended_at__isnull=False),
                name="staff_have_seen_an_ended_suspension",
            ),
            models.CheckConstraint(
                condition=is_price("price") & Q(limit__gt=0) & is_number("limit"),
                name="a_suspension_has_a_price_and_a_limit",
            ),
        ]

    def __str__(self) -> str:
        return f"suspension of {self.coin} at {self.begun_at:%Y-%m-%d %H:%M} UTC"
