"""Our accounts at banks. Each has one name here, whatever a file calls it: a payment is received once for each."""

from typing import Final

from django.conf import settings

from wallets.exceptions import StatementRefused
from wallets.statements.lines import account_of

_ANY: Final = "*"


def our_account(text: str) -> str:
    """Return the name under which an account of ours is known. Raises StatementRefused for an account of others."""
    account, known = account_of(text), settings.DEPOSITS.accounts
    found = known.get(account)
    if found is None and _ANY not in known:
        raise StatementRefused(f"{account} is none of our accounts. OUR_ACCOUNTS lists them, with their other names.")
    return found or account
