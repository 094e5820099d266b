"""Shorter forms of the checks on orders: Postgres reads them anew in each statement that writes an order.

They accept the same rows as before. Two that hold the time of the claim become one. The next migration validates them.
"""

from decimal import Decimal

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Ceil, Coalesce

from wallets.runtime.constraints import ZERO, agree, is_above_zero, is_not_negative, is_one_of

_CENTS = Decimal("1E+2")
_TOO_HIGH = Decimal("1E+12")
_STATES = ("pending", "aggregated", "held", "settling", "completed", "refunded", "cancelled")

_CHECKS = [
    models.CheckConstraint(condition=is_above_zero("amount"), name="order_amount_is_positive"),
    models.CheckConstraint(condition=Q(price__gt=ZERO, price__lt=_TOO_HIGH), name="order_price_is_positive"),
    models.CheckConstraint(
        condition=Q(charge=F("fee") + Ceil(F("amount") * F("price") * _CENTS) / _CENTS),
        name="charge_is_amount_times_price_rounded_up_and_the_fee",
    ),
    models.CheckConstraint(condition=is_not_negative("fee"), name="fee_is_not_negative"),
    models.CheckConstraint(
        condition=Q(completed_at=None) | Q(fee=Coalesce("booked_fee", ZERO)),
        name="completed_orders_have_booked_their_fee",
    ),
    models.CheckConstraint(
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
    models.CheckConstraint(condition=is_one_of("state", _STATES), name="order_state_is_known"),
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
        condition=Q(refunded_at__isnull=False)
        | agree(Q(settling_at__isnull=False), is_one_of("state", ("settling", "completed"))),
        name="settled_orders_were_claimed_and_waiting_ones_were_not",
    ),
    models.CheckConstraint(
        condition=agree(Q(state="completed"), Q(completed_at__isnull=False)),
        name="completed_at_is_of_completed_orders",
    ),
    models.CheckConstraint(
        condition=agree(Q(state="refunded"), Q(refunded_at__isnull=False)),
        name="refunded_at_is_of_refunded_orders",
    ),
    models.CheckConstraint(
        condition=agree(Q(state="cancelled"), Q(cancelled_at__isnull=False)),
        name="cancelled_at_is_of_cancelled_orders",
    ),
    models.CheckConstraint(
        condition=agree(Q(idempotency_key=None), Q(request_hash=None)), name="order_key_has_its_request_hash"
    ),
]

_NEW = "settled_orders_were_claimed_and_waiting_ones_were_not"
_REPLACED = [
    *[check.name for check in _CHECKS if check.name != _NEW],
    "settled_orders_were_claimed",
    "waiting_orders_are_unclaimed",
]


class Migration(migrations.Migration):
    dependencies = [("trading", "0019_times_of_readings")]

    operations = [
        *[migrations.RemoveConstraint(model_name="order", name=name) for name in _REPLACED],
        *[AddConstraintNotValid(model_name="order", constraint=check) for check in _CHECKS],
    ]
