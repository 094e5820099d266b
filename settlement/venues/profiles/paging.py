"""Read a list of the venue's page by page. An incomplete list is never returned."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from settlement.venues.protocol import VenueAway

_DAY_MILLISECONDS: Final = 86_400_000
_MOST_PAGES: Final = 5000
"""A venue that says more than this is not believed: millions of orders, or 13 years of empty days."""

Rows = list[dict[str, Any]]
Fetch = Callable[[dict[str, Any]], Rows]
"""Fetches a page of the venue's rows by further parameters."""


def pages_by_id(*, fetch: Fetch, row_id: str, parameter: str, since: int, now: int) -> Iterator[Rows]:
    """Find the first rows day by day, then read on by id, which skips no row even if many share a millisecond.

    `row_id` names a row's own id, and `parameter` the first id of a page. Times are in milliseconds. Raises VenueAway.
    """
    page: Rows = []
    days = 0
    while not page and since <= now:
        days = count_page(days)
        page = fetch({"startTime": since, "endTime": since + _DAY_MILLISECONDS - 1})
        since += _DAY_MILLISECONDS
    pages, after = 0, 0
    while page:
        pages = count_page(pages)
        last = max(int(row[row_id]) for row in page)
        if last < after:
            raise VenueAway("the same page again")
        yield page
        after = last + 1
        page = fetch({parameter: after})


def pages_by_offset(*, fetch: Callable[[int], tuple[Rows, int]], row_id: str) -> Iterator[Rows]:
    """Read on by the number of rows already read, until the venue's count of them all is reached. Raises VenueAway.

    `fetch` returns the rows from an offset on, and that count. New rows may push others to the next page, so each page
    has only the rows that no page before it had.
    """
    seen: set[str] = set()
    offset = pages = 0
    while True:
        pages = count_page(pages)
        page, total = fetch(offset)
        new = [row for row in page if str(row[row_id]) not in seen]
        seen |= {str(row[row_id]) for row in new}
        yield new
        offset += len(page)
        if len(page) > total:
            raise VenueAway(f"{len(page)} rows, of {total}")
        if offset >= total:
            return
        if not page:
            raise VenueAway(f"{offset} rows of {total}")


def pages_by_cursor(*, fetch: Callable[[str], tuple[Rows, str]], row_id: str) -> Iterator[Rows]:
    """Read on from the cursor that each page names, until one names none. Raises VenueAway.

    `fetch` returns the rows from a cursor on (the first is empty), and the next cursor. A row is returned once.
    """
    seen: set[str] = set()
    cursors = {""}
    cursor = ""
    pages = 0
    while True:
        pages = count_page(pages)
        page, cursor = fetch(cursor)
        new = [row for row in without_repeats(page) if str(row[row_id]) not in seen]
        seen |= {str(row[row_id]) for row in new}
        yield new
        if not cursor:
            return
        if cursor in cursors:
            raise VenueAway("the same page again")
        cursors.add(cursor)


def without_repeats(rows: Rows) -> Rows:
    """Leave out rows that repeat another one to the letter. Two rows that contradict each other stay."""
    return list({repr(row): row for row in rows}.values())


def windows(*, since: int, until: int, longest: int) -> Iterator[tuple[int, int]]:
    """Cut a time into windows that a list allows: pairs of first and last millisecond, oldest first."""
    while since <= until:
        yield since, min(since + longest - 1, until)
        since += longest


def count_page(pages: int) -> int:
    """Count a page. Raises VenueAway if the list seems to have no end."""
    if pages >= _MOST_PAGES:
        raise VenueAway("a list without an end")
    return pages + 1
