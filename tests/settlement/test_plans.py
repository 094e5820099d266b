"""Frequent statements never scan a whole growing table, according to Postgres' plans for them."""

from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from psycopg import ClientCursor

from settlement.selectors.batches import count_batches
from settlement.selectors.findings import count_open_findings
from settlement.selectors.jobs import summarise_jobs
from settlement.selectors.pauses import list_paused_coins
from settlement.selectors.results import read_result
from settlement.services.account_feed import count_what_may_be_sold
from settlement.services.funding import read_float, record_funds
from settlement.services.stepping import take_next_step
from settlement.services.sweeping import sweep
from settlement.to_do.readers import count_to_do, list_to_do
from tests.benchmark.history import write_settled_orders
from tests.configure import configure
from tests.owner import run_as_owner
from trading.models import Order, SalesLimit
from trading.selectors.orders import summarise_open_orders
from trading.selectors.pools import sum_pools
from trading.services.headroom import count_headroom

pytestmark = pytest.mark.django_db(transaction=True)

HISTORY = 60_000
GROWING = {
    "trading_order",
    "trading_pricereading",
    "wallets_transaction",
    "wallets_wallet",
    "wallets_user",
    "wallets_tokenfamily",
    "settlement_batch",
    "settlement_attempt",
}


class Plans:
    """Asks Postgres for the plan of each statement before the statement runs."""

    def __init__(self):
        self.read_from_end_to_end, self.count = [], 0

    @contextmanager
    def watched(self):
        with connection.execute_wrapper(self._explain):
            yield self

    def _explain(self, execute, sql, params, many, context):
        if sql.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "--")):
            self.count += 1
            with ClientCursor(connection.connection) as cursor:
                cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
                [plan] = cursor.fetchone()[0]
            self.read_from_end_to_end += [f"{name}: {sql}" for name in _sequential(plan["Plan"]) if name in GROWING]
        return execute(sql, params, many, context)


def _sequential(node):
    if node["Node Type"] == "Seq Scan":
        yield node["Relation Name"]
    for child in node.get("Plans", ()):
        yield from _sequential(child)


# Years of small purchases and price changes, because the settled history has few of them.
_MORE = """
WITH batch AS (
    INSERT INTO settlement_batch (coin_id, state, orders_count, needed, charged, reserved, reason, created_at, closed_at)
    SELECT %(coin)s, 'refunded', 1, 1, 4, 0, '', at, at
      FROM generate_series(1, %(rows)s) n CROSS JOIN LATERAL (SELECT now() - n * interval '1 hour' AS at) moment
    RETURNING *
), reading AS (
    INSERT INTO trading_pricereading (coin_id, value, source, read_at) SELECT coin_id, 4, 'past', created_at FROM batch
)
INSERT INTO settlement_attempt (batch_id, coin_id, number, client_order_id, state, venue_order_id, executed, cost,
                                commission, lookups, not_found, next_step_at, reason, excused, created_at, ended_at)
SELECT id, coin_id, 1, 'past' || id, 'refused', '', 0, 0, 0, 0, 0, created_at, '', false, created_at, created_at FROM batch
"""

_SIGN_INS = """
INSERT INTO wallets_tokenfamily (id, user_id, current_jti, created_at, expires_at)
SELECT gen_random_uuid(), id, '', now(), now() FROM wallets_user
"""


@pytest.fixture
def plans(coin, now):
    with connection.cursor() as cursor:
        cursor.execute(_MORE, {"coin": coin.pk, "rows": HISTORY // 3})
    list(write_settled_orders(orders=HISTORY, now=now))
    with connection.cursor() as cursor:
        cursor.execute(_SIGN_INS)
    run_as_owner("ANALYZE wallets_tokenfamily")
    return Plans()


@pytest.fixture
def regular(plans, make_shopper, place):
    """A customer with some orders and movements, in tables that hold those of many others."""
    shopper = make_shopper("1000.00")
    for _ in range(3):
        place("12.00", of=shopper)
    return shopper


def test_the_api_scans_no_growing_table(plans, regular, api, now):
    order = Order.objects.filter(customer=regular.user).latest("id").pk
    with plans.watched():
        placed = [
            api("POST", "orders/", {"crypto": "ABAN", "amount": amount}, by=regular, **extra)
            for amount, extra in (
                ("3", {}),
                ("0.5", {}),
                ("3", {"Idempotency_Key": "k"}),
                ("3", {"Idempotency_Key": "k"}),
            )
        ]
        api("POST", f"orders/{placed[1].json()['id']}/cancel/", by=regular)
        api("PATCH", "accounts/wallet/deposit/", {"amount": "5.00"}, by=regular)
        answers = {
            path: api("GET", path, by=regular)
            for path in (
                "accounts/wallet/",
                "accounts/holdings/",
                "exchanges/crypto-currencies/",
                "exchanges/crypto-currencies/ABAN/",
                "sandbox/story/",
                f"orders/{order}/",
                "orders/?limit=2",
                "orders/?state=pending&crypto=ABAN&created_after=2020-01-01T00:00:00Z",
                "transactions/?limit=2",
                f"transactions/?type=withdrawal&order_id={order}",
            )
        }
        for first in ("orders/?limit=2", "transactions/?limit=2"):
            following = answers[first]["Link"].split("<")[1].split(">")[0].split("/api/v1/")[1]
            answers[following] = api("GET", following, by=regular)
        for path, form in (
            ("transactions/", "text/csv"),
            (f"transactions/?type=deposit&order_id={order}&created_after=2020-01-01T00:00:00Z", "text/csv"),
            (f"accounts/statements/{now:%Y-%m}/", "application/json"),
            ("accounts/statements/2026-01/", "text/csv"),
        ):
            answers[path, form] = api("GET", path, by=regular, Accept=form)
            assert answers[path, form].getvalue()
        api("POST", "accounts/auth/refresh/", {"refresh": regular.tokens.refresh})
    assert {answer.status_code for answer in placed} == {201}
    assert {answer.status_code for answer in answers.values()} == {200}
    assert plans.count > 40
    assert plans.read_from_end_to_end == []


class Pages:
    """Counts the pages that each SELECT reads, by running it once more before."""

    def __init__(self):
        self.read = []

    @contextmanager
    def watched(self):
        with connection.execute_wrapper(self._explain):
            yield self

    def _explain(self, execute, sql, params, many, context):
        if sql.lstrip().startswith("SELECT"):
            with ClientCursor(connection.connection) as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
                [plan] = cursor.fetchone()[0]
            self.read.append((plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"], sql))
        return execute(sql, params, many, context)


_OF_ONE_CUSTOMER = """
INSERT INTO trading_order (customer_id, coin_id, amount, price, price_source, price_at, total_price, state,
                           is_aggregated, batch_id, created_at, settling_at, completed_at)
SELECT %(customer)s, %(coin)s, 3, 4.00, 'past', at, 12.00, 'completed', false, 1, at, at, at
  FROM generate_series(1, %(orders)s) n CROSS JOIN LATERAL (SELECT now() - n * interval '1 second' AS at) moment
"""


def test_the_wallet_and_an_order_read_as_much_after_a_long_history(plans, make_shopper, api, coin, settings):
    """Tens of thousands of the customer's orders lie within the last day, and thousands within the risk window."""
    configure(settings, "RISK", max_value=Decimal(10_000_000))
    SalesLimit.objects.create(coin=coin, most=Decimal(1_000_000), reason="a test")
    count_what_may_be_sold(wait_seconds=0)
    heavy, pages = make_shopper("1000.00"), Pages()
    with connection.cursor() as cursor:
        cursor.execute(_OF_ONE_CUSTOMER, {"customer": heavy.user.pk, "coin": coin.pk, "orders": HISTORY})
    run_as_owner("ANALYZE trading_order")
    with pages.watched():
        answers = [
            api("GET", "accounts/wallet/", by=heavy),
            api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=heavy, Idempotency_Key="k"),
            api("POST", "orders/", {"crypto": "ABAN", "amount": "0.5"}, by=heavy),
            api("GET", "accounts/wallet/", by=heavy),
        ]
    assert [answer.status_code for answer in answers] == [200, 201, 201, 200]
    assert answers[3].json()["in_orders"] == "14.00"
    assert len(pages.read) >= 4
    assert max(pages.read)[0] < 60, max(pages.read)


def test_settlement_scans_no_growing_table(plans, regular, claim, venue, now):
    with plans.watched():
        batch = claim()
        take_next_step(batch_id=batch.pk, get_venue=lambda _: venue)
        sweep(now=now + timedelta(minutes=5))
    assert set(Order.objects.filter(customer=regular.user).values_list("state", flat=True)) == {"completed"}
    assert plans.count > 40
    assert plans.read_from_end_to_end == []


def test_counting_what_may_be_sold_scans_no_growing_table(plans, regular, now):
    record_funds(venue="binance", free=Decimal(1000), read_at=now)
    with transaction.atomic(), plans.watched():
        count_headroom(payable=read_float(venue="binance"), now=now)
    assert plans.count >= 2
    assert plans.read_from_end_to_end == []


def test_the_to_do_page_and_the_metrics_scan_no_growing_table(plans, regular, now):
    later = now + timedelta(hours=1)
    with plans.watched():
        list_to_do(now=later)
        count_to_do(now=later)
        for read in (sum_pools, summarise_open_orders, summarise_jobs, count_batches, count_open_findings):
            read()
        list_paused_coins(now=later)
    assert plans.count > 20
    assert plans.read_from_end_to_end == []


def test_the_result_of_a_day_scans_no_growing_table(plans, regular, now):
    """What it reads of the wallets, it reads from end to end only through an index, or of the house alone."""
    today = now.date()
    with plans.watched():
        result = read_result(first=today, last=today)
    assert sum(row.figures.placed for row in result.rows) == 36
    assert plans.count > 10
    assert plans.read_from_end_to_end == []
