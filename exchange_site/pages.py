"""Pages for people: the home page and the API's documentation. They load nothing from other sites."""

from functools import lru_cache
from pathlib import Path
from typing import Final

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

# The logo of ReDoc's maker, the only file that ReDoc's bundle loads from a CDN.
_FOREIGN_LOGO: Final = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
_NO_IMAGE: Final = b"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the home page: a short description of the service, and links to its parts."""
    return render(request, "exchange_site/home.html")


@require_safe
def swagger(request: HttpRequest) -> HttpResponse:
    """Show Swagger UI, where people can try the operations."""
    return render(request, "exchange_site/swagger.html")


@require_safe
def redoc(request: HttpRequest) -> HttpResponse:
    """Show ReDoc, where people can read about the operations."""
    return render(request, "exchange_site/redoc.html")


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
