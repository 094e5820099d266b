"""Documents for client developers that this service shows as pages. Their files are in docs/."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from django.conf import settings
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.token import Token

FOLDER: Final = settings.BASE_DIR / "docs"
PAGES: Final[Mapping[str, str]] = MappingProxyType(
    {"guide": "/guide/", "sandbox": "/sandbox/", "versions": "/versions/"}
)
"""The path of each document's page, by the name of its file."""
_SERVED: Final = {**{f"{name}.md": path for name, path in PAGES.items()}, "openapi.json": "/api/v1/openapi.json"}
"""Where this service serves a file of docs/."""


def existing_pages() -> dict[str, str]:
    """Return the paths of the pages whose files are installed, by name: a container image may lack them."""
    return {name: path for name, path in PAGES.items() if (FOLDER / f"{name}.md").exists()}


@lru_cache
def read_page(name: str) -> SafeString:
    """Return a document as HTML. Markup in its text is escaped. Raises FileNotFoundError."""
    parser = MarkdownIt("js-default")
    tokens = parser.parse((FOLDER / f"{name}.md").read_text())
    for heading, text in pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", anchor_of(text.content))
    for token in tokens:
        token.children = list(_with_served_links(token.children or []))
    return SafeString(parser.renderer.render(tokens, parser.options, {}))


def anchor_of(heading: str) -> str:
    """Return the anchor that GitHub gives a heading, so that links between documents work there and here."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _with_served_links(tokens: list[Token]) -> Iterator[Token]:
    """Let links lead to pages of this service. Those to files that it does not serve are left out; their texts stay."""
    is_dropped = False
    for token in tokens:
        if token.type == "link_open":
            target = _served(str(token.attrGet("href")))
            is_dropped = target is None
            token.attrSet("href", target or "")
        if not (is_dropped and token.type in {"link_open", "link_close"}):
            yield token


def _served(link: str) -> str | None:
    """Return where a document's link leads on a page; None if this service does not serve its file."""
    file, hash_sign, anchor = link.partition("#")
    if not file or "://" in file:
        return link
    path = _SERVED.get(file)
    return None if path is None else f"{path}{hash_sign}{anchor}"
