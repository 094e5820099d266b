"""Read ccxt's exceptions: the venue's own error answer, and the verdict on a failed request to buy."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import localcontext

import ccxt
import urllib3.exceptions
from requests import ConnectionError as RequestsConnectionError
from requests import ConnectTimeout, HTTPError

from settlement.venues.profiles.profile import VenueProfile, judge_rate_limit
from settlement.venues.protocol import NotPlaced, Trouble, Unknown, VenueAnswer, VenueAway


@dataclass(frozen=True, kw_only=True)
class ErrorAnswer:
    """The venue's own error answer. `status` is None if the venue did not answer."""

    status: int | None = None
    code: str = ""
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@contextmanager
def questions() -> Iterator[None]:
    """Wrap requests that change nothing at the venue. Raises VenueAway for any error of ccxt's."""
    try:
        with localcontext():
            yield
    except ccxt.BaseError as error:
        answer = read_error(error)
        wait = judge_rate_limit(status=answer.status, headers=answer.headers)
        raise VenueAway(type(error).__name__, retry_after_seconds=wait) from error


def judge_failure(error: Exception, *, profile: VenueProfile) -> VenueAnswer:
    """Return the answer that a failed purchase proves. Ignore a network error's text: it may contain the signature."""
    if _was_never_connected(error):
        return NotPlaced(reason="no connection", trouble=Trouble.COIN)
    answer = read_error(error)
    if answer.status is None:
        return Unknown(reason=type(error).__name__)
    return profile.judge_refusal(status=answer.status, code=answer.code, message=answer.message, headers=answer.headers)


def read_error(error: BaseException) -> ErrorAnswer:
    """Return the venue's answer from which ccxt made the exception."""
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
        code=str(body.get("code", "")),
        message=str(body.get("msg", "")),
        headers=dict(response.headers),
    )


def _was_never_connected(error: Exception) -> bool:
    """Say whether no connection was opened, so nothing was sent. ccxt uses the same class for a lost connection."""
    cause = error.__cause__
    if isinstance(cause, ConnectTimeout):
        return True
    reason = (
        getattr(cause.args[0], "reason", None) if isinstance(cause, RequestsConnectionError) and cause.args else None
    )
    return isinstance(reason, urllib3.exceptions.NewConnectionError)
