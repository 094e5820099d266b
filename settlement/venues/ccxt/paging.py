"""Read a list of the venue's page by page. An incomplete list is never returned."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from settlement.venues.protocol import VenueAway

_DAY_MILLISECONDS: Final = 86_400_000
_MOST_PAGES: Final = 5000
"""A venue that says more than this is not believed: millions of orders, or 13 years of empty days."""

FetchPage = Callable[[int | None, dict[str, Any]], list[Any]]
"""Fetches a page of rows with `id` and `timestamp`: of those since a time (milliseconds), or by further parameters."""


def pages_by_id(*, fetch: FetchPage, parameter: str, since: int, now: int) -> Iterator[list[Any]]:
    """Find the first rows day by day, then read on by id, which skips no row even if many share a millisecond.

    `parameter` names the first id of a page. Times are in milliseconds. Raises VenueAway.
    """
    page: list[Any] = []
    days = 0
    while not page and since <= now:
        days = _count(days)
        page = fetch(None, {"startTime": since, "endTime": since + _DAY_MILLISECONDS - 1})
        since += _DAY_MILLISECONDS
    pages, after = 0, 0
    while page:
        pages = _count(pages)
        last = max(int(row["id"]) for row in page)
        if last < after:
            raise VenueAway("the same page again")
        yield page
        after = last + 1
        page = fetch(None, {parameter: after})


def pages_by_time(*, fetch: FetchPage, since: int, at_once: int) -> Iterator[list[Any]]:
    """Begin each page at the time of the previous page's last row, until a page has no new row.

    A page has at most `at_once` rows. Times are in milliseconds. Raises VenueAway.
    """
    seen: set[str] = set()
    pages = 0
    while True:
        pages = _count(pages)
        page = fetch(since, {})
        new = [row for row in page if str(row["id"]) not in seen]
        if not new:
            break
        yield new
        seen |= {str(row["id"]) for row in new}
        since = max(int(row["timestamp"]) for row in new)
    if len(page) >= at_once:
        raise VenueAway("more of one moment than a page holds")


def _count(pages: int) -> int:
    """Count a page. Raises VenueAway if the list seems to have no end."""
    if pages >= _MOST_PAGES:
        raise VenueAway("a list without an end")
    return pages + 1
