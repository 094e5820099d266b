"""A plain client of Kraken's spot REST API, written after its documentation alone."""

import base64
import hashlib
import hmac
import threading
import time
from urllib.parse import urlencode

import httpx

from exchange_site.simulator import DEFAULT_API_KEY
from exchange_site.simulator.kraken import DEFAULT_API_SECRET


class Kraken:
    """Signs requests with a nonce that grows. Threads may share it: a request is signed and sent before the next one."""

    def __init__(self, url, *, key=DEFAULT_API_KEY, secret=DEFAULT_API_SECRET):
        self.url, self.key, self.secret = url, key, secret
        self._last, self._lock = 0, threading.Lock()

    def public(self, method, **parameters):
        """Return the result of a public question, or the list of its errors."""
        return unpacked(httpx.get(f"{self.url}/0/public/{method}", params=parameters, timeout=5))

    def private(self, method, **parameters):
        """Return the result of a signed request, or the list of its errors."""
        with self._lock:
            return unpacked(self.send(method, **parameters))

    def send(self, method, *, nonce=None, sign=None, headers=None, body=None, **parameters):
        """Send a signed request, and return the HTTP answer. `nonce`, `sign`, `headers` and `body` may be wrong."""
        nonce = self._next_nonce() if nonce is None else nonce
        path, body = f"/0/private/{method}", body or urlencode({"nonce": nonce, **parameters})
        sign = sign or self.sign(path, nonce=nonce, body=body)
        content = {"Content-Type": "application/x-www-form-urlencoded", "API-Key": self.key, "API-Sign": sign}
        return httpx.post(f"{self.url}{path}", content=body, headers={**content, **(headers or {})}, timeout=5)

    def _next_nonce(self):
        self._last = max(self._last + 1, time.time_ns())
        return self._last

    def sign(self, path, *, nonce, body):
        """Return a signature as "Spot REST Authentication" has it."""
        message = path.encode() + hashlib.sha256(f"{nonce}{body}".encode()).digest()
        return base64.b64encode(hmac.new(base64.b64decode(self.secret), message, hashlib.sha512).digest()).decode()


def unpacked(answer):
    assert answer.status_code == 200, answer.text
    said = answer.json()
    return said["result"] if said["error"] == [] else said["error"]
