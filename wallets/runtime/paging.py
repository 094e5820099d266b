"""Pages of append-only lists, newest first. The opaque cursor holds (created_at, id) of the last row.

Lists that are read often have a statement of their own (`read_records`): to make one with the ORM takes as long as to
read and write fifty orders.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

from django.db import models
from django.db.models import Q

from wallets.exceptions import InvalidCursor
from wallets.runtime import sql
from wallets.runtime.sql import Record

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
LARGEST_ID = 2**63 - 1

Row = TypeVar("Row")
Kept = TypeVar("Kept", bound=models.Model)

_CONDITIONS: Final = {
    "created_after": "record.created_at > %(created_after)s",
    "created_before": "record.created_at < %(created_before)s",
}
_AFTER_CURSOR: Final = "(record.created_at, record.id) < (%(last_at)s, %(last_id)s)"
_NEWEST_FIRST: Final = "ORDER BY record.created_at DESC, record.id DESC LIMIT %(most)s"


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Row]):
    """The rows of a page, and the cursor of the next page; None on the last page."""

    rows: list[Row]
    next_cursor: str | None


def read_page(
    *, queryset: "models.QuerySet[Kept]", filters: Mapping[str, Any], limit: int, cursor: str | None
) -> Page[Kept]:
    """Read the next `limit` rows of `queryset` after `cursor`, newest first.

    The caller has filtered `queryset` by `filters`. A cursor is valid only for the filters that it was made with.
    Raises InvalidCursor.
    """
    fingerprint = _fingerprint(filters)
    if cursor is not None:
        created_at, row_id = _decode(cursor, fingerprints=(fingerprint,))
        queryset = queryset.filter(Q(created_at__lt=created_at) | Q(id__lt=row_id), created_at__lte=created_at)
    rows = list(queryset.order_by("-created_at", "-id")[: limit + 1])
    return _cut(rows, limit=limit, place_of=attrgetter("created_at", "pk"), fingerprint=fingerprint)


def read_records(
    name: str,
    *,
    customer_id: int,
    filters: Mapping[str, Any],
    conditions: Mapping[str, str],
    limit: int,
    cursor: str | None,
    **values: Any,
) -> Page[Record]:
    """Read a page of a customer's records as `read_page` does, with the statement `name`.

    Its `{part}` follows a WHERE that finds the customer's rows as `record`. A filter that is not None narrows them by
    its condition: one of `conditions`, or one of those that every list has. Times are texts in the rows. The name is
    part of the cursors that clients have.
    """
    given = {key: value for key, value in filters.items() if value is not None}
    fingerprint = _fingerprint({"list": name, "of": customer_id, **given})
    narrowing = [{**_CONDITIONS, **conditions}[key] for key in given]
    if cursor is not None:
        # Cursors that clients have from before name no list; docs/versions.md promises that they stay valid.
        unnamed = _fingerprint({"of": customer_id, **given})
        given["last_at"], given["last_id"] = _decode(cursor, fingerprints=(fingerprint, unnamed))
        narrowing.append(_AFTER_CURSOR)
    part = " ".join([*(f"AND {condition}" for condition in narrowing), _NEWEST_FIRST])
    rows = sql.fetch_records(name, part=part, customer=customer_id, most=limit + 1, **given, **values)
    return _cut(rows, limit=limit, place_of=_place_of_record, fingerprint=fingerprint)


def _place_of_record(row: Record) -> tuple[datetime, int]:
    """Return the place of a row, whose time is a text of Postgres'."""
    return datetime.fromisoformat(row["created_at"]), row["id"]


def _cut(
    rows: list[Row], *, limit: int, place_of: Callable[[Row], tuple[datetime, int]], fingerprint: str
) -> Page[Row]:
    """Return a page of rows, of which one more than its limit was read if there are more."""
    if len(rows) <= limit:
        return Page(rows=rows, next_cursor=None)
    rows = rows[:limit]
    return Page(rows=rows, next_cursor=_encode(*place_of(rows[-1]), fingerprint=fingerprint))


def _encode(created_at: datetime, row_id: int, *, fingerprint: str) -> str:
    text = json.dumps([created_at.isoformat(), row_id, fingerprint])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str, *, fingerprints: Sequence[str]) -> tuple[datetime, int]:
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        created_at, row_id, made_for = json.loads(text)
        moment = datetime.fromisoformat(created_at)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)  # Postgres knows no zones as far away as Python does
    except (
        ValueError,
        TypeError,
        OverflowError,
        RecursionError,
    ) as error:  # UnicodeError and binascii.Error are ValueErrors
        raise InvalidCursor from error
    if made_for not in fingerprints or type(row_id) is not int or not 0 < row_id <= LARGEST_ID or moment.tzinfo is None:
        raise InvalidCursor
    return moment, row_id


def _fingerprint(filters: Mapping[str, Any]) -> str:
    text = json.dumps({name: str(value) for name, value in filters.items() if value is not None}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
