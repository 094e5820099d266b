"""Client order ids: the venue's account may be shared by several installations, each of which knows its own orders.

An id is `ce` and 32 hex digits. The first 8 are the installation's code and the others are random, except for the 13th,
which is 0. Ids of before installations had a code are `ce` and a random UUID (RFC 9562, section 5.4), whose 13th digit
is 4. So the two cannot be confused, and ids of before stay ours.
"""

import re
import secrets
from typing import Final

from settlement.venues.protocol import CLIENT_ORDER_ID_PREFIX

CODE_LENGTH: Final = 8
_BEFORE: Final = re.compile(f"{CLIENT_ORDER_ID_PREFIX}[0-9a-f]{{12}}4[0-9a-f]{{3}}[89ab][0-9a-f]{{15}}")


def make_code() -> str:
    """Make the code of a new installation: 8 random hex digits."""
    return secrets.token_hex(CODE_LENGTH // 2)


def make_client_order_id(*, installation: str) -> str:
    """Make a client order id. It has 34 characters; venues accept up to 36."""
    return f"{CLIENT_ORDER_ID_PREFIX}{installation}{secrets.token_hex(2)}0{secrets.token_hex(10)[1:]}"


def is_ours(client_order_id: str, *, installation: str) -> bool:
    """Say whether an order at the venue is this installation's, by its client order id."""
    is_of_before = _BEFORE.fullmatch(client_order_id) is not None
    return is_of_before or client_order_id.startswith(CLIENT_ORDER_ID_PREFIX + installation)
