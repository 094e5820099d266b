"""Client order ids: the venue's account may be shared by several installations, each of which knows its own orders.

An id is 32 hex digits in the form of a random UUID without dashes (RFC 9562, section 5.4), which every venue with a
profile accepts: Kraken wants a UUID or 18 characters, OKX at most 32 letters and digits. It begins with `ce` and the
installation's code of 8 digits; the others are random.

Two earlier forms have 34 characters and stay ours: `ce` and a random UUID, of before installations had a code, and
`ce`, the code and 24 digits of which the fifth is 0. No two forms can be confused.
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
    """Make a client order id of 32 hex digits, of which 82 bits are random."""
    chance = secrets.token_hex(10)
    variant = secrets.choice("89ab")
    return f"{CLIENT_ORDER_ID_PREFIX}{installation}{chance[:2]}4{chance[2:5]}{variant}{chance[5:]}"


def is_ours(client_order_id: str, *, installation: str) -> bool:
    """Say whether an order at the venue is this installation's, by its client order id."""
    is_of_before = _BEFORE.fullmatch(client_order_id) is not None
    return is_of_before or client_order_id.startswith(CLIENT_ORDER_ID_PREFIX + installation)
