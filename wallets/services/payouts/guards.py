"""Keeps payouts where they are while this database may have forgotten what was sent.

After a restore, a payout that was sent may look as if it was only asked for or approved, and another one may be gone.
The bank's statements since then show both. The money side knows no restores: settlement registers a reader, which
raises ExportRefused while it is in doubt, and then returns the moment that a statement of the paying account has to
reach beyond, if there is one.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.conf import settings

from wallets.exceptions import ExportRefused, PayoutInDoubt, StatementRefused
from wallets.models import Payout, Statement, StatementState
from wallets.selectors.statements import list_open_debits
from wallets.services.our_accounts import our_account

StatementsSince = Callable[[], datetime | None]

_readers: Final[list[StatementsSince]] = []


def register_reader(read: StatementsSince) -> None:
    """Ask `read` before each export. Each process registers it once, when Django loads the apps."""
    _readers.append(read)


def paying_account() -> str:
    """Return the name under which statements know the account that pays, or nothing if none is configured.

    Raises ExportRefused for an account that OUR_ACCOUNTS does not list.
    """
    given: str = settings.PAYOUTS.account
    try:
        return our_account(given) if given.strip() else ""
    except StatementRefused as error:
        raise ExportRefused(f"PAYOUT_ACCOUNT: {error}") from error


def ensure_all_is_known() -> None:
    """Raise ExportRefused while payouts may have been forgotten, or a debit names one of ours and fits none."""
    account = paying_account()
    for read in _readers:
        since = read()
        if since is not None and not _is_reached(account, since):
            raise ExportRefused(
                "The database was restored. First import and approve the statements of the paying account,"
                f" until one has a line of a day after {since.date()}: they show payouts that were forgotten."
            )
    if line := list_open_debits().exclude(end_to_end_id="").first():
        raise ExportRefused(
            f"{line} names a payout and fits none. See the to-do page: two persons decide about it first."
        )


def ensure_has_not_left(*, payout: Payout) -> None:
    """Raise PayoutInDoubt if the payout may have been sent, although this database does not know it."""
    if may_have_left(payout=payout):
        raise PayoutInDoubt


def may_have_left(*, payout: Payout) -> bool:
    """Say whether a payout may have been sent before the database was restored, so that it must not be given back.

    Without an account that pays nothing is ever sent.
    """
    try:
        account = paying_account()
        return bool(account) and any(_is_unread(account, read(), payout.created_at) for read in _readers)
    except ExportRefused:
        return True


def _is_unread(account: str, since: datetime | None, asked_at: datetime) -> bool:
    return since is not None and asked_at <= since and not _is_reached(account, since)


def _is_reached(account: str, moment: datetime) -> bool:
    credited = Statement.objects.filter(account=account, state=StatementState.CREDITED)
    return credited.filter(last_day__gt=moment.date()).exists()
