"""The venue's state, which all request handlers share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from exchange_site.simulator.book.matching import Book
from exchange_site.simulator.faults import Faults
from exchange_site.simulator.limits import Limits

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(kw_only=True)
class Venue:
    """The book, the faults and limits in force, and the credentials of the account."""

    book: Book
    faults: Faults
    api_key: str
    api_secret: str
    limits: Limits = field(default_factory=Limits)


VENUE: Final = web.AppKey("venue", Venue)
