"""Admin pages of the money side; importing this package registers them."""

from wallets.admin import deposits, ledger, proposals, returns, security, statements, users  # noqa: F401  see above
