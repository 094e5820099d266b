"""Admin pages of the money side; importing this package registers them."""

from wallets.admin import (  # noqa: F401  see above
    break_glass,
    deposits,
    ledger,
    payouts,
    proposals,
    returns,
    security,
    statements,
    users,
)
