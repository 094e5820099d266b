"""The documents: their links lead somewhere, and the files that they name are there."""

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
"""The examples of CONTRIBUTING.md."""


def anchors(page):
    """GitHub's names of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
class TestPage:
    def test_has_links_that_lead_somewhere(self, page):
        for link in LINK.findall(FENCED.sub("", page.read_text())):
            name, _, anchor = link.partition("#")
            if "://" in link:
                continue
            target = page.parent / name if name else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link

    def test_names_files_that_are_there(self, page):
        named = set() if page.name == "CHANGELOG.md" else set(FILE.findall(page.read_text()))  # it tells of gone ones
        assert {name for name in named - MADE_UP if not (PROJECT / name).exists()} == set()
