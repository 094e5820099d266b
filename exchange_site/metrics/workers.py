"""Serve /metrics from a worker, which is not a web server."""

from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.db import connection
from prometheus_client.exposition import ThreadingWSGIServer

from exchange_site.metrics.endpoint import may_read, render


def serve_metrics(*, port: int) -> None:
    """Answer /metrics from threads of this process, one a connection: a stalled client does not block the others.

    Ends the process with a sentence if it cannot listen on the port.
    """
    try:
        server = make_server("", port, _answer, server_class=ThreadingWSGIServer, handler_class=_Silent)
    except OSError as error:
        raise SystemExit(f"The worker cannot serve metrics on port {port}: {error}") from error
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def _answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if not may_read(environ):
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b""]
    try:
        body, content_type = render(environ.get("HTTP_ACCEPT", ""))
    finally:
        connection.close()
    start_response("200 OK", [("Content-Type", content_type)])
    return [body]


class _Silent(WSGIRequestHandler):
    timeout = 5

    def log_message(self, *_: Any) -> None:
        """Log nothing, because a line for every scrape would be useless."""
