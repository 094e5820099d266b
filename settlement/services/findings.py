"""Raise and close findings. A finding stays open until its contradiction is gone or staff close the finding."""

import logging
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from settlement.models import Attempt, Finding, FindingKind
from trading.models import Coin
from wallets.models import User

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """Two records of one thing that differ: `ours`, and `theirs` from the venue.

    For a violation of the ledger, `ours` is the expected value and `theirs` the value found. `amount` is theirs minus
    ours. If there is an attempt, the attempt's coin is used instead of `coin`.
    """

    kind: FindingKind
    subject: str
    ours: str = ""
    theirs: str = ""
    amount: Decimal | None = None
    coin: Coin | None = None
    attempt: Attempt | None = None


def raise_finding(*, contradiction: Contradiction, now: datetime) -> Finding:
    """Record a contradiction as a new finding, or update the open finding for the same subject."""
    found = {
        "seen_at": now,
        "ours": contradiction.ours[:200],
        "theirs": contradiction.theirs[:200],
        "amount": contradiction.amount,
    }
    attempt = contradiction.attempt
    finding, is_new = Finding.objects.update_or_create(
        kind=contradiction.kind,
        subject=contradiction.subject[:200],
        closed_at=None,
        defaults=found,
        create_defaults={
            **found,
            "found_at": now,
            "coin": attempt.coin if attempt else contradiction.coin,
            "attempt": attempt,
        },
    )
    if is_new:
        logger.error("finding: %s, ours %s, theirs %s", finding, contradiction.ours, contradiction.theirs)
    return finding


def close_finding(*, finding: Finding, closed_by: User, note: str, now: datetime) -> bool:
    """Close a finding that staff have dealt with, and record their note. Return False if it was closed already."""
    open_ = Finding.objects.filter(pk=finding.pk, closed_at=None)
    return bool(open_.update(closed_at=now, closed_by=closed_by, note=note))
