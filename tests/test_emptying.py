"""The database between two tests."""

import pytest
from django.db import connection
from django.test import TransactionTestCase

from tests import emptying
from trading.services.asked_orders import OrderRequest
from trading.services.placing import place_order
from wallets.models import Wallet


@pytest.fixture
def written(shopper, coin, now):
    """Rows in the tables of every app, some of which refuse to be emptied."""
    place_order(buyer=shopper.principal, order_request=OrderRequest(coin_name="ABAN", amount=None, total=12), now=now)


def count_rows():
    with connection.cursor() as cursor:
        counts = {}
        for table in connection.introspection.django_table_names(include_views=False):
            cursor.execute(f"SELECT count(*) FROM {table}")
            [counts[table]] = cursor.fetchone()
    return counts


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("large_bytes", [2**20, 0])
def test_is_as_django_leaves_it(written, monkeypatch, large_bytes):
    monkeypatch.setattr(emptying, "_LARGE_BYTES", large_bytes)
    case = TransactionTestCase(methodName="__init__")
    before = count_rows()
    emptying.empty_tables(case)
    emptied, wallets = count_rows(), sorted(Wallet.objects.values_list("asset", "role", "balance"))
    assert before["trading_order"] == 1
    assert emptied["trading_order"] == emptied["wallets_transaction"] == emptied["wallets_user"] == 0
    emptying._flush(case)
    assert emptied == count_rows()
    assert wallets == sorted(Wallet.objects.values_list("asset", "role", "balance"))
