"""Every table of the money side."""

from wallets.models.accounts import KnownAddress, TokenFamily, User
from wallets.models.closed import ClosedAccount
from wallets.models.deposits import Deposit, DepositState
from wallets.models.keys import PersonalKey, StoredKey
from wallets.models.ledger import STORED_BALANCES, Transaction, TransactionKind, Wallet, WalletRole
from wallets.models.proposals import Proposal, ProposalOutcome, ProposalRecord
from wallets.models.second_factors import RecoveryCode, SecondFactor
from wallets.models.security import SecurityEvent, SecurityEventKind, SecurityRealm
from wallets.models.statements import Statement, StatementLine, StatementState

__all__ = [
    "STORED_BALANCES",
    "ClosedAccount",
    "Deposit",
    "DepositState",
    "KnownAddress",
    "PersonalKey",
    "Proposal",
    "ProposalOutcome",
    "ProposalRecord",
    "RecoveryCode",
    "SecondFactor",
    "SecurityEvent",
    "SecurityEventKind",
    "SecurityRealm",
    "Statement",
    "StatementLine",
    "StatementState",
    "StoredKey",
    "TokenFamily",
    "Transaction",
    "TransactionKind",
    "User",
    "Wallet",
    "WalletRole",
]
