"""Orders."""

from decimal import Decimal
from functools import cache
from typing import Any, Final, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Ceil, Coalesce

from trading.models.coins import Coin
from trading.models.fields import PriceField
from trading.models.price_rules import PriceRule
from wallets.runtime.constraints import ZERO, agree, is_above_zero, is_not_negative, is_one_of


class OrderState(models.TextChoices):
    """The states of an order; docs/architecture.md shows the transitions."""

    PENDING = "pending"
    POOLED = "aggregated"  # the API's word
    HELD = "held"
    SETTLING = "settling"
    COMPLETED = "completed"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


WAITING = (OrderState.PENDING, OrderState.POOLED)
PAID_AND_OPEN = (*WAITING, OrderState.HELD, OrderState.SETTLING)

# With an exponent, because Postgres reads other whole numbers as integers and converts them in each check.
_CENTS: Final = Decimal("1E+2")
_TOO_HIGH: Final = Decimal("1E+12")


def _time_stands_for(state: OrderState, field: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=agree(Q(state=state), Q(**{f"{field}__isnull": False})),
        name=f"{field}_is_of_{state}_orders",
    )


class Order(models.Model):
    """A customer's purchase of `amount` coins at `price`, charged `charge` US dollars: the subtotal and the fee.

    `market_price` is what one coin cost at the venue when the price was made, and `spread_rate` the share that the
    house added. Both are null in orders from before price rules, which paid no fee. `rebate` is what the customer got
    back on completion (US dollars), because the purchase cost less; it changes no other column.
    """

    customer = models.ForeignKey(  # the index orders_of_customer serves instead
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="orders", db_index=False
    )
    coin = models.ForeignKey(Coin, on_delete=models.PROTECT, related_name="orders")
    amount = models.DecimalField(max_digits=38, decimal_places=8)
    price = PriceField()
    price_source = models.CharField(max_length=32)
    price_at = models.DateTimeField()
    market_price = models.DecimalField(max_digits=38, decimal_places=18, null=True, blank=True)
    spread_rate = models.DecimalField(max_digits=9, decimal_places=8, null=True, blank=True)
    charge = models.DecimalField(max_digits=38, decimal_places=2, db_column="total_price")
    fee = models.DecimalField(max_digits=38, decimal_places=2, default=Decimal("0.00"), db_default=Decimal("0.00"))
    # What the completion booked to the fees, null for nothing. Code that knows no fees does not write it.
    booked_fee = models.DecimalField(max_digits=38, decimal_places=2, null=True, blank=True, editable=False)
    rebate = models.DecimalField(max_digits=38, decimal_places=2, default=Decimal("0.00"), db_default=Decimal("0.00"))
    # No foreign key in the database: rules are never deleted, and every order would lock the row of the same rule.
    price_rule = models.ForeignKey(
        PriceRule,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    quote_id = models.UUIDField(null=True, blank=True)
    state = models.CharField(max_length=12, choices=OrderState.choices)
    is_pooled = models.BooleanField(db_column="is_aggregated")
    settle_by = models.DateTimeField(null=True, blank=True)
    batch_id = models.BigIntegerField(null=True, blank=True)  # no foreign key: batches belong to settlement
    reason = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001  null in the API too
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
            # Every claim sums up a pool; this index alone answers that query.
            models.Index(
                fields=["coin"],
                include=["settle_by", "charge", "fee"],
                condition=Q(state="aggregated"),
                name="pooled_orders_with_fees",
            ),
            models.Index(fields=["batch_id", "id"], condition=Q(state="settling"), name="settling_orders"),
            models.Index(fields=["batch_id"], condition=Q(batch_id__isnull=False), name="orders_of_batch"),
            models.Index(fields=["held_at"], condition=Q(state="held"), name="held_orders"),
            models.Index(fields=["customer"], condition=Q(state="held"), name="held_orders_of_customer"),
            models.Index(fields=["customer"], condition=Q(state__in=PAID_AND_OPEN), name="open_orders_of_customer"),
        ]
        constraints = [
            models.CheckConstraint(condition=is_above_zero("amount"), name="order_amount_is_positive"),
            models.CheckConstraint(condition=Q(price__gt=ZERO, price__lt=_TOO_HIGH), name="order_price_is_positive"),
            models.CheckConstraint(
                condition=Q(charge=F("fee") + Ceil(F("amount") * F("price") * _CENTS) / _CENTS),
                name="charge_is_amount_times_price_rounded_up_and_the_fee",
            ),
            models.CheckConstraint(condition=is_not_negative("fee"), name="fee_is_not_negative"),
            models.CheckConstraint(
                # The previous release would book the fee as revenue. So it cannot complete an order that has one.
                condition=Q(completed_at=None) | Q(fee=Coalesce("booked_fee", ZERO)),
                name="completed_orders_have_booked_their_fee",
            ),
            models.CheckConstraint(
                # Without a market price, the comparisons are NULL and pass.
                condition=agree(Q(market_price=None), Q(spread_rate=None))
                & (Q(market_price__isnull=False) | Q(price_rule=None, fee=ZERO))
                & is_above_zero("market_price")
                & Q(spread_rate__gte=ZERO),
                name="a_market_price_is_positive_and_has_a_spread",
            ),
            models.CheckConstraint(
                condition=Q(rebate=ZERO)
                | Q(completed_at__isnull=False, market_price__isnull=False, rebate__gt=ZERO)
                & Q(rebate__lt=F("charge") - F("fee")),
                name="a_rebate_is_part_of_what_a_completed_order_paid",
            ),
            models.CheckConstraint(condition=is_one_of("state", OrderState.values), name="order_state_is_known"),
            models.CheckConstraint(
                condition=agree(Q(is_pooled=True), Q(settle_by__isnull=False)), name="pooled_orders_have_a_deadline"
            ),
            models.CheckConstraint(
                condition=~Q(state=Case(When(is_pooled=True, then=Value("pending")), default=Value("aggregated"))),
                name="only_small_orders_wait_in_a_pool",
            ),
            models.CheckConstraint(
                condition=agree(Q(batch_id=None), Q(settling_at=None)), name="claimed_orders_have_a_batch"
            ),
            models.CheckConstraint(
                # A refund may follow a claim or not.
                condition=Q(refunded_at__isnull=False)
                | agree(Q(settling_at__isnull=False), is_one_of("state", (OrderState.SETTLING, OrderState.COMPLETED))),
                name="settled_orders_were_claimed_and_waiting_ones_were_not",
            ),
            models.CheckConstraint(
                condition=~Q(state=OrderState.HELD) | Q(held_at__isnull=False), name="held_orders_say_since_when"
            ),
            _time_stands_for(OrderState.COMPLETED, "completed_at"),
            _time_stands_for(OrderState.REFUNDED, "refunded_at"),
            _time_stands_for(OrderState.CANCELLED, "cancelled_at"),
            models.CheckConstraint(
                condition=agree(Q(idempotency_key=None), Q(request_hash=None)), name="order_key_has_its_request_hash"
            ),
            models.UniqueConstraint(
                fields=["customer", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="one_order_per_idempotency_key",
            ),
            models.UniqueConstraint(
                fields=["quote_id"], condition=Q(quote_id__isnull=False), name="one_order_per_quote"
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.pk}"

    @classmethod
    def draft(cls, **values: Any) -> Self:
        """Return a new order that is not stored: as `Order(**values)`, for half its processor time.

        Django looks for each column among the keywords, and most columns of a new order are not given.
        """
        return cls(*(_defaults() | values).values())

    @property
    def subtotal(self) -> Decimal:
        """The US dollars that the order pays for its coins: amount times price, rounded up to the cent."""
        return self.charge - self.fee


@cache
def _defaults() -> dict[str, Any]:
    """Return what each column of an order holds that is not given. None of the values can be changed."""
    return {field.attname: field.get_default() for field in Order._meta.concrete_fields}  # noqa: SLF001  public in fact
