"""Admin pages of the money side; importing them registers them."""

from wallets.admin import ledger, users  # noqa: F401  see above
