from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from wallets.exceptions import DomainError
from wallets.runtime.clock import database_now
from wallets.services.staff import bootstrap_staff


class Command(BaseCommand):
    help = (
        "Make a superuser of a new installation, or send the link again: to choose a password by. Then turn a second"
        " factor on, by the API. Works until two superusers have one, and while nobody has money."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--email", required=True, help="an address that no other member of staff has")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            made = bootstrap_staff(username=options["username"], email=options["email"], now=database_now())
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{made.user} is {'a new' if made.is_new else 'a'} superuser, without a wallet.")
        if made.link is None:
            self.stdout.write(f"A link to choose a password is sent to {made.user.mail_address}.")
        else:
            self.stdout.write("This server sends no e-mails. Choose a password by this, once and soon:")
            self.stdout.write(made.link)
        self.stdout.write("Then sign in by the API and turn a second factor on: see docs/operations.md.")
