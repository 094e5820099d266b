"""Is everything that must always be true, true? One snapshot, while the system runs."""

from django.db import connection, transaction

from trading.verification import sum_completed_charges, verify_clearing, verify_orders
from wallets.models import WalletRole
from wallets.verification import Violation, sum_house_wallet, verify_balances

# A sum over the whole ledger may take longer than a request may.
_STATEMENT_TIMEOUT = "10min"

_COINS = """
SELECT c.name,
       coalesce((SELECT sum(t.amount) FROM wallets_transaction t WHERE t.asset = c.name AND t.kind = 'fill'), 0),
       coalesce((SELECT sum(w.balance) FROM wallets_wallet w WHERE w.asset = c.name), 0)
  FROM trading_coin c ORDER BY c.name
"""

_ATTEMPTS = """
SELECT coalesce(a.client_order_id, fill.reference, cost.reference), a.state,
       a.executed - a.commission, nullif(a.cost, 0), fill.amount, cost.amount
  FROM (SELECT * FROM settlement_attempt WHERE state = 'filled') a
  FULL JOIN (SELECT * FROM wallets_transaction WHERE kind = 'fill') fill
       ON fill.reference = 'attempt:' || a.client_order_id || ':fill'
  FULL JOIN (SELECT * FROM wallets_transaction WHERE kind = 'fill_cost') cost
       ON cost.reference = 'attempt:' || a.client_order_id || ':cost'
 WHERE a.executed - a.commission IS DISTINCT FROM fill.amount OR nullif(a.cost, 0) IS DISTINCT FROM cost.amount
"""


def read_rows(query: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def verify_everything() -> list[Violation]:
    """Rules 1 to 5 of docs/architecture.md; what is returned is wrong."""
    with transaction.atomic(durable=True):
        _take_snapshot()
        return [
            *verify_balances(),
            *verify_clearing(),
            *verify_orders(),
            *verify_coins(),
            *verify_fills(),
            *verify_result(),
        ]


def _take_snapshot() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [_STATEMENT_TIMEOUT])


def verify_coins() -> list[Violation]:
    """Rule 4: of each coin, what the fills brought in is what customers hold, and inventory."""
    return [
        Violation(rule=4, subject=f"{coin}: customers and inventory", expected=str(bought), found=str(held))
        for coin, bought, held in read_rows(_COINS)
        if bought != held
    ]


def verify_fills() -> list[Violation]:
    """Rule 4: each filled attempt is booked once, with its own cost and its own quantity less commission."""
    return [
        Violation(
            rule=4,
            subject=f"attempt {name} ({state}): fill",
            expected=f"{executed} for {cost}",
            found=f"{booked} for {paid}",
        )
        for name, state, executed, cost, booked, paid in read_rows(_ATTEMPTS)
    ]


def verify_result() -> list[Violation]:
    """Rule 5: what customers paid went to the venue, to fees, or is the trading result."""
    paid = sum_completed_charges()
    went = sum(sum_house_wallet(role=role) for role in (WalletRole.VENUE, WalletRole.FEES, WalletRole.TRADING_RESULT))
    if paid == went:
        return []
    return [Violation(rule=5, subject="paid for completed orders", expected=str(paid), found=str(went))]
