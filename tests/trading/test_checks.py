"""The checks of the tables that an order writes: which rows they refuse, and how long their stored forms are."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction

from tests.owner import by_owner
from trading.models import Order
from wallets.models import Transaction, Wallet

pytestmark = pytest.mark.django_db(transaction=True)

_PLACED = {
    "amount": "1",
    "price": "4",
    "price_source": "'test'",
    "price_at": "now()",
    "total_price": "4.10",
    "fee": "0.10",
    "market_price": "3.9",
    "spread_rate": "0.02",
    "price_rule_id": "1",
    "state": "'pending'",
    "is_aggregated": "false",
    "created_at": "now()",
}
_CLAIMED = {"state": "'settling'", "settling_at": "now()", "batch_id": "1"}
_COMPLETED = {**_CLAIMED, "state": "'completed'", "completed_at": "now()", "booked_fee": "0.10"}
_REFUNDED = {"state": "'refunded'", "refunded_at": "now()"}
_NO_RULE = {"market_price": "NULL", "spread_rate": "NULL", "price_rule_id": "NULL", "fee": "0", "total_price": "4"}

_ACCEPTED = [
    {},
    {"state": "'aggregated'", "is_aggregated": "true", "settle_by": "now()"},
    {"state": "'held'", "held_at": "now()"},
    {"state": "'cancelled'", "cancelled_at": "now()"},
    {"idempotency_key": "'k'", "request_hash": "'h'"},
    {"amount": "0.00000001", "price": "1e-14", "total_price": "0.11"},
    {"price": "999999999999", "total_price": "999999999999.10"},
    {"spread_rate": "0"},
    {"price_rule_id": "NULL"},
    _NO_RULE,
    _CLAIMED,
    _REFUNDED,
    {**_CLAIMED, **_REFUNDED},
    _COMPLETED,
    {**_COMPLETED, "rebate": "3.99"},
    {**_COMPLETED, **_NO_RULE, "booked_fee": "NULL"},
]

_REFUSED = [
    ({"amount": "0", "total_price": "0.10"}, "order_amount_is_positive"),
    ({"amount": "-1", "total_price": "-3.90"}, "order_amount_is_positive"),
    ({"amount": "'NaN'", "total_price": "'NaN'"}, "order_amount_is_positive"),
    ({"price": "0", "total_price": "0.10"}, "order_price_is_positive"),
    ({"price": "'NaN'", "total_price": "'NaN'"}, "order_price_is_positive"),
    ({"price": "1000000000000", "total_price": "1000000000000.10"}, "order_price_is_positive"),
    ({"total_price": "4.09"}, "charge_is_amount_times_price"),
    ({"total_price": "4.11"}, "charge_is_amount_times_price"),
    ({"total_price": "'NaN'"}, "charge_is_amount_times_price"),
    ({"fee": "-0.01", "total_price": "3.99"}, "fee_is_not_negative"),
    ({"fee": "'NaN'", "total_price": "'NaN'"}, "fee_is_not_negative"),
    ({**_COMPLETED, "booked_fee": "NULL"}, "completed_orders_have_booked_their_fee"),
    ({**_COMPLETED, "booked_fee": "0.09"}, "completed_orders_have_booked_their_fee"),
    ({**_COMPLETED, "booked_fee": "'NaN'"}, "completed_orders_have_booked_their_fee"),
    ({**_COMPLETED, **_NO_RULE}, "completed_orders_have_booked_their_fee"),
    ({"market_price": "NULL"}, "a_market_price_is_positive_and_has_a_spread"),
    ({"spread_rate": "NULL"}, "a_market_price_is_positive_and_has_a_spread"),
    ({"market_price": "0"}, "a_market_price_is_positive_and_has_a_spread"),
    ({"market_price": "'NaN'"}, "a_market_price_is_positive_and_has_a_spread"),
    ({"spread_rate": "-0.01"}, "a_market_price_is_positive_and_has_a_spread"),
    ({**_NO_RULE, "price_rule_id": "1"}, "a_market_price_is_positive_and_has_a_spread"),
    ({**_NO_RULE, "fee": "0.10", "total_price": "4.10"}, "a_market_price_is_positive_and_has_a_spread"),
    ({**_NO_RULE, "spread_rate": "0"}, "a_market_price_is_positive_and_has_a_spread"),
    ({"rebate": "0.01"}, "a_rebate_is_part_of_what_a_completed_order_paid"),
    ({**_CLAIMED, **_REFUNDED, "rebate": "0.01"}, "a_rebate_is_part_of_what_a_completed_order_paid"),
    ({**_COMPLETED, "rebate": "-0.01"}, "a_rebate_is_part_of_what_a_completed_order_paid"),
    ({**_COMPLETED, "rebate": "4.00"}, "a_rebate_is_part_of_what_a_completed_order_paid"),
    ({**_COMPLETED, "rebate": "'NaN'"}, "a_rebate_is_part_of_what_a_completed_order_paid"),
    (
        {**_COMPLETED, **_NO_RULE, "booked_fee": "NULL", "rebate": "0.01"},
        "a_rebate_is_part_of_what_a_completed_order_paid",
    ),
    ({"state": "'other'"}, "order_state_is_known"),
    ({"state": "''"}, "order_state_is_known"),
    ({"is_aggregated": "true"}, "pooled_orders_have_a_deadline|only_small_orders"),
    ({"settle_by": "now()"}, "pooled_orders_have_a_deadline"),
    ({"is_aggregated": "true", "settle_by": "now()"}, "only_small_orders_wait_in_a_pool"),
    ({"state": "'aggregated'"}, "only_small_orders_wait_in_a_pool"),
    ({**_CLAIMED, "batch_id": "NULL"}, "claimed_orders_have_a_batch"),
    ({**_REFUNDED, "batch_id": "1"}, "claimed_orders_have_a_batch"),
    ({"state": "'settling'"}, "settled_orders_were_claimed"),
    ({**_COMPLETED, "settling_at": "NULL", "batch_id": "NULL"}, "settled_orders_were_claimed"),
    *(
        ({**_CLAIMED, **waiting}, "settled_orders_were_claimed_and_waiting_ones_were_not")
        for waiting in (
            {"state": "'pending'"},
            {"state": "'aggregated'", "is_aggregated": "true", "settle_by": "now()"},
            {"state": "'held'", "held_at": "now()"},
            {"state": "'cancelled'", "cancelled_at": "now()"},
        )
    ),
    ({"state": "'held'"}, "held_orders_say_since_when"),
    ({**_COMPLETED, "completed_at": "NULL"}, "completed_at_is_of_completed_orders"),
    ({"completed_at": "now()", "booked_fee": "0.10"}, "completed_at_is_of_completed_orders"),
    ({"state": "'refunded'"}, "refunded_at_is_of_refunded_orders"),
    ({"refunded_at": "now()"}, "refunded_at_is_of_refunded_orders"),
    ({"state": "'cancelled'"}, "cancelled_at_is_of_cancelled_orders"),
    ({"cancelled_at": "now()"}, "cancelled_at_is_of_cancelled_orders"),
    ({"idempotency_key": "'k'"}, "order_key_has_its_request_hash"),
    ({"request_hash": "'h'"}, "order_key_has_its_request_hash"),
]


@pytest.fixture
def insert_order(shopper, coin):
    def insert(changes):
        values = {"customer_id": str(shopper.user.pk), "coin_id": str(coin.pk), **_PLACED, **changes}
        sql = f"INSERT INTO trading_order ({', '.join(values)}) VALUES ({', '.join(values.values())})"
        with by_owner(), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)

    return insert


class TestTheChecksOfOrders:
    def test_accept_what_orders_may_be(self, insert_order):
        for changes in _ACCEPTED:
            insert_order(changes)
        assert Order.objects.count() == len(_ACCEPTED)

    def test_refuse_everything_beside_it(self, insert_order):
        for changes, rule in _REFUSED:
            with pytest.raises(IntegrityError, match=rule):
                insert_order(changes)
        assert not Order.objects.exists()

    def test_are_understood_by_forms_too(self, insert_order):
        for changes in _ACCEPTED:
            insert_order(changes)
        for order in Order.objects.all():
            order.validate_constraints()
        order.state = "other"
        with pytest.raises(ValidationError, match="order_state_is_known"):
            order.validate_constraints()


class TestTheChecksOfWallets:
    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ("balance = 'NaN', asset = 'ABAN'", "balance_is_not_negative"),
            ("balance = -0.00000001, asset = 'ABAN'", "balance_is_not_negative"),
            ("role = 'customer'", "customer_wallets_have_an_owner"),
            ("balance = NULL", "only_customers_and_inventory_store_a_balance"),
            ("role = 'fees', cost = NULL", "only_customers_and_inventory_store_a_balance"),
            ("role = 'fees', balance = NULL", "inventory_alone_has_a_cost"),
            ("cost = 'NaN'", "inventory_alone_has_a_cost"),
            ("cost = -0.00000001", "inventory_alone_has_a_cost"),
        ],
    )
    def test_refuse_what_inventory_may_not_be(self, db, changes, rule):
        wallet = Wallet.objects.create(asset="ABAN", role="inventory", balance=0, cost=0)
        with by_owner(), pytest.raises(IntegrityError, match=rule), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE wallets_wallet SET {changes} WHERE id = {wallet.pk}")
        wallet.refresh_from_db()
        assert (wallet.role, wallet.balance, wallet.cost) == ("inventory", 0, 0)
        wallet.validate_constraints()


class TestTheStoredForms:
    @pytest.mark.parametrize(("model", "longest"), [(Order, 20_000), (Transaction, 8_500), (Wallet, 9_400)])
    def test_are_short_because_each_statement_reads_them(self, model, longest):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT sum(length(conbin::text)) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'",
                [model._meta.db_table],
            )
            assert cursor.fetchone()[0] < longest

    @pytest.mark.parametrize("model", [Order, Transaction, Wallet])
    def test_are_all_validated(self, model):
        checks = {check.name for check in model._meta.constraints if isinstance(check, models.CheckConstraint)}
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c' AND convalidated",
                [model._meta.db_table],
            )
            assert {name for (name,) in cursor} == checks
