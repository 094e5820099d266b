"""Pages for people: the home page and the API's documentation. They load nothing from other sites."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from exchange_site import documents

# The logo of ReDoc's maker, the only file that ReDoc's bundle loads from a CDN.
_FOREIGN_LOGO: Final = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
_NO_IMAGE: Final = b"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the home page: prices, links, and in a sandbox what is happening, and the visitor's first order."""
    return show_page(request, "home", is_sandbox=settings.DEPOSITS.self_service, threshold=settings.POOLS.threshold)


@require_safe
def document(request: HttpRequest, name: str) -> HttpResponse:
    """Show a document for client developers, such as the guide."""
    try:
        text = documents.read_page(name)
    except FileNotFoundError as error:
        raise Http404 from error
    return show_page(request, "document", text=text, title=name.capitalize())


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
    return render(request, f"exchange_site/{name}.html", {**context, "documents": documents.existing_pages()})
