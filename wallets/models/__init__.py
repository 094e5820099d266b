"""Every table of the money side."""

from wallets.models.accounts import KnownAddress, TokenFamily, User
from wallets.models.ledger import STORED_BALANCES, Transaction, TransactionKind, Wallet, WalletRole
from wallets.models.proposals import Proposal, ProposalOutcome, ProposalRecord
from wallets.models.second_factors import RecoveryCode, SecondFactor
from wallets.models.security import SecurityEvent, SecurityEventKind, SecurityRealm

__all__ = [
    "STORED_BALANCES",
    "KnownAddress",
    "Proposal",
    "ProposalOutcome",
    "ProposalRecord",
    "RecoveryCode",
    "SecondFactor",
    "SecurityEvent",
    "SecurityEventKind",
    "SecurityRealm",
    "TokenFamily",
    "Transaction",
    "TransactionKind",
    "User",
    "Wallet",
    "WalletRole",
]
