"""Pages for people: the home page and the API's documentation. They load nothing from other sites."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

# The logo of ReDoc's maker, the only file that ReDoc's bundle loads from a CDN.
_FOREIGN_LOGO: Final = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
_NO_IMAGE: Final = b"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"


_GUIDE: Final = settings.BASE_DIR / "docs" / "guide.md"  # the container image may lack it


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the home page: prices, links, and in a sandbox what is happening, and the visitor's first order."""
    return show_page(request, "home", is_sandbox=settings.DEPOSITS.self_service, threshold=settings.POOLS.threshold)


@require_safe
def guide(request: HttpRequest) -> HttpResponse:
    """Show the guide for client developers."""
    if not _GUIDE.exists():
        raise Http404
    return show_page(request, "guide", text=_guide_text())


@require_safe
def swagger(request: HttpRequest) -> HttpResponse:
    """Show Swagger UI, where people can try the operations."""
    return show_page(request, "swagger")


@require_safe
def redoc(request: HttpRequest) -> HttpResponse:
    """Show ReDoc, where people can read about the operations."""
    return show_page(request, "redoc")


@require_safe
@gzip_page
@cache_control(public=True, max_age=86_400)
def redoc_script(request: HttpRequest) -> HttpResponse:
    """Serve ReDoc's bundle as Ninja ships it, but without the logo from a CDN."""
    return HttpResponse(_redoc_bundle(), content_type="text/javascript; charset=utf-8")


@lru_cache(maxsize=1)
def _redoc_bundle() -> bytes:
    path = finders.find("ninja/redoc.standalone.js")
    assert isinstance(path, str), "django-ninja ships ReDoc"
    return Path(path).read_bytes().replace(_FOREIGN_LOGO, _NO_IMAGE)


def show_page(request: HttpRequest, name: str, **context: Any) -> HttpResponse:
    """Show the page of a template, with the links that all pages have."""
    return render(request, f"exchange_site/{name}.html", {**context, "has_guide": _GUIDE.exists()})


@lru_cache(maxsize=1)
def _guide_text() -> SafeString:
    """Return the guide as HTML. Markup in its text would be escaped."""
    parser = MarkdownIt("js-default")
    tokens = parser.parse(_GUIDE.read_text())
    for token in tokens:
        token.children = list(_without_links_to_files(token.children or []))
    return SafeString(parser.renderer.render(tokens, parser.options, {}))


def _without_links_to_files(tokens: list[Token]) -> Iterator[Token]:
    """Leave out links to other documents, which no page shows; their texts stay."""
    is_dropped = False
    for token in tokens:
        if token.type == "link_open":
            is_dropped = ".md" in str(token.attrGet("href"))
        if not (is_dropped and token.type in {"link_open", "link_close"}):
            yield token
