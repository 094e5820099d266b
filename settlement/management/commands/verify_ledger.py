from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from rich.table import Table

from settlement.verification import verify_everything
from wallets.runtime.progress import make_console


class Command(BaseCommand):
    help = (
        "Check that the ledger balances, and that orders, coins, purchases and deposits agree with it."
        " Exits with 1 if not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="print violations only")

    def handle(self, *_: Any, **options: Any) -> None:
        violations = verify_everything()
        if violations:
            table = Table("rule", "what", "expected", "found", title=f"violations: {len(violations)}")
            for violation in violations:
                table.add_row(str(violation.rule), violation.subject, violation.expected, violation.found)
            make_console(self.stdout).print(table)
            raise SystemExit(1)
        if not options["quiet"]:
            self.stdout.write("The ledger balances: rules 1 to 5, 9 and 10 hold.")
