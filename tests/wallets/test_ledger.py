from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DataError

from tests.owner import by_owner, run_as_owner
from wallets.models import Transaction, TransactionKind, Wallet, WalletRole
from wallets.services.house import open_house_wallets

pytestmark = pytest.mark.django_db


def house(role, asset="USD"):
    return Wallet.objects.get(owner=None, role=role, asset=asset)


def movement(now, **changes):
    fields = {
        "asset": "USD",
        "amount": Decimal("1.00"),
        "source": house(WalletRole.FUNDING),
        "destination": house(WalletRole.CLEARING),
        "kind": TransactionKind.REVENUE,
        "reference": "test",
        "created_at": now,
    }
    return Transaction(**{**fields, **changes})


class TestWallet:
    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ("balance = -0.01", "balance_is_not_negative"),
            ("balance = 'NaN'", "balance_is_not_negative|dollar_balances"),
            ("balance = 1.001", "dollar_balances_are_whole_cents"),
            ("balance = NULL", "only_customers_and_inventory_store_a_balance"),
            ("owner_id = NULL", "customer_wallets_have_an_owner"),
            ("role = 'fees'", "customer_wallets_have_an_owner|only_customers"),
            ("role = 'other'", "wallet_role_is_known|customer_wallets|only_customers"),
        ],
    )
    @pytest.mark.django_db(transaction=True)
    def test_cannot_break_a_constraint(self, shopper, change, rule):
        wallet = shopper.wallet.pk
        with (
            by_owner(),
            pytest.raises(IntegrityError, match=rule),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"UPDATE wallets_wallet SET {change} WHERE id = %s", [wallet])

    def test_is_unique_per_customer_and_asset(self, shopper):
        with pytest.raises(IntegrityError, match="one_wallet_per_customer_and_asset"), transaction.atomic():
            Wallet.objects.create(owner=shopper.user, asset="USD", role=WalletRole.CUSTOMER, balance=0)

    def test_of_the_house_is_unique_per_role_and_asset(self):
        with pytest.raises(IntegrityError, match="one_house_wallet_per_role_asset_and_venue"), transaction.atomic():
            Wallet.objects.create(asset="USD", role=WalletRole.CLEARING)

    def test_of_the_house_is_opened_only_once(self):
        open_house_wallets(asset="USD")
        open_house_wallets(asset="ABAN")
        open_house_wallets(asset="ABAN")
        assert Wallet.objects.filter(owner=None, asset="ABAN").count() == 2

    def test_of_inventory_holds_no_dollars(self):
        with pytest.raises(IntegrityError, match="inventory_is_of_coins"), transaction.atomic():
            Wallet.objects.create(asset="USD", role=WalletRole.INVENTORY, balance=0)


class TestTransaction:
    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"amount": Decimal(0)}, "transaction_amount_is_positive"),
            ({"amount": Decimal(-1)}, "transaction_amount_is_positive"),
            ({"amount": Decimal("0.001")}, "customer_dollars_move_in_whole_cents"),
            ({"kind": "gift"}, "transaction_kind_is_known"),
            ({"balance_after": Decimal(1)}, "balance_after_is_the_customers"),
            ({"kind": TransactionKind.CORRECTION}, "a_correction_names_what_it_reverses"),
            ({"idempotency_key": "k"}, "transaction_key_has_its_request_hash"),
        ],
    )
    def test_cannot_break_a_constraint(self, now, changes, rule):
        with pytest.raises(IntegrityError, match=rule), transaction.atomic():
            movement(now, **changes).save()

    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ("balance_after = -0.01", "balance_after_is_not_negative"),
            ("balance_after = 'NaN'", "balance_after_is_not_negative"),
            ("balance_after = NULL", "balance_after_is_the_customers"),
            ("customer_id = NULL", "balance_after_is_the_customers"),
            ("amount = 'NaN'", "transaction_amount_is_positive"),
            ("amount = 0.00000001", "customer_dollars_move_in_whole_cents"),
            ("amount = 0.001, kind = 'correction', reverses_id = id", "customer_dollars_move_in_whole_cents"),
            ("reverses_id = id", "a_correction_names_what_it_reverses"),
            ("kind = 'correction'", "a_correction_names_what_it_reverses"),
            ("kind = ''", "transaction_kind_is_known"),
            ("request_hash = 'h'", "transaction_key_has_its_request_hash"),
        ],
    )
    @pytest.mark.django_db(transaction=True)
    def test_of_a_customer_cannot_break_a_constraint(self, shopper, changes, rule):
        row = Transaction.objects.get(customer=shopper.user)
        with pytest.raises(IntegrityError, match=rule):
            run_as_owner(f"UPDATE wallets_transaction SET {changes} WHERE id = {row.pk}")
        row.refresh_from_db()
        assert (row.amount, row.kind, row.balance_after) == (100, TransactionKind.DEPOSIT, 100)

    @pytest.mark.parametrize("change", ["kind = 'fill_cost'", "kind = 'correction', reverses_id = id"])
    @pytest.mark.django_db(transaction=True)
    def test_of_the_house_may_move_parts_of_a_cent(self, now, change):
        movement(now).save()
        run_as_owner(f"UPDATE wallets_transaction SET amount = 0.001, {change}")
        Transaction.objects.get().validate_constraints()

    def test_needs_two_different_wallets(self, now):
        with (
            pytest.raises(IntegrityError, match="transaction_moves_between_two_wallets"),
            transaction.atomic(),
        ):
            movement(now, destination=house(WalletRole.FUNDING)).save()

    def test_amount_cannot_be_nan(self, now):
        with pytest.raises((IntegrityError, DataError)), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO wallets_transaction (asset, amount, source_id, destination_id, kind, reference, created_at)"
                " VALUES ('USD', 'NaN', %s, %s, 'fill_cost', 'x', now())",
                [house(WalletRole.FUNDING).pk, house(WalletRole.CLEARING).pk],
            )

    def test_cannot_mix_assets(self, now):
        open_house_wallets(asset="ABAN")
        with pytest.raises(IntegrityError, match="source_wallet_is_of_the_asset"), transaction.atomic():
            movement(now, source=house(WalletRole.VENUE, "ABAN")).save()
            connection.check_constraints()

    def test_has_a_unique_reference(self, now):
        movement(now).save()
        with pytest.raises(IntegrityError, match="reference"), transaction.atomic():
            movement(now).save()

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE wallets_transaction SET amount = 2",
            "DELETE FROM wallets_transaction",
            "TRUNCATE wallets_transaction",
        ],
    )
    @pytest.mark.django_db(transaction=True)
    def test_is_append_only_for_the_owner_too(self, now, statement):
        movement(now).save()
        with (
            by_owner(),
            pytest.raises(IntegrityError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
        assert Transaction.objects.get().amount == 1

    def test_cannot_be_saved_twice(self, now):
        row = movement(now)
        row.save()
        with pytest.raises(IntegrityError), transaction.atomic():
            row.save()
