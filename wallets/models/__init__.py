"""Every table of the money side."""

from wallets.models.accounts import KnownAddress, TokenFamily, User
from wallets.models.break_glass import BreakGlass, BreakGlassOutcome
from wallets.models.closed import ClosedAccount
from wallets.models.deposits import Deposit, DepositState
from wallets.models.keys import PersonalKey, StoredKey
from wallets.models.ledger import STORED_BALANCES, Transaction, TransactionKind, Wallet, WalletRole
from wallets.models.payouts import GIVEN_BACK, LEFT, PAYABLE, Payee, Payout, PayoutFile, PayoutState
from wallets.models.proposals import Proposal, ProposalOutcome, ProposalRecord
from wallets.models.returns import Receivable, Return, ReturnState
from wallets.models.second_factors import RecoveryCode, SecondFactor
from wallets.models.security import SecurityEvent, SecurityEventKind, SecurityRealm
from wallets.models.statements import Statement, StatementLine, StatementState

__all__ = [
    "GIVEN_BACK",
    "LEFT",
    "PAYABLE",
    "STORED_BALANCES",
    "BreakGlass",
    "BreakGlassOutcome",
    "ClosedAccount",
    "Deposit",
    "DepositState",
    "KnownAddress",
    "Payee",
    "Payout",
    "PayoutFile",
    "PayoutState",
    "PersonalKey",
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
    "StoredKey",
    "TokenFamily",
    "Transaction",
    "TransactionKind",
    "User",
    "Wallet",
    "WalletRole",
]
