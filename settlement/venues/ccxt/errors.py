"""Read ccxt's exceptions, which answer our questions about markets, prices and the time."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import localcontext

import ccxt
from requests import HTTPError

from settlement.told import printable
from settlement.venues.profiles.refusals import judge_rate_limit
from settlement.venues.protocol import VenueAway
from settlement.venues.transport import CutAnswer

_TOO_MANY = 429


@dataclass(frozen=True, kw_only=True)
class _ErrorAnswer:
    """The venue's own error answer. `status` is None if the venue did not answer."""

    status: int | None = None
    code: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def questions() -> Iterator[None]:
    """Wrap requests that change nothing at the venue.

    Raises VenueAway for any error of ccxt's, and for an answer on which ccxt's parser fails.
    """
    try:
        with localcontext():
            yield
    except ccxt.BaseError as error:
        answer = _read_error(error)
        wait = judge_rate_limit(status=answer.status, headers=answer.headers)
        if wait is None and isinstance(
            error, ccxt.DDoSProtection | ccxt.RateLimitExceeded
        ):  # some venues say so in a 200
            wait = judge_rate_limit(status=_TOO_MANY, headers=answer.headers)
        raise VenueAway(_name(error, answer), retry_after_seconds=wait) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise VenueAway(f"an answer that cannot be read ({type(error).__name__})") from error


def _read_error(error: BaseException) -> _ErrorAnswer:
    """Return the venue's answer from which ccxt made the exception.

    Of an answer that is not whole, only status and headers are known. They may ask for a wait.
    """
    if isinstance(cut := error.__cause__, CutAnswer) and cut.response is not None:
        return _ErrorAnswer(status=cut.response.status_code, message=str(cut), headers=cut.response.headers)
    http_error = error.__context__
    if not isinstance(http_error, HTTPError) or http_error.response is None:
        return _ErrorAnswer()
    response = http_error.response
    try:
        body = response.json()
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    return _ErrorAnswer(
        status=response.status_code,
        code=printable(str(body.get("code", ""))),
        message=printable(str(body.get("msg", ""))),
        headers=response.headers,
    )


def _name(error: Exception, answer: _ErrorAnswer) -> str:
    """Name an error without its text, which may contain the signature."""
    return f"{type(error).__name__} {answer.code} {answer.message}".strip()[:150]
