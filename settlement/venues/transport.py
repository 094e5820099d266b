"""The HTTP session under ccxt: our limits of time and size, no retries, no redirects.

If an address for the venue is configured, requests go there, and those to any host but the venue's are refused.
"""

import time
import zlib
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError as Urllib3Error
from urllib3.exceptions import ReadTimeoutError

from settlement.venues.deadlines import limits
from settlement.venues.handover import hold_back
from settlement.venues.timed import TIMED_POOLS, Clock, timed_by

_PIECE: Final = 64 * 1024
_COMPRESSED: Final = frozenset({"gzip", "x-gzip", "deflate"})
_NOT_COMPRESSED: Final = frozenset({"", "identity"})
_ANY_HEADER: Final = 32 + zlib.MAX_WBITS  # gzip's header or zlib's


class OtherHostRefused(requests.exceptions.InvalidURL):
    """Raised instead of sending a request to a host other than the configured venue's."""


class CutAnswer(requests.exceptions.RequestException):
    """The answer began and was not read to its end, so it proves nothing. `response` has its status and headers."""


class AnswerTooSlow(CutAnswer, requests.exceptions.ReadTimeout):
    """The answer did not end in time."""


class AnswerTooLarge(CutAnswer):
    """The answer is larger than an answer of its kind may be."""


class AnswerBroken(CutAnswer, requests.exceptions.ConnectionError):
    """The connection ended before the answer, or the answer is compressed in a way that cannot be read."""


class _Transport(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = TIMED_POOLS

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # passes everything on
        """Send a request, and return its answer with the whole body. Raises CutAnswer."""
        hold_back()  # until the connection is open, and takes the first byte
        request.headers["Accept-Encoding"] = "gzip"
        allowed = limits()
        connect, silence = settings.VENUE.connect_timeout_seconds, settings.VENUE.read_timeout_seconds
        clock = Clock(
            connected_by=time.monotonic() + connect,
            ends_at=allowed.answer_ends_at,
            silence_seconds=silence,
            bytes_at_most=allowed.bytes_at_most,
        )
        with timed_by(clock):
            response = super().send(request, **{**kwargs, "stream": True, "timeout": (connect, silence)})
            try:
                body = _read_body(response, bytes_at_most=allowed.bytes_at_most)
            except BaseException:
                response.close()
                raise
        # As `Response.content` does after it has read an answer.
        response._content, response._content_consumed = body, True  # type: ignore[attr-defined]  # noqa: SLF001
        if response.is_redirect:
            self.close()  # the connections: a proxy that redirects may end them without a word
        return response


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
        hold_back()
        raise OtherHostRefused(f"no request may go to {urlsplit(request.url or '').hostname}")


def open_public_session(*, url: str) -> requests.Session:
    """Open a session for the public prices of any venue. If `url` is not empty, all requests go to that address."""
    session = _open_session()
    session.mount("http://", _Refusing())
    session.mount("https://", _Rewriting(target=url) if url else _Transport())
    return session


def open_session(*, origin: str, url: str) -> requests.Session:
    """Open a session for the venue. If `url` is not empty, requests for `origin` go there, and others are refused."""
    session = _open_session()
    if url:
        session.mount("https://", _Refusing())
        session.mount("http://", _Refusing())
        session.mount(origin, _Rewriting(target=url))
    else:
        session.mount("https://", _Transport())
    return session


def _open_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    return session


def _read_body(response: requests.Response, *, bytes_at_most: int) -> bytes:
    """Read the body in pieces, and decompress it. Raises CutAnswer."""
    try:
        declared = response.headers.get("Content-Length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > bytes_at_most:
            raise AnswerTooLarge(f"the answer has {declared[:20]} bytes", response=response)
        body = _Body(response, bytes_at_most=bytes_at_most)
        while piece := response.raw.read(_PIECE, decode_content=False):
            body.add(piece)
        return body.whole()
    except (TimeoutError, ReadTimeoutError) as error:
        raise AnswerTooSlow("the answer did not end in time", response=response) from error
    except (Urllib3Error, OSError) as error:
        if isinstance(error, CutAnswer):
            raise
        raise AnswerBroken("the answer broke off", response=response) from error
    except zlib.error as error:
        raise AnswerBroken("the answer cannot be decompressed", response=response) from error


class _Body:
    """A body that grows piece by piece. A small piece may decompress to a thousand times its size, and is stopped."""

    def __init__(self, response: requests.Response, *, bytes_at_most: int) -> None:
        self._response, self._most = response, bytes_at_most
        self._bytes = bytearray()
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in _COMPRESSED | _NOT_COMPRESSED:
            raise AnswerBroken("an answer in an encoding that was not asked for", response=response)
        self._is_compressed = encoding in _COMPRESSED
        self._inflater = zlib.decompressobj(_ANY_HEADER)

    def add(self, piece: bytes) -> None:
        """Append a piece. Raises AnswerTooLarge, zlib.error."""
        is_full = False
        while self._is_compressed and (piece or is_full):
            if self._inflater.eof:  # the next member of several
                self._inflater = zlib.decompressobj(_ANY_HEADER)
            inflated = self._inflater.decompress(piece, _PIECE)
            self._append(inflated)
            piece = self._inflater.unconsumed_tail or self._inflater.unused_data
            is_full = len(inflated) == _PIECE and not self._inflater.eof  # zlib may hold more
        if not self._is_compressed:
            self._append(piece)

    def whole(self) -> bytes:
        """Return the body. Raises AnswerBroken if its compressed form broke off."""
        if self._is_compressed and self._bytes and not self._inflater.eof:
            raise AnswerBroken("the answer broke off", response=self._response)
        return bytes(self._bytes)

    def _append(self, piece: bytes) -> None:
        self._bytes += piece
        if len(self._bytes) > self._most:
            raise AnswerTooLarge(f"the answer has more than {self._most} bytes", response=self._response)
