"""Close findings whose contradiction is gone, and turn violations of the ledger into findings."""

import logging
from datetime import datetime

from settlement.models import Finding, FindingKind
from settlement.services.asking import look_up
from settlement.services.findings import Contradiction, raise_finding, read_stranger
from settlement.services.isolating import run_each
from settlement.services.reconciling.judging import Comparison, open_findings, subject_of
from settlement.venues.protocol import Executed, ListedPurchase, OrderNotFound
from settlement.verification import verify_everything

logger = logging.getLogger(__name__)


def close_gone(*, run: Comparison, listed: list[ListedPurchase]) -> None:
    """Close the coin's findings that this run did not raise again, if there is evidence that they are gone."""
    names = {subject_of(purchase) for purchase in listed}
    failed = run_each(
        what=f"findings:{run.coin}",
        items=open_findings(run=run).exclude(pk__in=run.raised),
        run=lambda finding: _close_if_gone(finding, run, names=names),
        now=run.now,
    )
    run.is_unsure |= bool(failed)


def _close_if_gone(finding: Finding, run: Comparison, *, names: set[str]) -> None:
    if finding.kind != FindingKind.EXTRA:
        is_gone = finding.attempt_id in run.judged
    elif finding.subject in names:
        is_gone = True  # an attempt explains the order by now
    else:
        is_gone = finding.found_at >= run.since and _has_vanished(finding, run)
    if is_gone:
        run.closed += _close(finding, now=run.now)


def reconcile_ledger(*, now: datetime) -> int:
    """Raise a finding for each violation of the ledger. Close findings whose violation is gone; return their number."""
    raised = set()
    for violation in verify_everything():
        contradiction = Contradiction(
            kind=FindingKind.LEDGER,
            subject=f"rule {violation.rule}: {violation.subject}",
            ours=violation.expected,
            theirs=violation.found,
        )
        raised.add(raise_finding(contradiction=contradiction, now=now).pk)
    mended = Finding.objects.filter(kind=FindingKind.LEDGER, closed_at=None, seen_at__lte=now).exclude(pk__in=raised)
    return sum(_close(finding, now=now) for finding in mended)


def _has_vanished(finding: Finding, run: Comparison) -> bool:
    """Say whether a lookup no longer finds a stranger: the venue may know an order that its list leaves out."""
    answer = look_up(coin=run.coin.name, client_order_id=read_stranger(finding.subject)[0], venue=run.venue)
    run.is_unsure |= not isinstance(answer, Executed | OrderNotFound)
    return isinstance(answer, OrderNotFound)


def _close(finding: Finding, *, now: datetime) -> int:
    """Close a finding whose contradiction is gone. Return 1, or 0 if the finding was closed already."""
    closed = Finding.objects.filter(pk=finding.pk, closed_at=None).update(closed_at=now)
    if closed:
        logger.info("finding: %s is gone", finding)
    return closed
