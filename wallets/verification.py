"""Checks rules 1, 5 and 10: movements agree with each other, with deposits, returns, debts and payouts.

The caller opens the database snapshot.
"""

from dataclasses import dataclass
from decimal import Decimal

from wallets.models import WalletRole
from wallets.money import USD
from wallets.runtime import sql
from wallets.statements.lines import KNOWN


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A row that breaks a rule. docs/architecture.md lists the rules by number."""

    rule: int
    subject: str
    expected: str
    found: str


def verify_balances() -> list[Violation]:
    """Check each stored balance against the wallet's movements, and each `balance_after` against the one before."""
    wrong = [
        Violation(
            rule=1,
            subject=f"wallet {wallet_id} ({owner}, {asset}): balance",
            expected=str(total),
            found=str(balance),
        )
        for wallet_id, asset, owner, total, balance in sql.fetch_all("wallets.verify_balances")
    ]
    broken = [
        Violation(
            rule=1,
            subject=f"transaction {row_id} of wallet {wallet_id}: balance_after",
            expected=str(expected),
            found=str(found),
        )
        for row_id, wallet_id, expected, found in sql.fetch_all("wallets.verify_continuity")
    ]
    return wrong + broken


def verify_deposits() -> list[Violation]:
    """Check rule 10: the movements of each deposit say what its state says, and no movement names a missing deposit.

    Each bank statement adds up, and its lines agree with their deposits and returns. The credited statements of each
    account say the sum that the ledger has booked for their lines. The movements of each return say
    what it says, what each customer owes is what its movements have left, and the house wallet *receivable* is below
    zero by the sum.
    """
    names = ("deposits", "statements", "returns", "debts")
    found = [violation for name in names for violation in _find(f"wallets.verify_{name}", rule=10)]
    return found + _find("wallets.verify_accounts", rule=10, known=KNOWN)


def verify_corrections() -> list[Violation]:
    """Check rule 5: corrections reverse what may be reversed, and goodwill and write-offs alone move their wallets."""
    return _find("wallets.verify_corrections", rule=5)


def _find(statement: str, *, rule: int, **values: str) -> list[Violation]:
    return [
        Violation(rule=rule, subject=subject, expected=expected, found=found)
        for subject, expected, found in sql.fetch_all(statement, **values)
    ]


def verify_payouts() -> list[Violation]:
    """Check rule 10: each payout left once or came back once, and `payable` equals those that are not sent."""
    return [
        Violation(rule=10, subject=subject, expected=expected, found=found)
        for subject, expected, found in sql.fetch_all("wallets.verify_payouts")
    ]


def sum_house_wallet(*, role: WalletRole, asset: str = USD) -> Decimal:
    """Return the balance of a house wallet, computed from its movements."""
    [(total,)] = sql.fetch_all("wallets.sum_house_wallet", role=role.value, asset=asset)
    return Decimal(total)
