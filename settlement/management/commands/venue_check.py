from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.table import Table

from settlement.services.venue_checks import Check, check_venue, list_coins_on_sale
from settlement.venues.checking import ConfiguredVenue, list_venues
from wallets.runtime.progress import make_console, make_progress

_OTHERS = 3  # the clock, the account, the funds


class Command(BaseCommand):
    help = (
        "Ask each venue for its clock, its terms for our account, our funds and the rules of each coin on sale, and"
        " let it check a small purchase, which is not placed. Exits with 1 if purchases would fail, or if that is not"
        " known."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--coin", action="append", metavar="NAME", help="only this coin (more than once for more)")
        parser.add_argument("--quiet", action="store_true", help="print only faults")

    def handle(self, *_: Any, **options: Any) -> None:
        coins = self._choose_coins(options["coin"])
        faults = 0
        for venue in list_venues():
            if found := [*venue.find_faults()] or [*venue.find_missing_keys()]:
                faults += len(found)
                self.stderr.write("\n".join(found))
                continue
            faults += self._ask(venue, coins=coins, is_quiet=options["quiet"])
        if faults:
            raise SystemExit(1)

    def _choose_coins(self, named: list[str] | None) -> list[str]:
        on_sale = list_coins_on_sale()
        if unknown := sorted(set(named or []) - set(on_sale)):
            raise CommandError(f"Not on sale: {', '.join(unknown)}.")
        return [coin for coin in on_sale if not named or coin in named]

    def _ask(self, venue: ConfiguredVenue, *, coins: list[str], is_quiet: bool) -> int:
        """Print what the venue says, and return the number of faults."""
        console = make_console(self.stdout)
        checks: list[Check] = []
        with make_progress(console, is_quiet=is_quiet) as progress:
            task = progress.add_task(venue.name, total=len(coins) + _OTHERS)
            for check in check_venue(configured=venue, coins=coins):
                checks.append(check)
                progress.update(task, advance=1, description=check.subject)
        shown = [check for check in checks if check.fault or not is_quiet]
        if shown:
            console.print(_table(shown, name=venue.name))
        return sum(bool(check.fault) for check in checks)


def _table(checks: list[Check], *, name: str) -> Table:
    table = Table("asked for", "verdict", "what the venue says", title=name)
    for check in checks:
        verdict = "fault" if check.fault and check.is_certain else "not known" if check.fault else "fine"
        table.add_row(check.subject, verdict, check.fault or check.found)
    return table
