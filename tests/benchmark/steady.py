"""Put a steady load on the API: a fixed number of orders at a fixed rate, whatever else the machine does.

wrk does not: it sends the next request when the last is answered, so its load follows the service's speed.
"""

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlsplit

from tests.benchmark.load import BenchmarkFailed

_CLIENTS: Final = 8
_CREATED: Final = 201
_TIMEOUT_SECONDS: Final = 30


def place_steadily(
    *, url: str, tokens: Sequence[str], body: str, orders: int, rate: float, scattered: bool = False
) -> float:
    """Place exactly `orders` orders, `rate` a second, for one customer after another, beginning with any.

    Scattered orders do not come at even intervals, each at a moment drawn by chance from its own interval, so that they
    do not keep time with what looks for them at even intervals.

    Returns the seconds that this took: more than orders / rate if the service did not keep up. Raises BenchmarkFailed
    at any error.
    """
    begun, first, over = time.monotonic(), random.randrange(len(tokens)), threading.Event()

    def keep_placing(client: int) -> None:
        with closing(HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT_SECONDS)) as connection:
            for number in range(client, orders, _CLIENTS):
                due = number + (random.random() if scattered else 0)
                if over.wait(max(0, begun + due / rate - time.monotonic())):
                    return
                _place(connection, token=tokens[(first + number) % len(tokens)], body=body)

    with ThreadPoolExecutor(_CLIENTS) as clients:
        try:
            list(clients.map(keep_placing, range(_CLIENTS)))
        finally:
            over.set()
    return time.monotonic() - begun


def _place(connection: HTTPConnection, *, token: str, body: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/api/v1/orders/", body=body, headers=headers)
        answer = connection.getresponse()
        text = answer.read()
    except (HTTPException, OSError) as error:
        raise BenchmarkFailed(f"an order was not answered: {error!r}") from error
    if answer.status != _CREATED:
        raise BenchmarkFailed(f"an order was refused: {answer.status} {text.decode()}")
