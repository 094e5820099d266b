"""Idempotency keys: one key and one request, one effect.

The key is kept on the row that it made, with a hash of the validated request, and commits with it.
After the IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key-header).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from wallets.exceptions import IdempotencyKeyReused

LONGEST_KEY = 255


@dataclass(frozen=True, kw_only=True)
class IdempotencyKey:
    """A customer's key for one request, and the hash of what was asked under it."""

    value: str
    request_hash: str

    def ensure_same_request(self, *, earlier_hash: str) -> None:
        """Raise IdempotencyKeyReused unless the earlier request asked for the same thing."""
        if earlier_hash != self.request_hash:
            raise IdempotencyKeyReused


def idempotency_key(*, key: str | None, request: Mapping[str, str | Decimal | None]) -> IdempotencyKey | None:
    """Pair `key` with the hash of `request`. 3, 3.0 and "3.00" are the same request."""
    if key is None:
        return None
    normal = {name: _normal(value) for name, value in request.items() if value is not None}
    text = json.dumps(normal, sort_keys=True)
    return IdempotencyKey(value=key, request_hash=hashlib.sha256(text.encode()).hexdigest())


def _normal(value: str | Decimal | None) -> str | None:
    return format(value.normalize(), "f") if isinstance(value, Decimal) else value
