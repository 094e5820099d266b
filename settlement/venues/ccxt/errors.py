"""Read ccxt's exceptions: the venue's own error answer, and the verdict on a failed request to buy."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import localcontext

import ccxt
import urllib3.exceptions
from requests import ConnectionError as RequestsConnectionError
from requests import ConnectTimeout, HTTPError

from settlement.told import printable
from settlement.venues.profiles.profile import VenueProfile, judge_rate_limit
from settlement.venues.protocol import NotPlaced, Trouble, Unknown, VenueAnswer, VenueAway
from settlement.venues.transport import CutAnswer


@dataclass(frozen=True, kw_only=True)
class ErrorAnswer:
    """The venue's own error answer. `status` is None if the venue did not answer.

    Of an answer that is not whole, only status and headers are known. They may ask for a wait and prove nothing else.
    """

    status: int | None = None
    code: str = ""
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    is_whole: bool = True


@contextmanager
def questions() -> Iterator[None]:
    """Wrap requests that change nothing at the venue.

    Raises VenueAway for any error of ccxt's, and for an answer on which ccxt's parser fails.
    """
    try:
        with localcontext():
            yield
    except ccxt.BaseError as error:
        answer = read_error(error)
        wait = judge_rate_limit(status=answer.status, headers=answer.headers)
        raise VenueAway(_name(error, answer), retry_after_seconds=wait) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise VenueAway(f"an answer that cannot be read ({type(error).__name__})") from error


def judge_failure(error: Exception, *, profile: VenueProfile) -> VenueAnswer:
    """Return the answer that a failed purchase proves. Ignore a network error's text: it may contain the signature."""
    if _was_never_connected(error):
        return NotPlaced(reason="no connection", trouble=Trouble.COIN)
    answer = read_error(error)
    if answer.status is None or not answer.is_whole:
        wait = judge_rate_limit(status=answer.status, headers=answer.headers)
        return Unknown(reason=_name(error, answer), retry_after_seconds=wait)
    return profile.judge_refusal(status=answer.status, code=answer.code, message=answer.message, headers=answer.headers)


def read_error(error: BaseException) -> ErrorAnswer:
    """Return the venue's answer from which ccxt made the exception."""
    if isinstance(cut := error.__cause__, CutAnswer) and cut.response is not None:
        return ErrorAnswer(
            status=cut.response.status_code, message=str(cut), headers=dict(cut.response.headers), is_whole=False
        )
    http_error = error.__context__
    if not isinstance(http_error, HTTPError) or http_error.response is None:
        return ErrorAnswer()
    response = http_error.response
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    return ErrorAnswer(
        status=response.status_code,
        code=printable(str(body.get("code", ""))),
        message=printable(str(body.get("msg", ""))),
        headers=dict(response.headers),
    )


def _name(error: Exception, answer: ErrorAnswer) -> str:
    """Name an error without its text, which may contain the signature."""
    return f"{type(error).__name__} {answer.code} {answer.message}".strip()[:150]


def _was_never_connected(error: Exception) -> bool:
    """Say whether no connection was opened, so nothing was sent. ccxt uses the same class for a lost connection."""
    cause = error.__cause__
    if isinstance(cause, ConnectTimeout):
        return True
    reason = (
        getattr(cause.args[0], "reason", None) if isinstance(cause, RequestsConnectionError) and cause.args else None
    )
    return isinstance(reason, urllib3.exceptions.NewConnectionError)
