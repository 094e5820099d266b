"""Validates the constraints of the migration before, which locks no writer out."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

_CHECKS = [
    "order_amount_is_positive",
    "order_price_is_positive",
    "charge_is_amount_times_price_rounded_up_and_the_fee",
    "fee_is_not_negative",
    "completed_orders_have_booked_their_fee",
    "a_market_price_is_positive_and_has_a_spread",
    "a_rebate_is_part_of_what_a_completed_order_paid",
    "order_state_is_known",
    "pooled_orders_have_a_deadline",
    "only_small_orders_wait_in_a_pool",
    "claimed_orders_have_a_batch",
    "settled_orders_were_claimed_and_waiting_ones_were_not",
    "completed_at_is_of_completed_orders",
    "refunded_at_is_of_refunded_orders",
    "cancelled_at_is_of_cancelled_orders",
    "order_key_has_its_request_hash",
]


class Migration(migrations.Migration):
    dependencies = [("trading", "0020_shorter_checks")]

    operations = [ValidateConstraint(model_name="order", name=name) for name in _CHECKS]
