"""Every table of the money side."""

from wallets.models.accounts import KnownAddress, TokenFamily, User
from wallets.models.deposits import Deposit, DepositState
from wallets.models.ledger import STORED_BALANCES, Transaction, TransactionKind, Wallet, WalletRole
from wallets.models.payouts import LEFT, PAYABLE, Payee, Payout, PayoutFile, PayoutState
from wallets.models.proposals import Proposal, ProposalOutcome, ProposalRecord
from wallets.models.second_factors import RecoveryCode, SecondFactor
from wallets.models.security import SecurityEvent, SecurityEventKind, SecurityRealm
from wallets.models.statements import Statement, StatementLine, StatementState

__all__ = [
    "LEFT",
    "PAYABLE",
    "STORED_BALANCES",
    "Deposit",
    "DepositState",
    "KnownAddress",
    "Payee",
    "Payout",
    "PayoutFile",
    "PayoutState",
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
    "TokenFamily",
    "Transaction",
    "TransactionKind",
    "User",
    "Wallet",
    "WalletRole",
]
