"""Gives somebody the powers of a superuser from a server, after a delay, when too few superusers are left to do it.

All staff are told, and those who were staff until lately, because one person can take the powers of all others. Any
member of staff can revoke it. The row of the request is the record.
"""

import logging
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from wallets.exceptions import BreakGlassRefused, ProposalClosed
from wallets.models import BreakGlass, BreakGlassOutcome, User
from wallets.runtime.clock import database_now
from wallets.runtime.conflicts import retried_on_conflict
from wallets.selectors.staff import list_able_superusers, list_staff, list_told
from wallets.services.credentials import send_reset
from wallets.services.mail_texts import MailKind
from wallets.services.mailing import is_mail_sent, mail_later
from wallets.services.security_log import read_powers, record_power_changes
from wallets.services.staff import ENOUGH_SUPERUSERS, ensure_fit_for_staff

_TOLD_AFTER_POWERS: Final = timedelta(days=30)
"""How long somebody whose powers were taken is told of requests: the security log is kept that long at least."""

logger = logging.getLogger(__name__)


@retried_on_conflict
@transaction.atomic(durable=True)
def break_glass(*, user: User, reason: str, asked_from: str) -> BreakGlass:
    """Ask for the powers of a superuser, or let a request whose delay is over take effect; see its `outcome`.

    A request that nobody comes back to within PROPOSAL_HOURS after its delay lapses, and a new one begins. Raises
    BreakGlassRefused, NotFitForStaff.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    _ensure_needed(user)
    ensure_fit_for_staff(user=user)
    waiting = BreakGlass.objects.filter(user=user, outcome=None).first()
    now = database_now()
    if waiting and waiting.ready_at + settings.PROPOSALS.valid_for <= now:
        _end(waiting, BreakGlassOutcome.LAPSED)
        waiting = None
    if waiting is None:
        return _ask(user, reason, asked_from, now=now)
    if waiting.ready_at <= now:
        _give_powers(user)
        _end(waiting, BreakGlassOutcome.DONE)
        _tell_staff(MailKind.BREAK_GLASS_DONE, name=user.get_username())
    return waiting


@transaction.atomic
def revoke(*, request_id: int, revoked_by: User, note: str) -> BreakGlass:
    """End a request without an effect. Any active member of staff may. Raises BreakGlassRefused, ProposalClosed."""
    if not list_staff().filter(pk=revoked_by.pk).exists():
        raise BreakGlassRefused("Only active staff revoke a request.")
    request = BreakGlass.objects.select_for_update(no_key=True, of=("self",)).filter(pk=request_id).first()
    if request is None or request.outcome is not None:
        raise ProposalClosed
    _end(request, BreakGlassOutcome.REVOKED, ended_by=revoked_by, note=note[:500])
    return request


def _ensure_needed(user: User) -> None:
    able = list_able_superusers()
    if able.count() >= ENOUGH_SUPERUSERS:
        raise BreakGlassRefused("Two superusers can sign in. They give powers, in the admin.")
    if able.filter(pk=user.pk).exists():
        raise BreakGlassRefused(f"{user} is a superuser who can sign in.")
    if not user.is_active:
        raise BreakGlassRefused(f"{user} is disabled.")


def _ask(user: User, reason: str, asked_from: str, *, now: datetime) -> BreakGlass:
    request = BreakGlass(
        user=user,
        reason=reason[:500],
        asked_from=asked_from[:200],
        ready_at=now + settings.PROPOSALS.break_glass_delay,
    )
    request.save()
    logger.critical("%s asks for the powers of a superuser, from %s: %s", user, asked_from, reason)
    at = f"{request.ready_at:%Y-%m-%d %H:%M} UTC"
    _tell_staff(MailKind.BREAK_GLASS, name=user.get_username(), at=at, reason=reason)
    return request


def _give_powers(user: User) -> None:
    before = read_powers(user)
    user.is_staff = user.is_superuser = True
    user.save(update_fields=["is_staff", "is_superuser"])
    record_power_changes(user=user, before=before)
    logger.critical("%s is a superuser by a break-glass request", user)
    if is_mail_sent():
        send_reset(user=user)


def _tell_staff(kind: MailKind, **details: str) -> None:
    for person in list_told(since=database_now() - _TOLD_AFTER_POWERS):
        mail_later(kind, to=person.mail_address, user_id=person.pk, **details)


def _end(request: BreakGlass, outcome: BreakGlassOutcome, **more: Any) -> None:
    """End the request, by a statement that the database dates and checks."""
    BreakGlass.objects.filter(pk=request.pk).update(outcome=outcome.value, **more)
    request.refresh_from_db()
    logger.critical("%s: %s", request, request.get_outcome_display())
