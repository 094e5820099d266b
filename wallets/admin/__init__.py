"""Admin pages of the money side; importing this package registers them."""

from wallets.admin import ledger, proposals, security, users  # noqa: F401  see above
