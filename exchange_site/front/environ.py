"""The request as Django expects it: the environ of WSGI (PEP 3333), without the process's own environment."""

import sys
from io import BytesIO
from typing import Any, Final

from exchange_site.front.arrivals import Arrival
from exchange_site.front.callers import split_address
from wallets.web.waiting_answers import WAITED

_FIXED: Final[dict[str, Any]] = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}
_UNPREFIXED: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_names: Final[dict[str, str]] = {}
_MOST_NAMES: Final = 500


def make_environ(arrival: Arrival) -> dict[str, Any]:
    """Return the environ of a request whose whole body is here."""
    scope = arrival.scope
    host, port = split_address(scope.server)
    environ = {
        **_FIXED,
        "REQUEST_METHOD": arrival.method,
        "PATH_INFO": _by_bytes(scope.path),
        "QUERY_STRING": _by_bytes(scope.query_string),
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "REMOTE_ADDR": split_address(scope.client)[0],
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(arrival.body),
        "HTTP_HOST": scope.authority or "",
    }
    _add_headers(environ, scope.headers)
    if arrival.body or "CONTENT_LENGTH" in environ:
        environ["CONTENT_LENGTH"] = str(len(arrival.body))
    environ[WAITED] = arrival.waited
    if arrival.waited is not None:
        environ["HTTP_X_REQUEST_ID"] = arrival.waited["X-Request-ID"]
    return environ


def _by_bytes(text: str) -> str:
    """Return a text that Granian has decoded as WSGI wants it: one character for each byte."""
    return text if text.isascii() else text.encode().decode("latin-1")


def _add_headers(environ: dict[str, Any], headers: Any) -> None:
    given = headers.items()
    single = dict(given)
    if not len(given) == len(single) == len(headers):
        single = {name: _joined(headers, name) for name in headers.keys()}  # noqa: SIM118  Granian's, not a dict
    for name, value in single.items():
        if key := _names.get(name) or _key(name):
            environ[key] = value


def _joined(headers: Any, name: str) -> str:
    """Return all values of a header. Granian leaves out a value that is not ASCII: it counts as empty, not absent.

    With the blank, two idempotency keys are no key: a repetition that has lost one would have an effect of its own.
    """
    return ", ".join(headers.get_all(name))


def _key(name: str) -> str:
    """Return a header's name in the environ; none for one with an underscore, which could pass for another header."""
    if "_" in name:
        return ""
    key = _UNPREFIXED.get(name) or f"HTTP_{name.upper().replace('-', '_')}"
    if len(_names) < _MOST_NAMES:
        _names[name] = key
    return key
