"""The HTTP session under ccxt: our timeouts, no retries, no redirects.

If EXCHANGE_URL is set, requests to any host but the venue's are refused.
"""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter


class OtherHostRefused(requests.exceptions.InvalidURL):
    """Raised instead of sending a request to a host other than the configured venue's."""


class _Transport(HTTPAdapter):
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # passes everything on
        kwargs["timeout"] = (
            settings.VENUE.connect_timeout_seconds,
            settings.VENUE.read_timeout_seconds,
        )
        return super().send(request, **kwargs)


class _Rewriting(_Transport):
    """Send requests for the production host to `target`, which is the simulator.

    So ccxt's client keeps its production URLs, by which it tells the venue's errors apart.
    """

    def __init__(self, *, target: str) -> None:
        super().__init__()
        self._target = urlsplit(target)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # passes everything on
        parts = urlsplit(request.url or "")
        request.url = str(urlunsplit((self._target.scheme, self._target.netloc, *parts[2:])))
        request.headers["Host"] = self._target.netloc
        return super().send(request, **kwargs)


class _Refusing(HTTPAdapter):
    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        raise OtherHostRefused(f"no request may go to {urlsplit(request.url or '').hostname}")


def open_session(*, production_url: str) -> requests.Session:
    """Open a session for `production_url`. If EXCHANGE_URL is set, requests go to that address instead."""
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    if settings.VENUE.url:
        session.mount("https://", _Refusing())
        session.mount("http://", _Refusing())
        session.mount(production_url, _Rewriting(target=settings.VENUE.url))
    else:
        session.mount("https://", _Transport())
    return session
