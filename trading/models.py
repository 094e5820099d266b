"""Coins, their prices, and orders."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Ceil, Round

from wallets.constraints import is_number
from wallets.money import USD


class PoolPolicy(models.TextChoices):
    """What becomes of a pool that has not reached the threshold when its time is up."""

    BUY = "buy", "buy it anyway"
    REFUND = "refund", "refund its orders"


class Coin(models.Model):
    """A cryptocurrency on sale. Amounts are in coins, prices in US dollars a coin."""

    name = models.CharField(max_length=12, unique=True)
    title = models.CharField(max_length=60, blank=True)
    is_sold = models.BooleanField(default=True)
    minimum = models.DecimalField(max_digits=20, decimal_places=8, default="0.00000001")
    maximum = models.DecimalField(max_digits=20, decimal_places=8, default="1000000")
    step = models.DecimalField(max_digits=20, decimal_places=8, default="0.00000001")
    fixed_price = models.DecimalField(
        max_digits=20, decimal_places=8, null=True, blank=True, help_text="Set here, a price does not age."
    )
    pool_policy = models.CharField(max_length=8, choices=PoolPolicy.choices, default=PoolPolicy.BUY)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(name__regex=r"^[A-Z0-9]{2,12}$"), name="coin_name_is_a_symbol"),
            models.CheckConstraint(condition=~Q(name=USD), name="dollars_are_not_a_coin"),
            models.CheckConstraint(
                condition=Q(step__gt=0)
                & is_number("step")
                & Q(minimum__gt=0)
                & is_number("maximum")
                & Q(maximum__gte=F("minimum")),
                name="coin_limits_are_in_order",
            ),
            models.CheckConstraint(
                condition=Q(fixed_price=None) | (Q(fixed_price__gt=0) & is_number("fixed_price")),
                name="fixed_price_is_positive",
            ),
            models.CheckConstraint(condition=Q(pool_policy__in=PoolPolicy.values), name="pool_policy_is_known"),
        ]

    def __str__(self) -> str:
        return self.name


class Shop(models.Model):
    """Whether anything is sold at all: one row, staff's switch for all coins at once."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    is_open = models.BooleanField(default=True)
    reason = models.CharField(max_length=200, blank=True, help_text="Why it is closed. Not shown to customers.")

    class Meta:
        verbose_name_plural = "shop"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="there_is_one_shop")]

    def __str__(self) -> str:
        return "open" if self.is_open else "closed"


class CoinPrice(models.Model):
    """The last price read for a coin, and whether the reading may be sold at."""

    coin = models.OneToOneField(Coin, on_delete=models.CASCADE, primary_key=True, related_name="market_price")
    value = models.DecimalField(max_digits=20, decimal_places=8)
    source = models.CharField(max_length=32)
    read_at = models.DateTimeField()
    # Set by a reading too far from the one before; selling stops until readings agree or staff accept.
    suspended_at = models.DateTimeField(null=True, blank=True)
    candidate = models.DecimalField(max_digits=20, decimal_places=8, null=True, blank=True)
    candidate_readings = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(value__gt=0) & is_number("value"), name="price_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.coin_id} {self.value}"


class PriceReading(models.Model):
    """The history of a coin's price: one row for each change."""

    coin = models.ForeignKey(Coin, on_delete=models.CASCADE, related_name="readings")
    value = models.DecimalField(max_digits=20, decimal_places=8)
    source = models.CharField(max_length=32)
    read_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index("coin", F("read_at").desc(), name="price_history")]

    def __str__(self) -> str:
        return f"{self.coin_id} {self.value} at {self.read_at}"


class OrderState(models.TextChoices):
    """The life of an order; see docs/architecture.md for the picture."""

    PENDING = "pending"
    AGGREGATED = "aggregated"
    HELD = "held"
    SETTLING = "settling"
    COMPLETED = "completed"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


WAITING = (OrderState.PENDING, OrderState.AGGREGATED)
PAID_AND_OPEN = (*WAITING, OrderState.HELD, OrderState.SETTLING)


def _time_stands_for(state: OrderState, field: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{"state": state, f"{field}__isnull": False}) | (~Q(state=state) & Q(**{field: None})),
        name=f"{field}_is_of_{state}_orders",
    )


class Order(models.Model):
    """A customer's purchase of `amount` coins at `price`, charged `total_price` US dollars."""

    customer = models.ForeignKey(  # whose index is orders_of_customer
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="orders", db_index=False
    )
    coin = models.ForeignKey(Coin, on_delete=models.PROTECT, related_name="orders")
    amount = models.DecimalField(max_digits=38, decimal_places=8)
    price = models.DecimalField(max_digits=20, decimal_places=8)
    price_source = models.CharField(max_length=32)
    price_at = models.DateTimeField()
    total_price = models.DecimalField(max_digits=38, decimal_places=2)
    state = models.CharField(max_length=12, choices=OrderState.choices)
    is_aggregated = models.BooleanField()
    settle_by = models.DateTimeField(null=True, blank=True)
    batch_id = models.BigIntegerField(null=True, blank=True)  # opaque here: batches belong to settlement
    reason = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001  null on the wire too
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001  null: no key
    request_hash = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  null: no key
    created_at = models.DateTimeField()
    held_at = models.DateTimeField(null=True, blank=True)
    settling_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    refunded_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index("customer", F("created_at").desc(), F("id").desc(), name="orders_of_customer"),
            models.Index(fields=["coin", "id"], condition=Q(state__in=WAITING), name="waiting_orders"),
            # A pool is summed at every claim, without its orders being looked up.
            models.Index(
                fields=["coin"],
                include=["settle_by", "total_price"],
                condition=Q(state="aggregated"),
                name="pooled_orders",
            ),
            models.Index(fields=["batch_id", "id"], condition=Q(state="settling"), name="settling_orders"),
            models.Index(fields=["batch_id"], condition=Q(batch_id__isnull=False), name="orders_of_batch"),
            models.Index(fields=["held_at"], condition=Q(state="held"), name="held_orders"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0) & is_number("amount"), name="order_amount_is_positive"),
            models.CheckConstraint(condition=Q(price__gt=0) & is_number("price"), name="order_price_is_positive"),
            models.CheckConstraint(
                condition=Q(total_price=Round(Ceil(F("amount") * F("price") * 100) / 100, 2)),
                name="charge_is_amount_times_price_rounded_up",
            ),
            models.CheckConstraint(condition=Q(state__in=OrderState.values), name="order_state_is_known"),
            models.CheckConstraint(
                condition=Q(is_aggregated=True, settle_by__isnull=False) | Q(is_aggregated=False, settle_by=None),
                name="pooled_orders_have_a_deadline",
            ),
            models.CheckConstraint(
                condition=~Q(state=OrderState.PENDING, is_aggregated=True)
                & ~Q(state=OrderState.AGGREGATED, is_aggregated=False),
                name="only_small_orders_wait_in_a_pool",
            ),
            models.CheckConstraint(
                condition=Q(batch_id=None, settling_at=None) | Q(batch_id__isnull=False, settling_at__isnull=False),
                name="claimed_orders_have_a_batch",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[OrderState.SETTLING, OrderState.COMPLETED]) | Q(settling_at__isnull=False),
                name="settled_orders_were_claimed",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[*WAITING, OrderState.HELD, OrderState.CANCELLED]) | Q(settling_at=None),
                name="waiting_orders_are_unclaimed",
            ),
            models.CheckConstraint(
                condition=~Q(state=OrderState.HELD) | Q(held_at__isnull=False), name="held_orders_say_since_when"
            ),
            _time_stands_for(OrderState.COMPLETED, "completed_at"),
            _time_stands_for(OrderState.REFUNDED, "refunded_at"),
            _time_stands_for(OrderState.CANCELLED, "cancelled_at"),
            models.CheckConstraint(
                condition=Q(idempotency_key=None, request_hash=None)
                | Q(idempotency_key__isnull=False, request_hash__isnull=False),
                name="order_key_has_its_request_hash",
            ),
            models.UniqueConstraint(
                fields=["customer", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="one_order_per_idempotency_key",
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.pk}"


class RiskRule(models.TextChoices):
    """Why an order is held; see trading/risk.py."""

    ORDERS = "orders", "too many orders"
    CANCELS = "cancels", "too many cancels"
    VALUE = "value", "too much value"


class ReviewDecision(models.TextChoices):
    RELEASED = "released"
    REFUNDED = "refunded"


class Review(models.Model):
    """Why an order was held, and what staff decided about it."""

    order = models.OneToOneField(Order, on_delete=models.PROTECT, primary_key=True, related_name="review")
    rule = models.CharField(max_length=10, choices=RiskRule.choices)
    finding = models.CharField(max_length=200)
    decision = models.CharField(max_length=10, choices=ReviewDecision.choices, null=True, blank=True)  # noqa: DJ001  null: not yet
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=500, blank=True, help_text="Why it was decided so.")

    class Meta:
        indexes = [models.Index(fields=["order"], condition=Q(decision=None), name="reviews_to_decide")]
        constraints = [
            models.CheckConstraint(condition=Q(rule__in=RiskRule.values), name="risk_rule_is_known"),
            models.CheckConstraint(
                condition=Q(decision=None, decided_by=None, decided_at=None, note="")
                | Q(decision__in=ReviewDecision.values, decided_by__isnull=False, decided_at__isnull=False)
                & ~Q(note=""),
                name="decisions_have_somebody_a_time_and_a_note",
            ),
        ]

    def __str__(self) -> str:
        return f"review of {self.order}"
