import getpass
import socket
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from wallets.exceptions import DomainError
from wallets.models import BreakGlassOutcome, User
from wallets.services.break_glass import break_glass


class Command(BaseCommand):
    help = (
        "Ask to make a user a superuser, when fewer than two superusers can sign in. All staff are told, and any of"
        " them can revoke it. Run it again after BREAK_GLASS_HOURS: then it takes effect."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", default="fewer than two superusers are left", help="staff read it")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            user = User.objects.get_by_natural_key(options["username"])
        except User.DoesNotExist as error:
            raise CommandError(f"There is no account {options['username']}.") from error
        try:
            request = break_glass(user=user, reason=options["reason"].strip(), asked_from=_who_runs_this())
        except DomainError as error:
            raise CommandError(str(error)) from error
        if request.outcome == BreakGlassOutcome.DONE:
            self.stdout.write(f"{user} is a superuser now. Staff are told.")
        else:
            at = f"{request.ready_at:%Y-%m-%d %H:%M} UTC"
            self.stdout.write(f"{request} waits until {at}. Staff are told. Run this command again then.")


def _who_runs_this() -> str:
    """Return the user of the operating system and the host, as they call themselves."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may know no name for its user
        name = "unknown"
    return f"{name}@{socket.gethostname()}"
