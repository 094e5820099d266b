from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.table import Table

from exchange_site.database.owner import as_owner
from settlement.services.proposals import RESTORATION, ask_to_restore
from settlement.services.restoring.after import SEQUENCE_STEP, Restoration, put_right
from settlement.told import digits
from settlement.venues.registry import get_venue
from wallets.exceptions import DomainError
from wallets.management.persons import add_staff, find_staff
from wallets.runtime.progress import make_console

_NOT_COMPLETE = 2
_WAITS = 3


class Command(BaseCommand):
    help = (
        "Put things right after a restore, or a failover that lost something: adopt the purchases that the venue has"
        " and our books lack, move all sequences on, end all sign-ins, and let buying go on. Safe to run twice."
        " Exits with 2 if the venue did not answer for everything or an order was not adopted, and with 3 while it"
        " waits until a second person approves it; then nothing is sent."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_staff(parser, help="the member of staff who decides this")
        parser.add_argument("--reason", default="the database was restored", help="why; the second person reads it")

    def handle(self, *_: Any, **options: Any) -> None:
        console = make_console(self.stdout)
        staff = find_staff(*RESTORATION.permissions, options=options, kind=RESTORATION.name)
        try:
            proposal = ask_to_restore(asked_by=staff, reason=options["reason"])
        except DomainError as error:
            raise CommandError(str(error)) from error
        if not hasattr(proposal, "record"):
            console.print(f"Nothing is sent. Another member of staff has to approve {proposal}. Then run this again.")
            raise SystemExit(_WAITS)
        done = put_right(get_venue=get_venue, tell=console.print, as_owner=as_owner)
        if done.adopted:
            console.print(_table(done))
        for name in done.new_coins:
            console.print(f"The coin {name} was missing. It was made, and it is not on sale.")
        for order, reason in done.refused.items():
            console.print(f"Not adopted: {order}: {reason}")
        console.print(_summary(done))
        if not done.is_complete:
            console.print("Nothing is sent to the venue. Mend the cause, and run this command again.")
            raise SystemExit(_NOT_COMPLETE)
        console.print("Workers buy again. Orders that wait are delivered from the adopted coins first.")


def _summary(done: Restoration) -> str:
    cost = sum((attempt.cost for attempt in done.adopted), Decimal(0))
    unasked = f" The venue did not answer for: {', '.join(done.unasked)}." if done.unasked else ""
    return (
        f"{len(done.adopted)} purchases adopted for {digits(cost)} USD. {done.sequences} sequences moved on by "
        f"{SEQUENCE_STEP:,}. {done.sign_ins} sign-ins ended.{unasked}"
    )


def _table(done: Restoration) -> Table:
    table = Table(
        "coin",
        "client order id",
        "venue's id",
        "bought",
        "commission",
        "cost (USD)",
        title="Adopted purchases",
    )
    for attempt in done.adopted:
        figures = (attempt.executed, attempt.commission, attempt.cost)
        texts = [digits(figure) for figure in figures]
        table.add_row(attempt.coin.name, attempt.client_order_id, attempt.venue_order_id, *texts)
    return table
