"""The to-do page of the admin."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from exchange_site.admin.to_do_words import WORDS, Words
from settlement.to_do.concerns import MAX_PER_KIND, Concern, ConcernKind, Target
from settlement.to_do.readers import list_to_do
from wallets.models import User
from wallets.runtime import clock
from wallets.usernames import spell_out


@dataclass(frozen=True, kw_only=True)
class _Row:
    subject: str
    link: str
    since: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """The entries of one kind. `is_cut` says that there may be more than `rows` holds."""

    kind: str
    words: Words
    rows: list[_Row]
    count: int
    is_cut: bool


def can_view(user: User | AnonymousUser) -> bool:
    """Say whether the user may see the to-do page. Each row is shown to those who may see its subject."""
    return user.is_active and user.is_staff


@require_safe
def to_do(request: HttpRequest) -> HttpResponse:
    """Show the entries that wait for staff, by kind, with links to the records."""
    if not can_view(request.user):
        raise PermissionDenied
    now = clock.now()
    groups = list(_group(list_to_do(now=now), user=request.user))
    context = {**admin.site.each_context(request), "title": "To do", "groups": groups, "now": now}
    return TemplateResponse(request, "exchange_site/to_do.html", context)


def summarise_to_do(*, user: User | AnonymousUser) -> list[Group] | None:
    """Return the to-do page's groups for the admin's start page, or None if the user may not see them."""
    return list(_group(list_to_do(now=clock.now()), user=user)) if can_view(user) else None


def _group(concerns: list[Concern], *, user: User | AnonymousUser) -> Iterable[Group]:
    seen = [concern for concern in concerns if _may_see(concern.target, user=user)]
    for kind, found in groupby(seen, key=lambda concern: concern.kind):
        rows = list(found)
        yield Group(
            kind=kind.value,
            words=WORDS[kind],
            rows=[
                _Row(subject=row.subject, link=_link(row.target), since=row.since, reason=_reason(row)) for row in rows
            ],
            count=sum(row.count for row in rows),
            is_cut=len(rows) >= MAX_PER_KIND,
        )


def _reason(concern: Concern) -> str:
    """Return why a record waits; of a username also the characters that make it look like another one."""
    spelt = spell_out(concern.subject) if concern.kind is ConcernKind.NAME else ""
    return f"{concern.reason}, but with {spelt}" if spelt else concern.reason


def _may_see(target: Target | None, *, user: User | AnonymousUser) -> bool:
    """Say whether a row is for the user, who may see its record. Everybody sees break-glass requests."""
    if target is None:
        return user.has_perm("settlement.view_batch")
    if target.model == "wallets_breakglass":
        return True
    app, _, model = target.model.partition("_")
    return user.has_perm(f"{app}.view_{model}") or user.has_perm(f"{app}.change_{model}")


def _link(target: Target | None) -> str:
    """Return the URL of the record or list, or an empty string if there is none."""
    if target is None:
        return ""
    if target.filters:
        return f"{reverse(f'admin:{target.model}_changelist')}?{urlencode(target.filters)}"
    return reverse(f"admin:{target.model}_change", args=[target.pk])
