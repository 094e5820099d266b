"""Reads texts about a customer that are sealed with the customer's own key.

A sealed text begins with a mark that no bank can send, and names the customer whose key it needs; NOBODY, if it needs a
key of the installation.
"""

from typing import Final

from wallets.models import PersonalKey, User
from wallets.models.keys import key_of_texts
from wallets.runtime.encryption import decrypt_with

MARK: Final = "\x1f"
ERASED: Final = "(erased)"
NOBODY: Final = 0


def open_text(*, text: str, customer: User | None = None) -> str:
    """Return a text that may be sealed, or ERASED if its key was destroyed. One query, unless `customer` has the key.

    Raises Undecryptable.
    """
    if not text.startswith(MARK):
        return text
    customer_id, _, token = text[1:].partition(MARK)
    if int(customer_id) == NOBODY:
        return decrypt_with(key_of_texts(), token)
    held = getattr(customer, "personal_key", None)
    if held is None or held.pk != int(customer_id):
        held = PersonalKey.objects.filter(pk=int(customer_id)).first()
    return ERASED if held is None or held.key is None else decrypt_with(held.key, token)
