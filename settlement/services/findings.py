"""Findings: contradictions, as rows that stay until they are gone or staff have closed them."""

import logging
from datetime import datetime
from decimal import Decimal
from typing import Final

from settlement.models import Attempt, Finding, FindingKind
from trading.models import Coin
from wallets.models import User

logger = logging.getLogger(__name__)

LATE_FILL: Final = FindingKind.LATE_FILL


def raise_finding(
    *,
    kind: FindingKind,
    subject: str,
    now: datetime,
    ours: str = "",
    theirs: str = "",
    amount: Decimal | None = None,
    coin: Coin | None = None,
    attempt: Attempt | None = None,
) -> Finding:
    """Record a contradiction; one that is open already is seen again."""
    finding, is_new = Finding.objects.update_or_create(
        kind=kind,
        subject=subject[:200],
        closed_at=None,
        defaults={"seen_at": now, "ours": ours[:200], "theirs": theirs[:200], "amount": amount},
        create_defaults={
            "seen_at": now,
            "found_at": now,
            "ours": ours[:200],
            "theirs": theirs[:200],
            "amount": amount,
            "coin": attempt.coin if attempt else coin,
            "attempt": attempt,
        },
    )
    if is_new:
        logger.error("finding: %s, ours %s, theirs %s", finding, ours, theirs)
    return finding


def close_finding(*, finding: Finding, closed_by: User, note: str, now: datetime) -> bool:
    """Staff have dealt with it, and say how; False when it is closed already."""
    open_ = Finding.objects.filter(pk=finding.pk, closed_at=None)
    return bool(open_.update(closed_at=now, closed_by=closed_by, note=note))
