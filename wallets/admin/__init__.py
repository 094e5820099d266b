"""Admin pages of the money side; importing this package registers them."""

from wallets.admin import deposits, ledger, payouts, proposals, security, statements, users  # noqa: F401  see above
