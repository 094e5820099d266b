"""Each profile reads what its venue documents, and every row of the checklist has a case.

To add a venue: a profile, a module of cases here, and its name in `VENUES`. See docs/venues.md.
"""

from importlib import import_module

import pytest

from settlement.venues.registry import PROFILES
from tests.settlement.conformance.checklist import ROWS
from tests.settlement.conformance.harness import run

VENUES = {name: import_module(f"tests.settlement.conformance.{name}").CONFORMANCE for name in sorted(PROFILES)}


@pytest.mark.parametrize("name", VENUES)
def test_every_row_has_a_case_or_a_source_that_there_is_no_such_thing(name):
    venue = VENUES[name]
    covered = {case.row for case in venue.cases} | venue.has_no.keys()
    assert sorted(ROWS.keys() - covered) == []
    assert covered <= ROWS.keys()
    assert all(case.source for case in venue.cases)
    assert all(venue.has_no.values())


@pytest.mark.parametrize(
    ("name", "case"),
    [
        pytest.param(name, case, id=f"{name}: {case.title} {number}")
        for name, venue in VENUES.items()
        for number, case in enumerate(venue.cases)
    ],
)
def test_a_case(name, case):
    run(VENUES[name], case)
