"""Price rules: what customers pay above what a purchase costs."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from trading.models.coins import Coin
from wallets.runtime.constraints import is_number

HIGHEST_SPREAD = 1
HIGHEST_FEE_RATE = 1


class PriceRule(models.Model):
    """The spread and the fee from `valid_from` on, of one coin or (`coin` is null) of all coins with a market price.

    Rates are shares: 0.005 is half a percent. The fee of an order is `fee_rate` of its subtotal, at least `fee_minimum`
    and at most `fee_maximum` US dollars. The newest valid rule of a coin goes before those of all coins; of two that
    begin at the same moment, the one with the higher id holds. The database refuses to change or to delete a rule, and
    a rule that was valid before it was made.
    """

    coin = models.ForeignKey(
        Coin,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="price_rules",
        db_index=False,
        help_text="Empty: all coins with a market price that have no rule of their own.",
    )
    spread_rate = models.DecimalField(max_digits=9, decimal_places=8)
    fee_rate = models.DecimalField(max_digits=9, decimal_places=8, default=0)
    fee_minimum = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    fee_maximum = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    valid_from = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    reason = models.CharField(max_length=200, help_text="Why the rule was made.")

    class Meta:
        indexes = [models.Index("coin", F("valid_from").desc(), F("id").desc(), name="newest_price_rules")]
        constraints = [
            models.CheckConstraint(
                condition=Q(spread_rate__gte=0, spread_rate__lte=HIGHEST_SPREAD) & is_number("spread_rate"),
                name="spread_is_a_share",
            ),
            models.CheckConstraint(
                condition=Q(fee_rate__gte=0, fee_rate__lte=HIGHEST_FEE_RATE) & is_number("fee_rate"),
                name="fee_rate_is_a_share",
            ),
            models.CheckConstraint(
                condition=Q(fee_minimum__gte=0)
                & is_number("fee_minimum")
                & (Q(fee_maximum=None) | (Q(fee_maximum__gte=F("fee_minimum")) & is_number("fee_maximum"))),
                name="fee_limits_are_in_order",
            ),
            models.CheckConstraint(condition=Q(valid_from__gte=F("created_at")), name="no_rule_is_valid_in_the_past"),
            models.CheckConstraint(condition=~Q(reason=""), name="a_rule_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"price rule {self.pk} of {self.coin or 'all coins'}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row, and never update one. The database refuses updates and deletions too."""
        super().save(*args, **{**kwargs, "force_insert": True})
