"""Refuses exports while this database may have forgotten payouts that were sent.

After a restore, a payout that was sent may look as if it was only approved. The bank's statements since then show it.
The money side knows no restores: settlement registers a reader, which raises ExportRefused while it is in doubt, and
then returns the moment that a statement of the paying account has to reach beyond, if there is one.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from wallets.exceptions import ExportRefused
from wallets.models import Statement, StatementState

StatementsSince = Callable[[], datetime | None]

_readers: Final[list[StatementsSince]] = []


def register_reader(read: StatementsSince) -> None:
    """Ask `read` before each export. Each process registers it once, when Django loads the apps."""
    _readers.append(read)


def ensure_all_is_known(*, account: str) -> None:
    """Raise ExportRefused while payouts from our `account` may have been forgotten."""
    for read in _readers:
        since = read()
        if since is not None and not _is_reached(account, since):
            raise ExportRefused(
                "The database was restored. First import and approve the statements of the paying account,"
                f" until one has a line of a day after {since.date()}: they show payouts that were forgotten."
            )


def _is_reached(account: str, moment: datetime) -> bool:
    credited = Statement.objects.filter(account=account, state=StatementState.CREDITED)
    return credited.filter(last_day__gt=moment.date()).exists()
