from argparse import ArgumentParser
from typing import IO, Any, cast

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.table import Table

from settlement.verification import verify_everything


class Command(BaseCommand):
    help = "Check that the ledger balances and that orders, coins and purchases agree with it. Exits with 1 if not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="print findings only")

    def handle(self, *_: Any, **options: Any) -> None:
        findings = verify_everything()
        if findings:
            table = Table("rule", "what", "expected", "found", title=f"{len(findings)} findings")
            for finding in findings:
                table.add_row(str(finding.rule), finding.subject, finding.expected, finding.found)
            Console(file=cast("IO[str]", self.stdout), width=160).print(table)
            raise SystemExit(1)
        if not options["quiet"]:
            self.stdout.write("The ledger balances: rules 1 to 5 hold.")
