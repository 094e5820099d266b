"""Idempotency keys: a request that is repeated under the same key has one effect.

The row that a request creates also stores its key and a hash of the validated request.
Follows the IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key-header).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final

from wallets.exceptions import IdempotencyKeyReused

LONGEST_KEY = 255


@dataclass(frozen=True, kw_only=True)
class IdempotencyKey:
    """A customer's key for one request, and the hash of that request."""

    value: str
    request_hash: str

    def ensure_same_request(self, *, earlier_hash: str) -> None:
        """Raise IdempotencyKeyReused if the earlier request had a different hash."""
        if earlier_hash != self.request_hash:
            raise IdempotencyKeyReused


_EXACT: Final = Context(prec=60)
"""More digits than any amount in a request has: a hash of a rounded amount would be that of another request, too."""


def idempotency_key(*, key: str | None, request: Mapping[str, str | Decimal | None]) -> IdempotencyKey | None:
    """Pair `key` with the hash of `request`; return None without a key. Equal decimals (3 and 3.00) hash alike."""
    if key is None:
        return None
    normal = {name: _normal(value) for name, value in request.items() if value is not None}
    text = json.dumps(normal, sort_keys=True)
    return IdempotencyKey(value=key, request_hash=hashlib.sha256(text.encode()).hexdigest())


def _normal(value: str | Decimal | None) -> str | None:
    return format(value.normalize(_EXACT), "f") if isinstance(value, Decimal) else value
