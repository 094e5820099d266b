"""Coins on sale, and the switch for all of them."""

import re
from typing import Final

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Ceil

from trading.models.fields import PriceField, is_price
from wallets.money import USD
from wallets.runtime.constraints import is_number


class PoolPolicy(models.TextChoices):
    """The action for a pool that is still below the threshold when its time is up."""

    BUY = "buy", "buy it anyway"
    REFUND = "refund", "refund its orders"


_NAME: Final = re.compile("[A-Z0-9]{1,12}")


def is_coin_name(text: str) -> bool:
    """Say whether a coin can have the name `text`, which may be any text; Postgres would refuse some."""
    return _NAME.fullmatch(text) is not None


class Coin(models.Model):
    """A cryptocurrency on sale. Amounts are in coins, prices in US dollars a coin."""

    name = models.CharField(
        max_length=12,
        unique=True,
        help_text=(
            "The venue's name. It never changes: put a coin that the venue has renamed on sale under the new name."
        ),
    )
    title = models.CharField(max_length=60, blank=True)
    is_sold = models.BooleanField(default=True)
    minimum = models.DecimalField(max_digits=20, decimal_places=8, default="0.00000001")
    # The previous release has the column `maximum`, never null. A trigger keeps both alike until the next one drops it.
    maximum = models.DecimalField(
        db_column="largest_amount",
        max_digits=38,
        decimal_places=8,
        null=True,
        blank=True,
        help_text="In coins. Empty: as many as ORDER_MAXIMUM dollars buy at the price of the moment.",
    )
    step = models.DecimalField(max_digits=20, decimal_places=8, default="0.00000001")
    fixed_price = PriceField(null=True, blank=True, help_text="A price set here never gets too old.")
    pool_policy = models.CharField(max_length=8, choices=PoolPolicy.choices, default=PoolPolicy.BUY)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(name__regex=r"^[A-Z0-9]{1,12}$"),
                name="coin_name_is_a_symbol",
                violation_error_message="A coin's name is the venue's: 1 to 12 capital letters and digits, as 1INCH.",
            ),
            models.CheckConstraint(
                condition=~Q(name=USD),
                name="dollars_are_not_a_coin",
                violation_error_message="US dollars pay for coins, and are none.",
            ),
            models.CheckConstraint(
                condition=Q(step__gt=0)
                & is_number("step")
                & Q(minimum__gt=0)
                & (Q(maximum=None) | is_number("maximum") & Q(maximum__gte=F("minimum"))),
                name="coin_limits_are_in_order",
                violation_error_message="Step and minimum are above zero, and the maximum is not below the minimum.",
            ),
            models.CheckConstraint(
                # A step of zero breaks the rule above, and must not divide here.
                condition=Q(step__lte=0) | Q(maximum=None) | Q(maximum__gte=Ceil(F("minimum") / F("step")) * F("step")),
                name="coin_limits_allow_an_amount",
                violation_error_message="No multiple of the step lies between the minimum and the maximum.",
            ),
            models.CheckConstraint(
                condition=Q(fixed_price=None) | is_price("fixed_price"),
                name="fixed_price_is_positive",
            ),
            models.CheckConstraint(condition=Q(pool_policy__in=PoolPolicy.values), name="pool_policy_is_known"),
        ]

    def __str__(self) -> str:
        return self.name


class UnclearCoin(models.Model):
    """A coin whose purchase in flight has an unknown outcome, since `since`. Until it is known, none is bought.

    A table of its own: staff save whole rows of coins, and would write back an old value.
    """

    coin = models.OneToOneField(Coin, primary_key=True, on_delete=models.CASCADE, related_name="unclear")
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.coin} is unclear"


class ClosedMarket(models.Model):
    """A coin that the venue does not trade, by its own word, since `since`. The price feed keeps the rows."""

    coin = models.OneToOneField(Coin, primary_key=True, on_delete=models.CASCADE, related_name="closed_market")
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"the market of {self.coin} is closed"


class Shop(models.Model):
    """Staff's switch for the sale of all coins at once; the table has one row."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    is_open = models.BooleanField(default=True)
    reason = models.CharField(max_length=200, blank=True, help_text="Why the shop is closed. Not shown to customers.")

    class Meta:
        verbose_name_plural = "shop"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="there_is_one_shop")]

    def __str__(self) -> str:
        return "open" if self.is_open else "closed"
