"""Does the ledger agree with itself? Read-only; the caller provides one snapshot."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from wallets.models import WalletRole
from wallets.money import USD


@dataclass(frozen=True, kw_only=True)
class Violation:
    """Something that is not as it must always be. `rule` is its number in docs/architecture.md."""

    rule: int
    subject: str
    expected: str
    found: str


_BALANCES = """
WITH moved AS (
    SELECT wallet_id, sum(change) AS total FROM (
        SELECT destination_id AS wallet_id, amount AS change FROM wallets_transaction
         UNION ALL
        SELECT source_id, -amount FROM wallets_transaction) legs
     GROUP BY wallet_id
)
SELECT w.id, w.asset, coalesce(u.username, w.role), coalesce(moved.total, 0), w.balance
  FROM wallets_wallet w
  LEFT JOIN moved ON moved.wallet_id = w.id
  LEFT JOIN wallets_user u ON u.id = w.owner_id
 WHERE w.balance IS NOT NULL AND (w.balance <> coalesce(moved.total, 0) OR w.balance < 0)
 ORDER BY w.id
"""

_CONTINUITY = """
WITH steps AS (
    SELECT t.id, w.id AS wallet_id, t.balance_after,
           CASE WHEN t.destination_id = w.id THEN t.amount ELSE -t.amount END AS change,
           lag(t.balance_after, 1, 0) OVER (PARTITION BY w.id ORDER BY t.id) AS balance_before
      FROM wallets_transaction t
      JOIN wallets_wallet w ON w.owner_id = t.customer_id AND w.asset = t.asset
     WHERE t.customer_id IS NOT NULL
)
SELECT id, wallet_id, balance_before + change, balance_after
  FROM steps WHERE balance_before + change <> balance_after ORDER BY id
"""


def verify_balances() -> list[Violation]:
    """Rule 1: stored balances are the sums of their transactions, and each `balance_after` continues the last."""
    wrong = [
        Violation(
            rule=1,
            subject=f"wallet {wallet_id} ({owner}, {asset}): balance",
            expected=str(total),
            found=str(balance),
        )
        for wallet_id, asset, owner, total, balance in read_rows(_BALANCES)
    ]
    broken = [
        Violation(
            rule=1,
            subject=f"transaction {row_id} of wallet {wallet_id}: balance_after",
            expected=str(expected),
            found=str(found),
        )
        for row_id, wallet_id, expected, found in read_rows(_CONTINUITY)
    ]
    return wrong + broken


def sum_house_wallet(*, role: WalletRole, asset: str = USD) -> Decimal:
    """The balance of a house wallet, from its transactions."""
    [(total,)] = read_rows(
        """
        SELECT coalesce(sum(CASE WHEN t.destination_id = w.id THEN t.amount ELSE -t.amount END), 0)
          FROM wallets_wallet w
          JOIN wallets_transaction t ON w.id IN (t.source_id, t.destination_id)
         WHERE w.owner_id IS NULL AND w.role = %s AND w.asset = %s
        """,
        [role.value, asset],
    )
    return Decimal(total)


def read_rows(query: str, parameters: Any = ()) -> list[Any]:
    """Run a query of the verification."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())
