"""A real server between a worker and the simulator, whose answers drip, never end, are far too large, or are false."""

import gzip
import json
import threading
import time
import urllib.error
import urllib.request
import zlib
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What the worker asks for, by method and path.
CALLS = {
    "place": ("POST", "/api/v3/order"),
    "query": ("GET", "/api/v3/order"),
    "trades": ("GET", "/api/v3/myTrades"),
    "ticker": ("GET", "/api/v3/ticker"),
    "markets": ("GET", "/api/v3/exchangeInfo"),
    "time": ("GET", "/api/v3/time"),
    "account": ("GET", "/api/v3/account"),
    "orders": ("GET", "/api/v3/allOrders"),
    "trades of Kraken": ("POST", "/0/private/QueryTrades"),
}
HUGE = 100 * 1024 * 1024
_PIECE = b" " * 65536


class SlowVenue:
    """Passes requests on to the simulator, and spoils the answers that a rule names."""

    def __init__(self, target):
        self.target, self.rules, self.answering = target, [], 0
        self.served = []
        self._moments = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def spoil(self, call, how, *, symbol=None, times=None, status=200, headers=()):
        """Answer such calls in the way `how`: a name of a method of _Spoiler, or a function that changes the answer."""
        self.rules.append([CALLS[call], how, symbol, times, status, dict(headers)])

    def before(self, call, act, *, symbol):
        """Call `act` once, just before the next such call is passed on."""
        self._moments[CALLS[call], symbol] = act

    def heal(self, *, symbol=None):
        """End the rules of a symbol, or all rules, and then also the answers that are under way: they are cut."""
        self.rules = [rule for rule in self.rules if symbol is not None and rule[2] != symbol]

    def find_moment(self, method, path):
        """Return what has to happen before such a call, if anything, and forget it."""
        with self._lock:
            for (wanted, prefix), symbol in self._moments:
                if method == wanted and path.partition("?")[0] == prefix and f"symbol={symbol}" in path:
                    return self._moments.pop(((wanted, prefix), symbol))
        return None

    def find_rule(self, method, path):
        with self._lock:
            for rule in self.rules:
                (wanted, prefix), _, symbol, times, *_ = rule
                bare = path.partition("?")[0]
                is_named = bare == prefix or (prefix.endswith("ticker") and bare.startswith(prefix))
                if method == wanted and is_named and (symbol is None or f"symbol={symbol}" in path) and times != 0:
                    rule[3] = None if times is None else times - 1
                    return rule
        return None

    @contextmanager
    def counted(self):
        with self._lock:
            self.answering += 1
        try:
            yield
        finally:
            with self._lock:
                self.answering -= 1

    def close(self):
        self.heal()
        self._server.shutdown()
        self._server.server_close()


def _handler_of(venue):
    class Handler(_Spoiler):
        slow = venue

    return Handler


class _Spoiler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    slow = None

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path + ("&" if "?" in self.path else "?") + body.decode()
        rule = self.slow.find_rule(self.command, path)
        self.slow.served.append((self.command, path))
        if (act := self.slow.find_moment(self.command, path)) is not None:
            act()
        status, headers, content = self._ask(body)
        if rule is None:
            self._answer(status, {**headers, "Content-Length": str(len(content))}, content)
            return
        _, how, _, _, changed, added = rule
        if callable(how):
            content = json.dumps(how(json.loads(content))).encode()
            how = "whole"
        with self.slow.counted(), suppress(OSError):
            getattr(self, f"_{how}")(status if changed == 200 else changed, {**headers, **added}, content)
        self.close_connection = True

    do_POST = do_GET  # noqa: N815  the names that http.server calls

    def _ask(self, body):
        signed = ("X-MBX-APIKEY", "API-Key", "API-Sign", "Content-Type")
        headers = {name: self.headers[name] for name in signed if name in self.headers}
        asked = urllib.request.Request(  # noqa: S310  the simulator
            self.slow.target + self.path, data=body or None, headers=headers, method=self.command
        )
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310  the simulator
                return answer.status, {"Content-Type": "application/json"}, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, {"Content-Type": "application/json"}, error.read()

    def _answer(self, status, headers, content=b""):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _whole(self, status, headers, content):
        self._answer(status, {**headers, "Content-Length": str(len(content))}, content)

    def _drip(self, status, headers, content):
        self._answer(status, {**headers, "Content-Length": str(len(content) + 600)})
        self._drip_bytes(b" " * 600)

    def _drip_headers(self, status, headers, content):
        self._drip_bytes(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 600)

    def _drip_trailers(self, status, headers, content):
        self._answer(status, {**headers, "Transfer-Encoding": "chunked"})
        self.wfile.write(b"%x\r\n%s\r\n0\r\n" % (len(content), content))
        self._drip_bytes(b"X-Trailer: 1\r\n" * 100)

    def _drip_informations(self, status, headers, content):
        for _ in range(600):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._wait()

    def _silence(self, status, headers, content):
        self._drip_bytes(b"", then=60)

    def _drip_bytes(self, data, *, then=0):
        for byte in data:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            self._wait()
        for _ in range(then):
            self._wait()

    def _wait(self):
        """Wait a second; raise when the rules have ended."""
        until = time.monotonic() + 1
        while time.monotonic() < until:
            if not self.slow.rules:
                raise ConnectionAbortedError
            time.sleep(0.02)

    def _huge(self, status, headers, content):
        self._answer(status, {**headers, "Content-Length": str(HUGE)})
        self._pour(HUGE)

    def _huge_in_chunks(self, status, headers, content):
        self._answer(status, {**headers, "Transfer-Encoding": "chunked"})
        for _ in range(HUGE // len(_PIECE)):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(_PIECE), _PIECE))
        self.wfile.write(b"0\r\n\r\n")

    def _huge_line(self, status, headers, content):
        self._answer(status, {**headers, "Transfer-Encoding": "chunked"})
        self._pour(HUGE, b"0" * 65536)

    def _bomb(self, status, headers, content):
        self._whole(status, {**headers, "Content-Encoding": "gzip"}, BOMB)

    def _double_bomb(self, status, headers, content):
        self._whole(status, {**headers, "Content-Encoding": "gzip, gzip"}, DOUBLE_BOMB)

    def _cut_gzip(self, status, headers, content):
        self._whole(status, {**headers, "Content-Encoding": "gzip"}, gzip.compress(content)[:-9])

    def _gzip(self, status, headers, content):
        self._whole(status, {**headers, "Content-Encoding": "gzip"}, gzip.compress(content))

    def _two_members(self, status, headers, content):
        half = len(content) // 2
        both = gzip.compress(content[:half]) + gzip.compress(content[half:])
        self._whole(status, {**headers, "Content-Encoding": "gzip"}, both)

    def _endless_headers(self, status, headers, content):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while self.slow.rules:
            self.wfile.write(b"X-More: " + b"a" * 60000 + b"\r\n")

    def _endless_trailers(self, status, headers, content):
        self._answer(status, {**headers, "Transfer-Encoding": "chunked"})
        self.wfile.write(b"%x\r\n%s\r\n0\r\n" % (len(content), content))
        while self.slow.rules:
            self.wfile.write(b"X-More: " + b"a" * 60000 + b"\r\n")

    def _redirect(self, status, headers, content):
        self._answer(302, {"Location": f"{self.slow.url}/elsewhere", "Content-Length": "0"})
        time.sleep(0.3)  # then the connection ends without a word: a request that came meanwhile gets no answer

    def _pour(self, count, piece=_PIECE):
        for _ in range(count // len(piece)):
            self.wfile.write(piece)

    def log_message(self, *_):
        pass


def _make_bomb():
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([packer.compress(_PIECE) for _ in range(HUGE // len(_PIECE))]) + packer.flush()


BOMB = _make_bomb()
DOUBLE_BOMB = gzip.compress(BOMB)
EVERY_WAY = (
    "drip",
    "drip_headers",
    "drip_trailers",
    "drip_informations",
    "silence",
    "huge",
    "huge_in_chunks",
    "huge_line",
    "bomb",
    "double_bomb",
    "cut_gzip",
    "endless_headers",
    "endless_trailers",
    "redirect",
)
