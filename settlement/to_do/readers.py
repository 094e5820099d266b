"""Read the to-do page: everything that waits for staff, or has stayed in an unfinished state beyond a limit.

One query per kind, over unfinished rows only. Orders of the same pool or batch are grouped into one row of the page.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

from settlement.metrics import count_failed_item
from settlement.to_do import buying, money, selling
from settlement.to_do.concerns import Concern, ConcernKind
from wallets.runtime.lost_connections import is_lost

logger = logging.getLogger(__name__)


def list_to_do(*, now: datetime) -> list[Concern]:
    """List the rows of the page by kind, the oldest first; at most MAX_PER_KIND of each kind.

    A kind that cannot be read is a row itself, so that it does not hide the others.
    """
    return [concern for kind in ConcernKind for concern in _read(kind, now)]


def count_to_do(*, now: datetime) -> dict[ConcernKind, int]:
    """Count the orders or records of each kind on the page."""
    counts = dict.fromkeys(ConcernKind, 0)
    for concern in list_to_do(now=now):
        counts[concern.kind] += concern.count
    return counts


def _read(kind: ConcernKind, now: datetime) -> list[Concern]:
    try:
        return list(_READERS[kind](now))
    except Exception as error:
        if is_lost(error):
            raise  # the database is away: no kind can be read
        count_failed_item(what="to do")
        logger.exception("to do: rows of the kind %s cannot be read", kind.value)
        reason = f"these rows cannot be read: {type(error).__name__}"
        return [Concern(kind=kind, subject="unreadable rows", since=now, reason=reason, target=None)]


_READERS: Final[Mapping[ConcernKind, Callable[[datetime], Iterator[Concern]]]] = {
    ConcernKind.BREAK_GLASS: money.read_break_glass,
    ConcernKind.DATABASE: buying.read_database,
    ConcernKind.PARKED: buying.read_parked,
    ConcernKind.UNKNOWN: buying.read_unknown,
    ConcernKind.FINDING: buying.read_findings,
    ConcernKind.OPENING: buying.read_openings,
    ConcernKind.SETTLING: selling.read_settling,
    ConcernKind.WAITING: buying.read_waiting,
    ConcernKind.PENDING: selling.read_pending,
    ConcernKind.POOL: selling.read_pools,
    ConcernKind.FLOAT: buying.read_float,
    ConcernKind.VENUE: buying.read_silent_venues,
    ConcernKind.HEADROOM: selling.read_headroom,
    ConcernKind.LOSS: selling.read_losses,
    ConcernKind.PAUSE: buying.read_pauses,
    ConcernKind.SUSPENDED: selling.read_suspended,
    ConcernKind.JUMP: selling.read_jumps,
    ConcernKind.FAILING: buying.read_failing,
    ConcernKind.INTERVENTION: buying.read_interventions,
    ConcernKind.STATEMENT: money.read_statements,
    ConcernKind.UNASSIGNED: money.read_unassigned,
    ConcernKind.PAYOUT_REQUEST: money.read_payout_requests,
    ConcernKind.PAYOUT_EXPORT: money.read_payouts_to_export,
    ConcernKind.PAYOUT_ANSWER: money.read_unanswered_payouts,
    ConcernKind.PAYOUT_LINE: money.read_contradicting_debits,
    ConcernKind.DEBIT: money.read_debits,
    ConcernKind.RETURN: money.read_returns,
    ConcernKind.DEBT: money.read_debts,
    ConcernKind.HELD: selling.read_held,
    ConcernKind.PROPOSAL: selling.read_proposals,
    ConcernKind.JOB: buying.read_failed_jobs,
    ConcernKind.NAME: selling.read_names,
    ConcernKind.STAFF_WALLET: money.read_wallets_of_staff,
}
