"""The to-do page of the admin."""

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
from django.views.decorators.http import require_safe

from settlement.to_do.concerns import MAX_PER_KIND, Concern, ConcernKind, Target
from settlement.to_do.readers import list_to_do
from wallets.models import User
from wallets.runtime import clock
from wallets.usernames import spell_out


@dataclass(frozen=True, kw_only=True)
class _Words:
    """The title of a kind of entry, its urgency (a style of records.css), and advice for staff."""

    title: str
    urgency: str
    advice: str


_WORDS: Final = {
    ConcernKind.BREAK_GLASS: _Words(
        title="Somebody on the server asks for the powers of a superuser",
        urgency="urgent",
        advice="If you do not know of it, revoke it on the page of the request. Every member of staff can.",
    ),
    ConcernKind.DATABASE: _Words(
        title="The database may have forgotten purchases",
        urgency="urgent",
        advice=(
            "Nothing is bought, and orders wait. After a restore or a failover that lost something, run"
            " `manage.py after_restore`. It says what it did."
        ),
    ),
    ConcernKind.PARKED: _Words(
        title="Parked batches",
        urgency="urgent",
        advice=(
            "See the reason, and compare the venue's own pages. Then, on the batch's page, look the purchase up again,"
            " mark it, buy again, or refund."
        ),
    ),
    ConcernKind.UNKNOWN: _Words(
        title="Purchases without an answer",
        urgency="urgent",
        advice="Look for the client order id at the venue, then mark the attempt as filled or as not placed.",
    ),
    ConcernKind.FINDING: _Words(
        title="Findings",
        urgency="urgent",
        advice=(
            "Our books contradict the venue's, or themselves. Each row says the next step. A finding closes by itself"
            " once the contradiction is gone; else staff close it, or decide about an unknown order, with a note."
        ),
    ),
    ConcernKind.OPENING: _Words(
        title="Balances that are not compared yet",
        urgency="notice",
        advice=(
            "The comparison begins with an opening: what the account at the venue held besides our purchases. Compare"
            " the reading with the venue's own page, then book its opening, on the page of the reading."
        ),
    ),
    ConcernKind.SETTLING: _Words(
        title="Orders that take long to settle",
        urgency="late",
        advice="The attempts of their batch show the reason.",
    ),
    ConcernKind.WAITING: _Words(
        title="Batches that wait for a price",
        urgency="late",
        advice=(
            "They are tried again, less and less often, and refunded after `SETTLING_LIMIT_SECONDS`. If the venue's"
            " minimum or step is the reason, raise `TOP_UP_MAX` or the coin's own minimum."
        ),
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
    ConcernKind.FLOAT: _Words(
        title="A venue account that cannot pay",
        urgency="late",
        advice=(
            "Send funds to the account: the order is then bought first. Smaller orders are bought meanwhile, and"
            " customers may cancel orders that wait."
        ),
    ),
    ConcernKind.VENUE: _Words(title="Venues in use that nobody reads", urgency="late", advice="See each reason."),
    ConcernKind.HEADROOM: _Words(
        title="Sales that stop until purchases have caught up",
        urgency="late",
        advice=(
            "A fifth or less may still be sold of a limit, or of what the account at the venue can pay. Find out why"
            " purchases wait, send funds to the account, or set a higher sales limit. Then sales go on by themselves."
        ),
    ),
    ConcernKind.LOSS: _Words(
        title="The loss of today",
        urgency="urgent",
        advice=(
            "Find the reason: the venue's price, a fixed price that is too low, a wrong purchase. Then stop selling the"
            " coin, correct its price, or let sales go on, on the page of the stop."
        ),
    ),
    ConcernKind.PAUSE: _Words(
        title="Pauses in force",
        urgency="late",
        advice="Remove the cause: buying then resumes by itself. A pause that staff set ends when staff lift it.",
    ),
    ConcernKind.SUSPENDED: _Words(
        title="Coins that are not sold",
        urgency="late",
        advice=(
            "A price jumped: accept the suspect price, or set a fixed price. Up to `PRICE_DEVIATION_LIMIT` it is"
            " believed without you, once three readings and the second source agree."
            " Or there is no current price: stop selling a coin that the venue no longer trades, or set a fixed price."
        ),
    ),
    ConcernKind.JUMP: _Words(
        title="Prices that have jumped",
        urgency="notice",
        advice="Sales go on. Look at the readings of the suspension, and mark it as seen.",
    ),
    ConcernKind.FAILING: _Words(
        title="Work that keeps failing",
        urgency="late",
        advice="The worker's log has the error. It is tried again, less and less often; everything else goes on.",
    ),
    ConcernKind.INTERVENTION: _Words(
        title="Decisions that are not carried out",
        urgency="late",
        advice="A worker carries them out. Is a worker running?",
    ),
    ConcernKind.STATEMENT: _Words(
        title="Bank statements that are not credited",
        urgency="late",
        advice=(
            "Compare the statement with the bank's own page, then approve its proposal, or reject the statement on its"
            " page. Whoever imported it does not approve it. A worker credits what is approved: is one running?"
        ),
    ),
    ConcernKind.UNASSIGNED: _Words(
        title="Deposits of nobody",
        urgency="late",
        advice=(
            "Find out whose they are: ask the bank for the sender, and the customer for the transfer. Then assign the"
            " deposit on its page, or send it back."
        ),
    ),
    ConcernKind.PAYOUT_REQUEST: _Words(
        title="Payouts that wait for approval",
        urgency="late",
        advice="Approve or reject them on the page of the payout. Another member of staff confirms an approval.",
    ),
    ConcernKind.PAYOUT_EXPORT: _Words(
        title="Approved payouts that are not exported",
        urgency="late",
        advice=(
            "Run `manage.py export_payouts`: it says why one may not leave. If that stays so, reject the payout on its"
            " page, and its customer has the money again."
        ),
    ),
    ConcernKind.PAYOUT_ANSWER: _Words(
        title="Payouts that the bank has not answered",
        urgency="late",
        advice=(
            "Import the paying account's statements: a line that names the payout says what came of it. Or ask the"
            " bank, and mark the payout as paid, failed or returned on its page."
        ),
    ),
    ConcernKind.RETURN: _Words(
        title="Deposits that banks took back",
        urgency="urgent",
        advice=(
            "Look at the customer, who is frozen, and mark the return as seen. For a return without a deposit, compare"
            " the bank's page, and take the deposit back on the page of the return."
        ),
    ),
    ConcernKind.DEBT: _Words(
        title="Customers who owe",
        urgency="late",
        advice=(
            "What reaches their wallets pays it by itself. Otherwise take coins for it, or write it off, on the page of"
            " the debt."
        ),
    ),
    ConcernKind.HELD: _Words(title="Held orders", urgency="notice", advice="Release or refund them."),
    ConcernKind.PROPOSAL: _Words(
        title="Proposals that wait for a second person",
        urgency="notice",
        advice="Approve or reject them, on the page of the proposal. Their authors cannot; they can withdraw them.",
    ),
    ConcernKind.JOB: _Words(
        title="Failed jobs",
        urgency="notice",
        advice="The worker's log says why. No order is lost: the sweep starts the work again.",
    ),
    ConcernKind.NAME: _Words(
        title="Unclear usernames",
        urgency="notice",
        advice=(
            "From before the rules for names. Such a user signs in by the exact name only. If it is an impostor,"
            " disable the account; else agree on another name. Once the other name is gone, saving the user is enough."
        ),
    ),
}


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
    words: _Words
    rows: list[_Row]
    count: int
    is_cut: bool


def can_view(user: User | AnonymousUser) -> bool:
    """Say whether the user may see the to-do page."""
    return user.is_active and user.is_staff and user.has_perm("settlement.view_batch")


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
    for kind, found in groupby(concerns, key=lambda concern: concern.kind):
        rows = list(found)
        yield Group(
            kind=kind.value,
            words=_WORDS[kind],
            rows=[
                _Row(subject=row.subject, link=_link(row.target, user=user), since=row.since, reason=_reason(row))
                for row in rows
            ],
            count=sum(row.count for row in rows),
            is_cut=len(rows) >= MAX_PER_KIND,
        )


def _reason(concern: Concern) -> str:
    """Return why a record waits; of a username also the characters that make it look like another one."""
    spelt = spell_out(concern.subject) if concern.kind is ConcernKind.NAME else ""
    return f"{concern.reason}, but with {spelt}" if spelt else concern.reason


def _link(target: Target | None, *, user: User | AnonymousUser) -> str:
    """Return the URL of the record or list, or an empty string if there is none or the user may not see it."""
    if target is None:
        return ""
    app, _, model = target.model.partition("_")
    seen_by_all = target.model == "wallets_breakglass"
    if not (seen_by_all or user.has_perm(f"{app}.view_{model}") or user.has_perm(f"{app}.change_{model}")):
        return ""
    if target.filters:
        return f"{reverse(f'admin:{target.model}_changelist')}?{urlencode(target.filters)}"
    return reverse(f"admin:{target.model}_change", args=[target.pk])
