"""A constant load: a fixed number of orders at a fixed rate, however busy the machine is.

wrk is no use for this: it sends a request as soon as the last one is answered, so its rate follows the service's.
"""

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


def place_steadily(*, url: str, tokens: Sequence[str], body: str, orders: int, rate: float) -> float:
    """Place `orders` orders, `rate` a second, for all customers alternately. Raises BenchmarkFailed at any error.

    Return the seconds that this took: more than orders / rate if the service did not keep up.
    """
    begun = time.monotonic()

    def keep_placing(client: int) -> None:
        with closing(HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT_SECONDS)) as connection:
            for number in range(client, orders, _CLIENTS):
                time.sleep(max(0, begun + number / rate - time.monotonic()))
                _place(connection, token=tokens[number % len(tokens)], body=body)

    with ThreadPoolExecutor(_CLIENTS) as clients:
        list(clients.map(keep_placing, range(_CLIENTS)))
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
