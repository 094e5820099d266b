"""Make calls of the table with a plain HTTP client, as Binance's documentation shows it with curl."""

import hashlib
import hmac
import time
from urllib.parse import urlencode

import httpx


def make_call(venue, call, *, key, secret):
    """Make a call, and return its status, body, and code of an error."""
    given = dict(call["send"])
    headers = {}
    if call["signed"]:
        given["timestamp"] = int(time.time() * 1000)
        headers["X-MBX-APIKEY"] = call.get("key", key)
    query = urlencode(given)
    if call["signed"]:
        signature = hmac.new(call.get("secret", secret).encode(), query.encode(), hashlib.sha256)
        query += f"&signature={signature.hexdigest()}"
    answer = httpx.request(call["method"], f"{venue}/api/v3/{call['path']}?{query}", headers=headers, timeout=10)
    body = answer.json()
    return {"status": answer.status_code, "body": body, "code": body.get("code") if answer.is_error else None}
