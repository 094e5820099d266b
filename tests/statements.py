"""Customers with many movements, written by one SQL statement."""

from django.db import connection, transaction

_MOVEMENTS = """
    INSERT INTO wallets_transaction
           (asset, amount, source_id, destination_id, kind, reference, customer_id, balance_after, created_at)
    SELECT 'USD', 0.01, house.id, own.id, 'deposit', 'many:' || own.owner_id || ':' || n, own.owner_id,
           own.balance + n * 0.01, statement_timestamp() + n * interval '1 microsecond'
      FROM wallets_wallet own, wallets_wallet house, generate_series(1, %(count)s) n
     WHERE own.owner_id = %(owner)s AND own.asset = 'USD' AND house.role = 'funding' AND house.owner_id IS NULL
"""


def add_movements(shopper, *, count):
    """Add so many deposits of one cent, a microsecond after the other from now on."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_MOVEMENTS, {"count": count, "owner": shopper.user.pk})
        cursor.execute(
            "UPDATE wallets_wallet SET balance = balance + %s * 0.01 WHERE owner_id = %s AND asset = 'USD'",
            [count, shopper.user.pk],
        )
