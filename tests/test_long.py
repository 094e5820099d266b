"""The lists of the tests that `task test` leaves out."""

import re

import pytest

from exchange_site.stack.processes import PROJECT
from tests.long import _KEPT, _LONG


@pytest.mark.parametrize("start", [*_LONG, *_KEPT])
def test_each_entry_names_tests_that_exist(start):
    path, *names = start.split("::")
    files = list(PROJECT.glob(path if path.endswith("/") else f"{path}*"))
    assert files
    for name in names:
        assert re.search(rf"^ *(?:class|def) {name}", files[0].read_text(), re.MULTILINE), name
