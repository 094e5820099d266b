from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from wallets.exceptions import DomainError
from wallets.management.persons import add_staff, find_customer, find_staff
from wallets.services.closing import close_account


class Command(BaseCommand):
    help = (
        "Close a customer's account for good: they are signed out and cannot sign in again. Refused while they have"
        " money, coins, orders or debts, or a proposal about them waits. RETENTION_YEARS later a worker erases what is"
        " personal about them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        add_staff(parser, help="the member of staff who closes it")
        parser.add_argument("--reason", required=True, help="why; it is kept")

    def handle(self, *_: Any, username: str, reason: str, **options: Any) -> None:
        staff, customer = find_staff("wallets.freeze_user", options=options), find_customer(username)
        if not reason.strip():
            raise CommandError("--reason must say why.")
        try:
            closed = close_account(customer_id=customer.pk, by=staff, reason=reason.strip())
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{customer} was closed at {closed.closed_at:%Y-%m-%d %H:%M:%S} UTC by {staff}.")
