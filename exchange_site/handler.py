"""The WSGI handler: Django's, without work that is the same for each request.

A header is read when somebody asks for it, while Django's own requests copy all headers under other names when the
first one is read. A path without parameters is looked up once.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any, TypeVar, overload

from django.conf import settings
from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.signals import request_finished, request_started
from django.db import reset_queries
from django.http import HttpRequest
from django.http.request import HttpHeaders
from django.urls import ResolverMatch

T = TypeVar("T")

_wsgi_name = lru_cache(maxsize=256)(HttpHeaders.to_wsgi_name)


class RequestHeaders(Mapping[str, str]):
    """The headers of a WSGI environment, by their names in any case."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        value: str = self._environ[_wsgi_name(name)]
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _wsgi_name(name) in self._environ

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: str | T) -> str | T: ...
    def get(self, name: str, /, default: Any = None) -> Any:
        return self._environ.get(_wsgi_name(name), default)

    @cached_property
    def _all(self) -> HttpHeaders:
        return HttpHeaders(self._environ)


class Request(WSGIRequest):
    """Django's request, with RequestHeaders."""

    @cached_property
    def headers(self) -> RequestHeaders:  # type: ignore[override]  # Django declares its own mapping, with the same methods
        return RequestHeaders(self.META)

    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        """Read the type of the body. Django raises ValueError or TypeError for one that it cannot decode."""
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]  # the stubs leave it out
        except (ValueError, TypeError):
            self.content_type, self.content_params = "", {}


class Handler(WSGIHandler):
    """Django's handler, with Request. Set Django up before."""

    request_class = Request

    def __init__(self) -> None:
        super().__init__()
        self._without_parameters: dict[str, ResolverMatch] = {}  # as many as there are such patterns

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """Return the view of a request. Django compares the path with each pattern in turn."""
        found = self._without_parameters.get(request.path_info)
        if found is not None:
            request.resolver_match = found
            return found
        found = super().resolve_request(request)
        if not found.args and not found.kwargs:
            self._without_parameters[request.path_info] = found
        return found


def forget_idle_receivers() -> None:
    """Disconnect what Django runs at each request for what is not used: kept queries, caches, a second urlconf."""
    if not settings.DEBUG:
        request_started.disconnect(reset_queries)
    request_finished.disconnect(close_caches)
    request_finished.disconnect(reset_urlconf)
