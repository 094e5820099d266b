"""A long history in a short time: for trying lists, pages, reports and speed at the size they will have.

Orders of seeded customers that were placed and cancelled again, each two movements; or new customers with orders that
were settled. The ledger balances after every part.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.db import connection, transaction
from psycopg import ClientCursor

from trading.models import Coin
from wallets.models import User
from wallets.money import USD
from wallets.services.ledger.locking import lock_customer_wallets

ORDERS_AT_ONCE = 5_000
_CUSTOMERS_AT_ONCE: Final = 1_000
_ORDERS_OF_EACH: Final = 50
_PAST: Final = timedelta(days=330)

_ORDERS = """
WITH placed AS (
    INSERT INTO trading_order (customer_id, coin_id, amount, price, price_source, price_at, total_price, state,
                               is_aggregated, settle_by, reason, created_at, cancelled_at)
    SELECT w.owner_id, %(coin)s, (n %% 20 + 1) * 0.1, 10, 'seed', moment, n %% 20 + 1, 'cancelled',
           n %% 20 + 1 < 10, CASE WHEN n %% 20 + 1 < 10 THEN moment + interval '1 hour' END,
           'cancelled_by_customer', moment, moment + interval '1 minute'
      FROM wallets_wallet w
     CROSS JOIN generate_series(1, %(each)s) n
     CROSS JOIN LATERAL (SELECT %(now)s - (%(part)s * %(each)s + n) * interval '2 minutes' AS moment) at
     WHERE w.owner_id = ANY(%(customers)s) AND w.asset = 'USD' AND w.balance >= 20
     ORDER BY w.owner_id, n DESC
    RETURNING id, customer_id, total_price, created_at
), legs AS (
    SELECT placed.*, w.id AS wallet_id, w.balance, leg
      FROM placed
      JOIN wallets_wallet w ON w.owner_id = placed.customer_id AND w.asset = 'USD'
     CROSS JOIN generate_series(0, 1) leg
)
INSERT INTO wallets_transaction (asset, amount, source_id, destination_id, kind, reference, order_id, customer_id,
                                 balance_after, created_at)
SELECT 'USD', total_price,
       CASE leg WHEN 0 THEN wallet_id ELSE clearing.id END, CASE leg WHEN 0 THEN clearing.id ELSE wallet_id END,
       CASE leg WHEN 0 THEN 'purchase' ELSE 'refund' END,
       'order:' || legs.id || CASE leg WHEN 0 THEN ':charge' ELSE ':outcome' END,
       legs.id, customer_id, CASE leg WHEN 0 THEN legs.balance - total_price ELSE legs.balance END,
       legs.created_at + leg * interval '1 minute'
  FROM legs
  JOIN wallets_wallet clearing ON clearing.role = 'clearing' AND clearing.asset = 'USD' AND clearing.owner_id IS NULL
 ORDER BY legs.id, leg
"""


def write_history(*, transactions: int, now: datetime) -> Iterator[int]:
    """Write at least that many movements for the seeded customers, and yield how many each part added."""
    customers = list(User.objects.filter(username__startswith="customer").order_by("pk").values_list("pk", flat=True))
    assert customers, "there are customers to have a history"
    coin = Coin.objects.order_by("pk").first()
    assert coin, "there is a coin to have been bought"
    each = max(ORDERS_AT_ONCE // len(customers), 1)
    part = written = 0
    while written < transactions:
        added = _write_part(customers=customers, coin_id=coin.pk, each=each, part=part, now=now)
        assert added, "the customers have the money that orders cost"
        part, written = part + 1, written + added
        yield added
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE trading_order, wallets_transaction")  # not left to chance when it is measured next


@transaction.atomic
def _write_part(*, customers: list[int], coin_id: int, each: int, part: int, now: datetime) -> int:
    lock_customer_wallets(asset=USD, customer_ids=customers)
    with connection.cursor() as cursor:
        cursor.execute(_ORDERS, {"customers": customers, "coin": coin_id, "each": each, "part": part, "now": now})
        return int(cursor.rowcount)


_SETTLED: Final = Path(__file__).with_name("settled_history.sql").read_text()


def write_settled_orders(*, orders: int, now: datetime) -> Iterator[int]:
    """Write at least that many completed orders, fifty of each new customer, and yield how many each part added."""
    coins = list(Coin.objects.filter(is_sold=True).order_by("pk"))
    assert coins, "there are coins to have been bought"
    customers = min(_CUSTOMERS_AT_ONCE, -(-orders // _ORDERS_OF_EACH))
    written = part = 0
    while written < orders:
        _write_settled_part(coin=coins[part % len(coins)], customers=customers, begun=now - _PAST)
        part, written = part + 1, written + customers * _ORDERS_OF_EACH
        yield customers * _ORDERS_OF_EACH
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


@transaction.atomic
def _write_settled_part(*, coin: Coin, customers: int, begun: datetime) -> None:
    values = {
        "coin": coin.name,
        "coin_id": coin.pk,
        "customers": customers,
        "rounds": _ORDERS_OF_EACH,
        "begun": begun,
    }
    connection.ensure_connection()
    with ClientCursor(connection.connection) as cursor:  # which sends several statements with values at once
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_SETTLED, values)
