"""A server that takes the place of an error tracker and of a collector of traces, over real HTTP."""

import gzip
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent. `dsn` and `endpoint` are the values of SENTRY_DSN and OTEL_EXPORTER_OTLP_ENDPOINT."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received = []
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.dsn, self.endpoint = self.base.replace("//", "//key@") + "/1", self.base

    def text(self):
        """Return all headers and bodies, as text."""
        return "\n".join(f"{path} {headers} {body.decode(errors='replace')}" for path, headers, body in self.received)

    def events(self):
        """Return the events of the tracker's envelopes: https://develop.sentry.dev/sdk/data-model/envelopes/"""
        return [event for path, _, body in self.received if path == "/api/1/envelope/" for event in _events_in(body)]

    def spans(self):
        """Return the spans, each with its name, ids and attributes."""
        bodies = [body for path, _, body in self.received if path == "/v1/traces"]
        return [span for body in bodies for span in _spans_in(body)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.received.append((self.path, dict(self.headers), body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def receiving():
    """Run a receiver for the `with` block."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        receiver.server_close()


def _events_in(body):
    _, *items = body.split(b"\n")
    return [json.loads(item) for header, item in zip(items[::2], items[1::2], strict=False) if b'"event"' in header]


def _spans_in(body):
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "name": span.name,
                    "trace": span.trace_id.hex(),
                    "id": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "error": span.status.code == 2,
                    "facts": {each.key: each.value.string_value or each.value.int_value for each in span.attributes},
                    "resource": {each.key: each.value.string_value for each in resource.resource.attributes},
                }
