"""Every table of the money side."""

from wallets.models.accounts import KnownAddress, TokenFamily, User
from wallets.models.deposits import Deposit, DepositState
from wallets.models.ledger import STORED_BALANCES, Transaction, TransactionKind, Wallet, WalletRole
from wallets.models.proposals import Proposal, ProposalOutcome, ProposalRecord
from wallets.models.returns import Receivable, Return, ReturnState
from wallets.models.second_factors import RecoveryCode, SecondFactor
from wallets.models.security import SecurityEvent, SecurityEventKind, SecurityRealm
from wallets.models.statements import Statement, StatementLine, StatementState

__all__ = [
    "STORED_BALANCES",
    "Deposit",
    "DepositState",
    "KnownAddress",
    "Proposal",
    "ProposalOutcome",
    "ProposalRecord",
    "Receivable",
    "RecoveryCode",
    "Return",
    "ReturnState",
    "SecondFactor",
    "SecurityEvent",
    "SecurityEventKind",
    "SecurityRealm",
    "Statement",
    "StatementLine",
    "StatementState",
    "TokenFamily",
    "Transaction",
    "TransactionKind",
    "User",
    "Wallet",
    "WalletRole",
]
