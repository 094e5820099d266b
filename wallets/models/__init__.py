"""Every table of the money side."""

from wallets.models.accounts import KnownAddress, TokenFamily, User
from wallets.models.ledger import STORED_BALANCES, Transaction, TransactionKind, Wallet, WalletRole

__all__ = [
    "STORED_BALANCES",
    "KnownAddress",
    "TokenFamily",
    "Transaction",
    "TransactionKind",
    "User",
    "Wallet",
    "WalletRole",
]
