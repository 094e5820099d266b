"""The caller's sign-ins over HTTP."""

from dataclasses import asdict
from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from wallets.exceptions import Busy, NotFound
from wallets.problems import answers
from wallets.runtime import clock
from wallets.schemas.accounts import SessionAnswer
from wallets.selectors.sessions import list_sessions
from wallets.services import tokens
from wallets.web.callers import FreshAccessToken, caller
from wallets.web.lists import FormQuery, ListOf
from wallets.web.problems import SIGNED_IN

sessions_router = Router(tags=["accounts"])

_SESSIONS: Final = ListOf(SessionAnswer)


@sessions_router.get(
    "sessions/",
    auth=FreshAccessToken(),
    operation_id="listSessions",
    summary="List the sign-ins",
    **answers({200: _SESSIONS.schema}, *SIGNED_IN),
)
def sessions(request: HttpRequest, response: HttpResponse, query: Query[FormQuery]) -> HttpResponse:
    """Returns where the caller is signed in, at most 200 sign-ins; those that were used last come first."""
    found = list_sessions(principal=caller(request), now=clock.now())
    rows = ({**asdict(session), "current": session.is_current} for session in found)
    return _SESSIONS.answer(response, rows, query=query)


@sessions_router.delete(
    "sessions/{uuid:session_id}/",
    auth=FreshAccessToken(),
    operation_id="endSession",
    summary="End a sign-in",
    **answers({204: None}, *SIGNED_IN, NotFound, Busy),
)
def end_session(request: HttpRequest, session_id: UUID) -> Status[None]:
    """Ends a sign-in with its access tokens at once, on whatever device; also the one that asks."""
    tokens.end_session(family_id=session_id, user_id=caller(request).user_id, now=clock.now())
    return Status(204, None)
