"""Idempotency keys: a request that is repeated under the same key has one effect.

The row that a request creates also stores its key and a hash of the validated request.
Follows the IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key-header).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from wallets.exceptions import IdempotencyKeyReused
from wallets.money import without_zeros

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


def idempotency_key(*, key: str | None, request: Mapping[str, str | Decimal | None]) -> IdempotencyKey | None:
    """Pair `key` with the hash of `request`; return None without a key. Equal decimals (3 and 3.00) hash alike."""
    if key is None:
        return None
    normal = {name: _normal(value) for name, value in request.items() if value is not None}
    text = json.dumps(normal, sort_keys=True)
    return IdempotencyKey(value=key, request_hash=hashlib.sha256(text.encode()).hexdigest())


def _normal(value: str | Decimal | None) -> str | None:
    return format(without_zeros(value), "f") if isinstance(value, Decimal) else value
