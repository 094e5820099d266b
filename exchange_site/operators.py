"""The operators' list as a page of the admin."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from settlement.to_do.concerns import MAX_PER_KIND, Concern, ConcernKind, Target
from settlement.to_do.readers import list_to_do
from wallets.models import User


@dataclass(frozen=True, kw_only=True)
class _Words:
    """What a kind is called, how pressing it is (see records.css), and what to do about it."""

    title: str
    urgency: str
    advice: str


_WORDS: Final = {
    ConcernKind.PARKED: _Words(
        title="Parked batches",
        urgency="urgent",
        advice="The reason says what stopped it. On its page: ask the exchange again, buy again, or refund.",
    ),
    ConcernKind.UNKNOWN: _Words(
        title="Purchases without an answer",
        urgency="urgent",
        advice="Look for the client order id at the exchange, then mark the attempt as filled or as not placed.",
    ),
    ConcernKind.FINDING: _Words(
        title="Findings",
        urgency="urgent",
        advice="Our books contradict the exchange's, or each other. Close what is dealt with, with a note.",
    ),
    ConcernKind.SETTLING: _Words(
        title="Orders that take long to settle",
        urgency="late",
        advice="Their batch's attempts say what they wait for.",
    ),
    ConcernKind.PENDING: _Words(
        title="Orders that nobody has claimed",
        urgency="late",
        advice="Is a worker running? Is buying paused, or another batch of the coin in doubt?",
    ),
    ConcernKind.POOL: _Words(
        title="Pools beyond their time",
        urgency="late",
        advice="Is a worker running? Is buying paused, or another batch of the coin in doubt?",
    ),
    ConcernKind.PAUSE: _Words(
        title="Pauses in force",
        urgency="late",
        advice="Mend what the reason names: buying goes on by itself. Staff's own pauses end when staff lift them.",
    ),
    ConcernKind.SUSPENDED: _Words(
        title="Suspended coins",
        urgency="late",
        advice="A reading jumped. Accept the doubted price, set a fixed one, or wait for readings that agree.",
    ),
    ConcernKind.INTERVENTION: _Words(
        title="Decisions that are not carried out",
        urgency="late",
        advice="A worker does that. Is one running?",
    ),
    ConcernKind.HELD: _Words(title="Held orders", urgency="notice", advice="Release or refund them."),
    ConcernKind.JOB: _Words(
        title="Failed jobs",
        urgency="notice",
        advice="The worker's log says why. Orders do not depend on it: the sweep starts what is lost.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class _Row:
    subject: str
    link: str
    since: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class _Group:
    kind: str
    words: _Words
    rows: list[_Row]
    count: int
    is_cut: bool


def can_view(user: User | AnonymousUser) -> bool:
    """Whether somebody may see the operators' list."""
    return user.is_active and user.is_staff and user.has_perm("settlement.view_batch")


@require_safe
def attention(request: HttpRequest) -> HttpResponse:
    """What waits for an operator, by kind, with links to the records."""
    if not can_view(request.user):
        raise PermissionDenied
    now = timezone.now()
    groups = list(_group(list_to_do(now=now), user=request.user))
    context = {**admin.site.each_context(request), "title": "To do", "groups": groups, "now": now}
    return TemplateResponse(request, "exchange_site/attention.html", context)


def _group(concerns: list[Concern], *, user: User | AnonymousUser) -> Iterable[_Group]:
    for kind, found in groupby(concerns, key=lambda concern: concern.kind):
        rows = list(found)
        yield _Group(
            kind=kind.value,
            words=_WORDS[kind],
            rows=[
                _Row(subject=row.subject, link=_link(row.target, user=user), since=row.since, reason=row.reason)
                for row in rows
            ],
            count=sum(row.count for row in rows),
            is_cut=len(rows) >= MAX_PER_KIND,
        )


def _link(target: Target, *, user: User | AnonymousUser) -> str:
    """The address of the record or list, empty for those who may not see it."""
    app, _, model = target.model.partition("_")
    if not (user.has_perm(f"{app}.view_{model}") or user.has_perm(f"{app}.change_{model}")):
        return ""
    if target.filters:
        return f"{reverse(f'admin:{target.model}_changelist')}?{urlencode(target.filters)}"
    return reverse(f"admin:{target.model}_change", args=[target.pk])


def summarise(*, user: User | AnonymousUser) -> list[_Group] | None:
    """The groups of the list for a page that links to it; None for those who may not see it."""
    return list(_group(list_to_do(now=timezone.now()), user=user)) if can_view(user) else None
