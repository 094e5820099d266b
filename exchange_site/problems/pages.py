"""A page for each code of a problem, and one that lists them. They are for people; programs decide by the code."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from exchange_site.api.problems import ALL_KINDS
from exchange_site.pages import show_page
from exchange_site.problems.operations import Operation, operations_by_code
from exchange_site.problems.words import WORDS
from exchange_site.problems.words.form import Words
from wallets.web.media_types import preferred_or_none, vary_by_type
from wallets.web.problems import NOT_FOUND, PROBLEM_JSON, ProblemKind, answer_problem, example_problem

_HOUR: Final = 3600
_HTML: Final = "text/html"


@dataclass(frozen=True, kw_only=True)
class Example:
    """A kind of problem with a code: a code may have several statuses. `body` is its answer, as JSON."""

    kind: ProblemKind
    reason: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the page about a code shows."""

    code: str
    title: str
    words: Words
    examples: tuple[Example, ...]
    operations: tuple[Operation, ...]

    @property
    def statuses(self) -> list[int]:
        """The statuses with which the code is answered, each once."""
        return sorted({example.kind.status for example in self.examples})


class PageOfNothing(HttpResponse):
    """A page that says that there is no such page, for people. Programs get a problem."""

    status_code = 404


@require_safe
@cache_control(public=True, max_age=_HOUR)
def all_problems(request: HttpRequest) -> HttpResponse:
    """List all codes."""
    return show_page(request, "problems", entries=entries().values())


@require_safe
def one_problem(request: HttpRequest, code: str) -> HttpResponse:
    """Show what a code means and what to do."""
    entry = entries().get(code)
    if entry is None:
        return _no_page(request)
    return _page(request, entry)


@cache_control(public=True, max_age=_HOUR)
def _page(request: HttpRequest, entry: Entry) -> HttpResponse:
    return show_page(request, "problem", entry=entry)


def _no_page(request: HttpRequest) -> HttpResponse:
    """Answer an unknown code: with a page to whoever prefers pages, and else with a problem."""
    if preferred_or_none(request, offered=[PROBLEM_JSON, _HTML]) == _HTML:
        answer: HttpResponse = PageOfNothing(show_page(request, "no_problem").content)
    else:
        answer = answer_problem(NOT_FOUND)
    vary_by_type(answer)
    return answer


@cache
def entries() -> Mapping[str, Entry]:
    """Return what the page about each code shows, by code: first refusals, in the order of their statuses."""
    kinds: dict[str, list[ProblemKind]] = {}
    for kind in sorted(ALL_KINDS, key=lambda kind: (kind.status, kind.code)):
        kinds.setdefault(kind.code, []).append(kind)
    return {code: _entry(code, of_code) for code, of_code in kinds.items()}


def _entry(code: str, kinds: list[ProblemKind]) -> Entry:
    return Entry(
        code=code,
        title=kinds[0].title,
        words=WORDS[code],
        examples=tuple(_example(kind) for kind in kinds),
        operations=operations_by_code().get(code, ()),
    )


def _example(kind: ProblemKind) -> Example:
    body = json.dumps(example_problem(kind), indent=2)
    return Example(kind=kind, reason=HTTPStatus(kind.status).phrase, body=body)
