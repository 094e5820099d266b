"""Pages of append-only lists, newest first. The opaque cursor holds (created_at, id) of the last row."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db import models
from django.db.models import Q

from wallets.exceptions import InvalidCursor

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
_BIGGEST_ID = 2**63 - 1

Row = TypeVar("Row", bound=models.Model)


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Row]):
    """The rows of a page, and the cursor of the next page; None on the last page."""

    rows: list[Row]
    next_cursor: str | None


def read_page(
    *, queryset: "models.QuerySet[Row]", filters: Mapping[str, Any], limit: int, cursor: str | None
) -> Page[Row]:
    """Read the next `limit` rows of `queryset` after `cursor`, newest first.

    The caller has filtered `queryset` by `filters`. A cursor is valid only for the filters that it was made with.
    Raises InvalidCursor.
    """
    fingerprint = _fingerprint(filters)
    if cursor is not None:
        created_at, row_id = _decode(cursor, fingerprint=fingerprint)
        queryset = queryset.filter(Q(created_at__lt=created_at) | Q(id__lt=row_id), created_at__lte=created_at)
    rows = list(queryset.order_by("-created_at", "-id")[: limit + 1])
    if len(rows) <= limit:
        return Page(rows=rows, next_cursor=None)
    rows = rows[:limit]
    return Page(rows=rows, next_cursor=_encode(rows[-1], fingerprint=fingerprint))


def _encode(row: Any, *, fingerprint: str) -> str:
    text = json.dumps([row.created_at.isoformat(), row.pk, fingerprint])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str, *, fingerprint: str) -> tuple[datetime, int]:
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        created_at, row_id, made_for = json.loads(text)
        moment = datetime.fromisoformat(created_at)
    except (
        ValueError,
        TypeError,
        RecursionError,
    ) as error:  # UnicodeError and binascii.Error are ValueErrors
        raise InvalidCursor from error
    if made_for != fingerprint or type(row_id) is not int or not 0 < row_id <= _BIGGEST_ID or moment.tzinfo is None:
        raise InvalidCursor
    return moment, row_id


def _fingerprint(filters: Mapping[str, Any]) -> str:
    text = json.dumps({name: str(value) for name, value in filters.items() if value is not None}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
