from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from settlement.exceptions import BadDays
from settlement.result_days import choose_days, read_day
from settlement.result_texts import as_csv, as_json, as_table
from settlement.results import HouseResult
from settlement.selectors.results import read_result
from trading.loss_rules import day_of
from wallets.runtime.clock import database_now
from wallets.runtime.progress import make_console

_WIDTH = 220
_BAD_DAYS = 2


class Command(BaseCommand):
    help = (
        "Show what the house has earned or lost on UTC days, by coin, and compare it with the ledger. Exits with 1 if"
        " they differ, with 2 if the days are wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--day", metavar="YYYY-MM-DD", help="one day (default: today)")
        parser.add_argument("--from", metavar="YYYY-MM-DD", dest="first", help="the first day")
        parser.add_argument("--to", metavar="YYYY-MM-DD", dest="last", help="the last day (default: today)")
        parser.add_argument("--format", choices=("table", "csv", "json"), default="table")

    def handle(self, *_: Any, **options: Any) -> None:
        first, last = _days(options)
        result = read_result(first=first, last=last)
        self._print(result, form=options["format"])
        for difference in result.differences:
            self.stderr.write(f"does not add up: {difference}")
        if result.differences:
            raise SystemExit(1)

    def _print(self, result: HouseResult, *, form: str) -> None:
        if form == "csv":
            self.stdout.write(as_csv(result), ending="")
        elif form == "json":
            self.stdout.write(as_json(result))
        else:
            make_console(self.stdout, width=_WIDTH).print(as_table(result))
            if not result.differences:
                self.stdout.write("It adds up to the ledger.")


def _days(options: dict[str, Any]) -> tuple[date, date]:
    if options["day"] is not None and (options["first"], options["last"]) != (None, None):
        raise CommandError("Give --day, or --from and --to.", returncode=_BAD_DAYS)
    typed = (options["first"], options["last"]) if options["day"] is None else (options["day"], options["day"])
    try:
        first, last = (None if text is None else read_day(text) for text in typed)
        return choose_days(first=first, last=last, today=day_of(database_now()))
    except BadDays as error:
        raise CommandError(str(error), returncode=_BAD_DAYS) from error
