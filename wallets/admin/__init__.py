"""Admin pages of the money side; importing this package registers them."""

from wallets.admin import break_glass, deposits, ledger, proposals, security, statements, users  # noqa: F401  see above
