"""A list of the venue's is whole, or it is refused."""

import pytest

from settlement.venues.profiles.paging import pages_by_cursor, pages_by_offset, windows
from settlement.venues.protocol import VenueAway


def rows(*names):
    return [{"id": name} for name in names]


def names(pages):
    return [row["id"] for page in pages for row in page]


class TestPagesByOffset:
    def read(self, *answers):
        told = dict(answers)
        return names(pages_by_offset(fetch=lambda offset: told[offset], row_id="id"))

    def test_end_with_the_venues_count(self):
        assert self.read((0, (rows(1, 2), 3)), (2, (rows(3), 3))) == [1, 2, 3]

    def test_have_each_row_once_if_new_ones_push_the_others_on(self):
        assert self.read((0, (rows(3, 2), 3)), (2, (rows(2, 1), 4))) == [3, 2, 1]

    def test_that_end_early_are_refused(self):
        with pytest.raises(VenueAway, match="2 rows of 3"):
            self.read((0, (rows(1, 2), 3)), (2, (rows(), 3)))

    def test_that_have_more_rows_than_the_venue_counts_are_refused(self):
        with pytest.raises(VenueAway, match="2 rows, of 1"):
            self.read((0, (rows(1, 2), 1)))


class TestPagesByCursor:
    def read(self, **told):
        return names(pages_by_cursor(fetch=lambda cursor: told[cursor or "first"], row_id="id"))

    def test_end_without_a_cursor(self):
        assert self.read(first=(rows(1, 2), "b"), b=(rows(2, 3), "")) == [1, 2, 3]

    def test_that_turn_in_a_circle_are_refused(self):
        with pytest.raises(VenueAway, match="the same page again"):
            self.read(first=(rows(1), "b"), b=(rows(2), "c"), c=(rows(3), "b"))


def test_windows_leave_no_millisecond_out():
    assert list(windows(since=10, until=25, longest=7)) == [(10, 16), (17, 23), (24, 25)]
    assert list(windows(since=10, until=10, longest=7)) == [(10, 10)]
