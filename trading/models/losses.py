"""The loss of the house on a UTC day, and the stops of sales when it has reached its ceiling."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q

from trading.models.coins import Coin
from wallets.runtime.constraints import is_number


class DayLoss(models.Model):
    """The coins of one kind that were delivered on a UTC day, their cost, and their price (US dollars).

    `charge` is what their orders paid for them, without fees. Each booking adds to its row in its own database
    transaction.
    """

    day = models.DateField()
    coin = models.ForeignKey(Coin, on_delete=models.PROTECT, related_name="+", db_index=False)
    coins = models.DecimalField(max_digits=38, decimal_places=8)
    cost = models.DecimalField(max_digits=38, decimal_places=8)
    charge = models.DecimalField(max_digits=38, decimal_places=2)
    counted_at = models.DateTimeField()

    class Meta:
        verbose_name = "loss of a day"
        verbose_name_plural = "losses by day"
        constraints = [
            models.UniqueConstraint(fields=["day", "coin"], name="one_loss_per_day_and_coin"),
            models.CheckConstraint(
                condition=Q(coins__gt=0, cost__gte=0, charge__gt=0)
                & is_number("coins")
                & is_number("cost")
                & is_number("charge"),
                name="a_loss_is_of_delivered_coins",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.coin} on {self.day}"

    @property
    def loss(self) -> Decimal:
        """The loss in US dollars; negative for a gain."""
        return self.cost - self.charge


class SalesStop(models.Model):
    """Sales of `coin` (null: of every coin) stopped on a UTC day, because its loss reached the ceiling (US dollars).

    A stop is in force until its day ends, or until staff let sales go on: then `stopped_at` is null, and sales stop
    again once the day's loss reaches the new `ceiling`.
    """

    day = models.DateField()
    coin = models.ForeignKey(Coin, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    loss = models.DecimalField(max_digits=38, decimal_places=8)
    ceiling = models.DecimalField(max_digits=38, decimal_places=8)
    stopped_at = models.DateTimeField(null=True, blank=True)
    resumed_at = models.DateTimeField(null=True, blank=True)
    resumed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.CharField(max_length=200, blank=True, help_text="Why staff let sales go on.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "coin"], nulls_distinct=False, name="one_stop_per_day_and_coin_and_one_for_all"
            ),
            models.CheckConstraint(
                condition=Q(loss__gt=0, ceiling__gt=0) & is_number("loss") & is_number("ceiling"),
                name="a_stop_has_a_loss_and_a_ceiling",
            ),
            models.CheckConstraint(
                condition=Q(stopped_at=None) | Q(loss__gte=models.F("ceiling")), name="a_stop_is_of_a_reached_ceiling"
            ),
            models.CheckConstraint(
                condition=Q(resumed_at=None, resumed_by=None, reason="")
                | (Q(resumed_at__isnull=False, resumed_by__isnull=False) & ~Q(reason="")),
                name="who_lets_sales_go_on_says_why",
            ),
            models.CheckConstraint(
                condition=Q(stopped_at__isnull=False) | Q(resumed_at__isnull=False), name="a_stop_ends_by_staff"
            ),
        ]

    def __str__(self) -> str:
        return f"stop of {self.coin or 'all sales'} on {self.day}"
