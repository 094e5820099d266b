"""How many dollars may still be sold: the limits that staff set, and the last count of what is sold and not settled."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from trading.models.coins import Coin
from wallets.runtime.constraints import is_number


class SalesLimit(models.Model):
    """The most US dollars of a coin, or (`coin` is null) of all coins, that may be sold and not settled at a time.

    `most` is null where staff have lifted the limit. The newest row of a coin holds. The database refuses to change or
    to delete a row.
    """

    coin = models.ForeignKey(
        Coin,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="Empty: all coins together.",
    )
    most = models.DecimalField(
        max_digits=14,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="US dollars: subtotals of orders that are taken and not settled. Empty: no limit.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    reason = models.CharField(max_length=200, help_text="Why the limit was set.")

    class Meta:
        indexes = [models.Index("coin", F("id").desc(), name="newest_sales_limits")]
        constraints = [
            models.CheckConstraint(
                condition=Q(most=None) | Q(most__gte=0) & is_number("most"), name="a_sales_limit_is_not_negative"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="a_sales_limit_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"sales limit {self.pk} of {self.coin or 'all coins'}"


class Headroom(models.Model):
    """The last count for a coin, or (`coin` is null) for all coins together; US dollars of subtotals.

    `used` is sold and not settled. `room` is what may still be sold, by all that bounds the row, null if nothing does:
    a limit (`most`), and what the account at the venue can pay. A coin's `room` is never more than that of all.
    `whole` is the amount of which staff are told when four fifths are gone: the limit; for all coins without a limit,
    the most that the account could pay on this UTC day.
    """

    coin = models.ForeignKey(
        Coin, null=True, blank=True, on_delete=models.PROTECT, related_name="headroom", db_index=False
    )
    most = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    used = models.DecimalField(max_digits=38, decimal_places=2)
    room = models.DecimalField(max_digits=38, decimal_places=2, null=True, blank=True)
    whole = models.DecimalField(max_digits=38, decimal_places=2, null=True, blank=True)
    near_since = models.DateTimeField(null=True, blank=True)
    stopped_since = models.DateTimeField(null=True, blank=True)
    counted_at = models.DateTimeField()

    class Meta:
        verbose_name = "headroom"
        verbose_name_plural = "headroom"
        constraints = [
            models.UniqueConstraint(
                fields=["coin"], nulls_distinct=False, name="one_headroom_per_coin_and_one_for_all"
            ),
            models.CheckConstraint(
                condition=Q(used__gte=0)
                & is_number("used")
                & (Q(room=None) | Q(room__gte=0) & is_number("room"))
                & (Q(most=None) | Q(most__gte=0) & is_number("most"))
                & (Q(whole=None) | Q(whole__gte=0) & is_number("whole")),
                name="headroom_is_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(stopped_since=None) | Q(near_since__isnull=False), name="sales_that_stop_were_near_it"
            ),
        ]

    def __str__(self) -> str:
        return f"headroom of {self.coin or 'all coins'}"
