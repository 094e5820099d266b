"""Findings: contradictions, as rows that stay until they are gone or staff have closed them."""

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
    """Two accounts of one thing that differ: `ours`, and `theirs`, which is the venue's or the ledger's own.

    `amount` is theirs less ours. The coin is the attempt's, where there is an attempt.
    """

    kind: FindingKind
    subject: str
    ours: str = ""
    theirs: str = ""
    amount: Decimal | None = None
    coin: Coin | None = None
    attempt: Attempt | None = None


def raise_finding(*, contradiction: Contradiction, now: datetime) -> Finding:
    """Record a contradiction; one that is open already is seen again."""
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
    """Close a finding that staff have dealt with, and say how; False when it is closed already."""
    open_ = Finding.objects.filter(pk=finding.pk, closed_at=None)
    return bool(open_.update(closed_at=now, closed_by=closed_by, note=note))
