"""Run a loop in which the failure of one item does not stop the others.

A failure is logged with its item, counted (`exchange_items_failed_total`) and recorded as a FailingItem, which the
to-do page lists. An item that fails again and again is tried less and less often.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from django.conf import settings
from django.db import connection

from settlement.metrics import count_failed_item
from settlement.models import FailingItem
from settlement.venues.protocol import VenueAway

logger = logging.getLogger(__name__)

T = TypeVar("T")

_FIELDS: Final = ("error", "times", "last_at", "retry_at")


class ItemFailed(Exception):
    """An expected failure, such as a coin without a price. It is logged without a traceback, and tried again soon.

    So is VenueAway: the traceback of its cause may contain a signed request.
    """


def run_each(
    *,
    what: str,
    items: Iterable[T],
    run: Callable[[T], object],
    now: datetime,
    name: Callable[[T], str] = str,
    known: Iterable[FailingItem] | None = None,
) -> set[str]:
    """Call `run` for each item, and return the names of those that failed or are left out for now.

    An item that fails is recorded under `what` and `name(item)`, and counted by the part of `what` before a colon; the
    other items go on. `known` are failures that the caller has read a short time ago, all of `what` among them.

    `run` makes its own database transaction, so that a failure rolls back its own item alone. After an unexpected
    failure the item is left out for 2, 4, 8 … seconds, up to PAUSE_MAX_SECONDS. The database being away is no item's
    failure: that error is raised. Call it outside of any database transaction.
    """
    assert not connection.in_atomic_block, "each item has a database transaction of its own"
    rows = FailingItem.objects.filter(what=what) if known is None else known
    earlier = {row.item: row for row in rows if row.what == what}
    failing: set[str] = set()
    for item in items:
        subject = _storable(name(item))[:200]
        row = earlier.get(subject)
        if row and row.retry_at > now:
            failing.add(subject)
            continue
        try:
            run(item)
        except Exception as error:  # noqa: BLE001  the other items must not suffer; the error is logged and recorded
            failing.add(subject)
            _record(row or FailingItem(what=what, item=subject, times=0, since=now), error=error, now=now)
    if mended := earlier.keys() - failing:
        FailingItem.objects.filter(what=what, item__in=mended).delete()
    return failing


def _record(row: FailingItem, *, error: Exception, now: datetime) -> None:
    count_failed_item(what=row.what.partition(":")[0])
    is_expected = isinstance(error, ItemFailed | VenueAway)
    logger.error("%s of %s failed: %s", row.what, row.item, error, exc_info=None if is_expected else error)
    row.error = _storable(str(error) if is_expected else f"{type(error).__name__}: {error}")[:300]
    row.times, row.last_at, row.retry_at = row.times + 1, now, now
    if not is_expected:
        longest = settings.SETTLEMENT.pause_max_seconds
        row.retry_at = now + timedelta(seconds=min(2.0 ** min(row.times, 30), longest))
    connection.close_if_unusable_or_obsolete()
    connection.ensure_connection()  # raises if the database is away
    row.pk = None
    FailingItem.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["what", "item"], update_fields=[*_FIELDS]
    )


def _storable(text: str) -> str:
    """Replace characters that Postgres refuses: a venue's words may hold any."""
    return text.encode(errors="replace").decode().replace("\0", "?")
