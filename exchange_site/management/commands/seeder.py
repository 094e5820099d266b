from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from exchange_site.seeding.coins import SEED_COINS, seed_coin, seed_unlisted_coin
from exchange_site.seeding.customers import next_customer_numbers, seed_admin, seed_customer
from exchange_site.seeding.magic import MAGIC_COINS, seed_magic_coin, why_refused
from trading.models import Coin
from wallets.runtime.clock import database_now
from wallets.runtime.progress import make_console, make_progress
from wallets.selectors.staff import somebody_has_money


class Command(BaseCommand):
    help = (
        "Write the development data: an admin with a wallet, if DEBUG is on; coins with prices; more on request."
        " Safe to run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", type=_count, default=0, metavar="N", help="add N customers")
        parser.add_argument("--crypto", type=_count, default=0, metavar="M", help="add M coins")
        parser.add_argument("--magic", action="store_true", help="add the magic coins of a sandbox (docs/sandbox.md)")
        parser.add_argument("--if-empty", action="store_true", help="do nothing if there are coins already")
        parser.add_argument("--force", action="store_true", help="write even if DEBUG is off, before anybody has money")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["magic"] and (reason := why_refused()):
            raise CommandError(reason)
        if not settings.DEBUG and not options["force"]:
            raise CommandError("DEBUG is off: this looks like production. Use --force to write the data anyway.")
        if options["if_empty"] and Coin.objects.exists():
            return
        if not settings.DEBUG:
            _refuse_once_open()
        with make_progress(make_console(self.stdout, width=None)) as progress:
            for seed in progress.track(SEED_COINS, description="coins"):
                seed_coin(seed=seed, now=database_now())
            for magic in progress.track(MAGIC_COINS if options["magic"] else (), description="magic coins"):
                seed_magic_coin(seed=magic)
            # The administrator's password is public, so there is no such account in production.
            for _once in progress.track(range(1 if settings.DEBUG else 0), description="admin"):
                seed_admin(now=database_now())
            for number in progress.track(range(1, options["crypto"] + 1), description="more coins"):
                seed_unlisted_coin(number=number)
            for number in progress.track(next_customer_numbers(count=options["user"]), description="customers"):
                seed_customer(number=number, now=database_now())


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise ArgumentTypeError("less than none cannot be added")
    return count


def _refuse_once_open() -> None:
    """Raise CommandError where money is: the data has prices and dollars that no second person has approved."""
    if settings.PROPOSALS.kinds and somebody_has_money():
        raise CommandError("Somebody has money here. Put coins on sale in the admin, by two persons.")
