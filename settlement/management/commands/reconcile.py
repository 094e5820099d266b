from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from rich.console import Console
from rich.table import Table

from settlement.models import Finding
from settlement.services.reconciling.comparing import Reconciliation, reconcile
from settlement.venues.configured import list_configured
from settlement.venues.registry import get_venue
from trading.models import Coin
from wallets.runtime.clock import database_now
from wallets.runtime.progress import make_console, make_progress

_FINDINGS_OPEN = 1
_NOT_ASKED = 2
_ADVICE = "`2 for 40` are coins and their cost in the quote asset. The to-do page says the next step of each finding."


class Command(BaseCommand):
    help = (
        "Compare our purchases with the venue's own list, and check the ledger. Exits with 1 if a finding is open,"
        " with 2 if the venue did not answer for every coin."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        default = settings.SETTLEMENT.reconcile_days
        parser.add_argument(
            "--days", type=_days, default=default, metavar="N", help=f"days to look back (default: {default})"
        )
        parser.add_argument(
            "--quiet", action="store_true", help="print only findings, and coins for which the venue did not answer"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        console = make_console(self.stdout)
        results = {
            name: _reconcile_at(name, console, days=options["days"], is_quiet=options["quiet"])
            for name in list_configured()
        }
        findings = list(results.values())[-1].findings
        if findings:
            console.print(_table(findings))
            console.print(_ADVICE)
        unasked = {name: done.unasked for name, done in results.items() if done.unasked}
        for name, items in unasked.items():
            where = f"At {name}: the" if len(results) > 1 else "The"
            console.print(f"{where} venue could not be asked, or a check failed (see the log): {', '.join(items)}")
        if unasked:
            raise SystemExit(_NOT_ASKED)
        if findings:
            raise SystemExit(_FINDINGS_OPEN)


def _reconcile_at(name: str, console: Console, *, days: int, is_quiet: bool) -> Reconciliation:
    now = database_now()
    with make_progress(console, is_quiet=is_quiet) as progress:

        def track(coins: list[Coin]) -> Iterable[Coin]:
            task = progress.add_task("coins", total=len(coins))
            for coin in coins:
                progress.update(task, description=coin.name)
                yield coin
                progress.advance(task)

        done = reconcile(venue=get_venue(name), since=now - timedelta(days=days), now=now, track=track)
    if not is_quiet:
        console.print(f"{name}: {_summary(done)}" if len(list_configured()) > 1 else _summary(done))
    return done


def _days(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 3650:  # noqa: PLR2004  ten years
        raise ArgumentTypeError("a number of days, 1 to 3650")
    return int(text)


def _summary(done: Reconciliation) -> str:
    return (
        f"{done.purchases} orders at the venue, {done.attempts} attempts of ours, {done.late_fills} booked late, "
        f"{done.closed} findings closed, {len(done.findings)} open."
    )


def _table(findings: list[Finding]) -> Table:
    table = Table("kind", "coin", "what", "ours", "theirs", "since", title=f"open findings: {len(findings)}")
    for finding in findings:
        found_at = f"{finding.found_at:%Y-%m-%d %H:%M}"
        table.add_row(finding.kind, str(finding.coin or ""), finding.subject, finding.ours, finding.theirs, found_at)
    return table
