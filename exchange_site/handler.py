"""The WSGI handler. Its requests read a header when somebody asks for it.

Django's own copy all headers under other names when the first one is read, which is a hundredth of the time of placing
an order.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any, TypeVar, overload

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http.request import HttpHeaders

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


class Handler(WSGIHandler):
    """Django's handler, with Request. Set Django up before."""

    request_class = Request
