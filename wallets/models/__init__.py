"""Every table of the money side."""

from wallets.models.accounts import KnownAddress, TokenFamily, User
from wallets.models.deposits import Deposit, DepositState
from wallets.models.ledger import STORED_BALANCES, Transaction, TransactionKind, Wallet, WalletRole
from wallets.models.security import SecurityEvent, SecurityEventKind, SecurityRealm

__all__ = [
    "STORED_BALANCES",
    "Deposit",
    "DepositState",
    "KnownAddress",
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
