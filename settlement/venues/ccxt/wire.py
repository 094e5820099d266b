"""Send a profile's calls, and return the venue's raw replies: signed by ccxt, and read by nobody in between.

A call that fails raises NothingSent if the request has not been handed to the network, and NoReply otherwise.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import requests
import urllib3.exceptions

from settlement.told import printable
from settlement.venues.ccxt.client import ensure_clock, forget_clock, numbered, signed_at, signed_with
from settlement.venues.ccxt.nonces import take_turn
from settlement.venues.ccxt.plain import read_answer
from settlement.venues.handover import hand_over, watch_handover
from settlement.venues.profiles.profile import VenueProfile
from settlement.venues.profiles.refusals import judge_rate_limit
from settlement.venues.profiles.words import Call, Declined, Reply
from settlement.venues.protocol import VenueAway
from settlement.venues.transport import CutAnswer

logger = logging.getLogger(__name__)

_SERVER_ERRORS: Final = 500
_REPEATS: Final = 4
"""A question whose growing number arrived out of order is asked so often in all."""


class NothingSent(Exception):
    """The request has not been handed to the network. `is_of_network`: no connection could be opened."""

    def __init__(self, reason: str, *, is_of_network: bool = False) -> None:
        super().__init__(reason)
        self.is_of_network = is_of_network


class NoReply(Exception):
    """The request may have arrived, and the answer is not whole. `retry_after_seconds`: what its status asks for."""

    def __init__(self, reason: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class CcxtWire:
    """`settlement.venues.profiles.words.Wire` over one ccxt client."""

    def __init__(self, client: Any, *, profile: VenueProfile) -> None:
        self._client = client
        self._profile = profile

    def send(self, call: Call, *, moment: datetime | None = None) -> Reply:
        """Send a call once, signed with exactly `moment` if there is one. Raises NothingSent, NoReply."""
        self._keep_pace(call)
        with self._turn() as number, watch_handover() as mark:
            try:
                request = self._sign(call, moment=moment, number=number)
            except Exception as error:  # for example a key that cannot be parsed
                raise NothingSent(f"the request cannot be made: {type(error).__name__}") from error
            try:
                hand_over()
                response = self._client.session.send(
                    request, allow_redirects=False, timeout=self._client.timeout / 1000
                )
            except Exception as error:
                if not mark.is_set or _was_never_connected(error):
                    raise NothingSent("no connection", is_of_network=True) from error
                raise _as_no_reply(error) from error
        return Reply(status=response.status_code, headers=response.headers, body=_body_of(response))

    def ask(self, call: Call) -> Any:
        """Ask a question, and return the JSON of a successful answer. Raises Declined, VenueAway."""
        if self._profile.dates_questions:
            ensure_clock(self._client)
        for _ in range(_REPEATS - 1):
            try:
                return self._ask_once(call)
            except Declined as error:
                if error.failure.code not in self._profile.stale_nonce:
                    raise
        return self._ask_once(call)

    def _ask_once(self, call: Call) -> Any:
        try:
            reply = self.send(call)
        except NothingSent as error:
            raise VenueAway(str(error)) from error
        except NoReply as error:
            raise VenueAway(str(error), retry_after_seconds=error.retry_after_seconds) from error
        return self._read(reply)

    def _read(self, reply: Reply) -> Any:
        failure, wait = self._profile.find_failure(reply), self._profile.judge_wait(reply)
        if failure is None and reply.status < _SERVER_ERRORS:
            if not isinstance(reply.body, dict | list):
                raise VenueAway("an answer that cannot be read", retry_after_seconds=wait)
            return reply.body
        if failure is None or reply.status >= _SERVER_ERRORS:
            raise VenueAway(f"status {reply.status}", retry_after_seconds=wait)
        if failure.code in self._profile.stale_clock:
            forget_clock(self._client)
        reason = printable(f"{reply.status} {failure.code} {failure.message}".strip()[:150])
        raise Declined(reason, failure=failure, retry_after_seconds=wait)

    def _keep_pace(self, call: Call) -> None:
        """Wait as ccxt does between the requests of one client, before the request takes its turn and its time."""
        if self._client.enableRateLimit:
            self._client.throttle(call.weight)
        self._client.set_last_rest_request_timestamp()

    @contextmanager
    def _turn(self) -> Iterator[int | None]:
        if not self._profile.growing_nonces:
            yield None
            return
        with take_turn(key=str(self._client.apiKey)) as number:
            yield number

    def _sign(self, call: Call, *, moment: datetime | None, number: int | None) -> requests.PreparedRequest:
        client = self._client
        with signed_at(client, moment), numbered(client, number), signed_with(client, call.options):
            signed = client.sign(call.path, list(call.section), call.method, dict(call.parameters))
        headers = client.prepare_request_headers(signed["headers"]) | dict(call.headers)
        client.session.cookies.clear()
        body = signed["body"].encode() if signed["body"] else None
        return client.session.prepare_request(  # type: ignore[no-any-return]  # ccxt's client has no types
            requests.Request(signed["method"], signed["url"], headers=headers, data=body)
        )


def _body_of(response: requests.Response) -> Any:
    """Return the answer's JSON, or None for what is none."""
    response.encoding = "utf-8"
    try:
        return read_answer(response.text.strip())
    except (RecursionError, ValueError):
        return None


def _as_no_reply(error: Exception) -> NoReply:
    """Name an error without its text, which may contain the signature."""
    response = error.response if isinstance(error, CutAnswer) else None
    if response is None:
        return NoReply(type(error).__name__)
    wait = judge_rate_limit(status=response.status_code, headers=response.headers)
    return NoReply(f"{type(error).__name__} {response.status_code}", retry_after_seconds=wait)


def _was_never_connected(error: Exception) -> bool:
    """Say whether no connection was opened, so nothing was sent. A lost connection is of the same class."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    is_of_connection = isinstance(error, requests.ConnectionError) and error.args
    reason = getattr(error.args[0], "reason", None) if is_of_connection else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError)
