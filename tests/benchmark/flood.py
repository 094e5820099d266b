"""Measure a read while strangers sign in without a pause and honest customers sign in beside them, and while customers alone do."""

import json
import os
import resource
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

from tests.benchmark.load import BenchmarkFailed, Call, put_load

_STRANGERS: Final = 12
_ADDRESSES: Final = 4  # of the strangers
_HONEST: Final = 2
_TRIES: Final = 3
_PAUSE_SECONDS: Final = 0.5  # between the sign-ins of an honest client
_TIMEOUT_SECONDS: Final = 30
_LOGIN: Final = "/api/v1/accounts/auth/login/"

Client = Callable[[int, threading.Event], None]
"""A client, by its number, that works until the event is set."""


@dataclass(frozen=True, kw_only=True)
class Flood:
    """What became of the sign-ins."""

    checked_rate: float  # passwords checked a second
    busy_share: float  # of the strangers' attempts
    honest: int  # honest sign-ins
    served: int  # honest sign-ins that succeeded within three tries
    generator_share: float  # of all processors: what the benchmark itself used to put this load on the API


@dataclass(frozen=True, kw_only=True)
class SignIns:
    """Sign-ins that succeeded a second, and the share of the attempts that were refused as `busy`."""

    rate: float
    busy_share: float


def read_during_flood(
    *, call: Call, url: str, clients: int, seconds: float, username: str, password: str
) -> dict[str, Any]:
    """Put the load of `call` on the API while twelve connections sign in with unknown names, without any pause.

    They come from four addresses. Two honest clients sign in as `username`, who has signed in from this address before. They wait as long as
    Retry-After says. Returns the load of `call` and the flood.
    """
    strangers: Counter[int] = Counter()
    honest: Counter[bool] = Counter()
    _require(_signs_in(lambda: _sign_in_once(url, username=username, password=password)))

    def flood(number: int, over: threading.Event) -> None:
        with closing(_connect(url, address=f"127.0.5.{number % _ADDRESSES + 1}")) as connection:
            turn = 0
            while not over.is_set():
                turn += 1
                status, _ = _sign_in(connection, username=f"stranger-{number}-{turn}", password=password)
                strangers[status] += 1

    def be_honest(_: int, over: threading.Event) -> None:
        with closing(_connect(url)) as connection:
            while not over.is_set():
                honest[_signs_in(lambda: _sign_in(connection, username=username, password=password))] += 1
                over.wait(_PAUSE_SECONDS)

    used = _processor_seconds()
    with _beside((flood, _STRANGERS), (be_honest, _HONEST)) as lasted:
        load = put_load(call=call, url=url, clients=clients, seconds=seconds)
    used = _processor_seconds() - used
    _require(strangers.keys() <= {HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE})
    flood_found = Flood(
        checked_rate=(strangers[HTTPStatus.UNAUTHORIZED] + honest[True]) / lasted(),
        busy_share=strangers[HTTPStatus.SERVICE_UNAVAILABLE] / strangers.total(),
        honest=honest.total(),
        served=honest[True],
        generator_share=used / lasted() / (os.cpu_count() or 1),
    )
    return {**asdict(load), "flood": asdict(flood_found)}


def read_beside_sign_ins(
    *, call: Call, url: str, clients: int, seconds: float, usernames: Sequence[str], password: str
) -> dict[str, Any]:
    """Put the load of `call` on the API while each of the users signs in, again and again, with the right password.

    Each has an address of their own. They wait as long as Retry-After says. Returns the load of `call` and the sign-ins.
    """
    answers: Counter[int] = Counter()

    def keep_signing_in(number: int, over: threading.Event) -> None:
        with closing(_connect(url, address=f"127.0.6.{number + 1}")) as connection:
            while not over.is_set():
                status, retry_after = _sign_in(connection, username=usernames[number], password=password)
                answers[status] += 1
                over.wait(retry_after)

    with _beside((keep_signing_in, len(usernames))) as lasted:
        load = put_load(call=call, url=url, clients=clients, seconds=seconds)
    _require(answers.keys() <= {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE})
    sign_ins = SignIns(
        rate=answers[HTTPStatus.OK] / lasted(),
        busy_share=answers[HTTPStatus.SERVICE_UNAVAILABLE] / answers.total(),
    )
    return {**asdict(load), "sign_ins": asdict(sign_ins)}


@contextmanager
def _beside(*crowds: tuple[Client, int]) -> Iterator[Callable[[], float]]:
    """Let clients of each kind work in threads during the `with` block. Returns a function: the seconds that they worked.

    The end waits for their last answers. Raises what one of them has raised.
    """
    over, begun, ended = threading.Event(), time.monotonic(), 0.0
    with ThreadPoolExecutor(sum(count for _, count in crowds)) as pool:
        running = [pool.submit(client, number, over) for client, count in crowds for number in range(count)]
        try:
            yield lambda: ended - begun
        finally:
            over.set()
        for each in running:
            each.result()
    ended = time.monotonic()


def _signs_in(attempt: Callable[[], tuple[int, float]]) -> bool:
    """Try as an honest client does, and say whether one of three tries succeeds."""
    for _ in range(_TRIES):
        status, retry_after = attempt()
        if status == HTTPStatus.OK:
            return True
        _require(status == HTTPStatus.SERVICE_UNAVAILABLE)
        time.sleep(retry_after)
    return False


def _sign_in_once(url: str, *, username: str, password: str) -> tuple[int, float]:
    with closing(_connect(url)) as connection:
        return _sign_in(connection, username=username, password=password)


def _connect(url: str, *, address: str = "127.0.0.1") -> HTTPConnection:
    return HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT_SECONDS, source_address=(address, 0))


def _processor_seconds() -> float:
    """Return the processor time that this process and its ended children, such as wrk, have used."""
    used = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def _sign_in(connection: HTTPConnection, *, username: str, password: str) -> tuple[int, float]:
    """Return the status, and the seconds to wait before the next try."""
    body = json.dumps({"username": username, "password": password})
    try:
        connection.request("POST", _LOGIN, body=body, headers={"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (HTTPException, OSError) as error:
        raise BenchmarkFailed(f"a sign-in was not answered: {error!r}") from error
    return answer.status, float(answer.headers.get("Retry-After", 0))


def _require(expected: object) -> None:
    if not expected:
        raise BenchmarkFailed("sign-ins were answered in a way that means something else is wrong, or none in time")
