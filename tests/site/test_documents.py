"""The documents: the targets of their links and the files that they name exist."""

import re

import pytest

from exchange_site.stack.processes import PROJECT

PAGES = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((PROJECT / "docs").glob("*.md")),
]
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"`((?:\.ci|deploy|docs|exchange_site|settlement|tests|trading|wallets)/[\w./-]*)`")

MADE_UP = {
    "settlement/services/notifying.py",
    "settlement/venues/profiles/examplex.py",
    "trading/sql/price_range.sql",
}
"""Files in the examples of CONTRIBUTING.md, which do not exist."""


def anchors(page):
    """Return the anchors that GitHub makes from a page's headings."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
class TestPage:
    def test_has_links_whose_targets_exist(self, page):
        for link in LINK.findall(FENCED.sub("", page.read_text())):
            name, _, anchor = link.partition("#")
            if "://" in link:
                continue
            target = page.parent / name if name else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link

    def test_names_files_that_exist(self, page):
        # The changelog may name removed files.
        named = set() if page.name == "CHANGELOG.md" else set(FILE.findall(page.read_text()))
        assert {name for name in named - MADE_UP if not (PROJECT / name).exists()} == set()
