from argparse import ArgumentParser
from decimal import Decimal
from typing import IO, Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from exchange_site.history import write_history, write_settled_orders
from exchange_site.seed import ADMIN_BALANCE, ADMIN_PASSWORD, ADMIN_USERNAME, SEED_COINS
from trading.models import Coin
from trading.services.coins import put_on_sale
from trading.services.prices import record_price
from wallets.models import User
from wallets.services.accounts import open_dollar_wallet
from wallets.services.cash import book_opening_deposit

SEED_PRICE_SOURCE = "seed"
HISTORY_CUSTOMERS = 1000


class Command(BaseCommand):
    help = "Write the development data: an admin with a wallet, coins with prices, and more on demand. Harmless again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", type=int, default=0, metavar="N", help="that many customers more")
        parser.add_argument("--crypto", type=int, default=0, metavar="M", help="that many coins more")
        parser.add_argument(
            "--transactions", type=int, default=0, metavar="K", help="that many movements of seeded customers more"
        )
        parser.add_argument(
            "--orders", type=int, default=0, metavar="K", help="that many completed orders of new customers more"
        )
        parser.add_argument("--if-empty", action="store_true", help="only where nothing was seeded yet")
        parser.add_argument("--force", action="store_true", help="also where DEBUG is off")

    def handle(self, *_: Any, **options: Any) -> None:
        if not settings.DEBUG and not options["force"]:
            raise CommandError("DEBUG is off: this looks like production. --force seeds it all the same.")
        if options["if_empty"] and Coin.objects.exists():
            return
        with self._progress() as progress:
            _seed_coins(progress)
            _seed_admin(progress)
            _seed_more_coins(progress, options["crypto"])
            _seed_customers(progress, options["user"])
            _seed_history(progress, options["transactions"])
            _seed_settled_orders(progress, options["orders"])

    def _progress(self) -> Progress:
        console = Console(file=cast("IO[str]", self.stdout))
        return Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )


def _seed_coins(progress: Progress) -> None:
    for seed in progress.track(SEED_COINS, description="coins"):
        _seed_coin(name=seed.name, title=seed.title, price=seed.price)


def _seed_coin(*, name: str, title: str, price: Decimal) -> None:
    """A coin's first price stands until the exchange is read."""
    coin = put_on_sale(name=name, title=title)
    if not hasattr(coin, "current_price"):
        record_price(coin=coin, value=price, source=SEED_PRICE_SOURCE, now=timezone.now())


def _seed_admin(progress: Progress) -> None:
    for _ in progress.track(range(1), description="admin"):
        if not User.objects.filter(username=ADMIN_USERNAME).exists():
            admin = User.objects.create_superuser(ADMIN_USERNAME, password=ADMIN_PASSWORD)
            open_dollar_wallet(owner=admin)
            book_opening_deposit(owner_id=admin.pk, amount=ADMIN_BALANCE, now=timezone.now())


def _seed_more_coins(progress: Progress, count: int) -> None:
    """Coins that no exchange lists, so their prices are fixed."""
    for number in progress.track(range(1, count + 1), description="more coins"):
        put_on_sale(name=f"SEED{number}", title=f"Seeded coin {number}", fixed_price=Decimal(number))


def _seed_customers(progress: Progress, count: int) -> None:
    """Customers without a usable password: they are for lists and loads, not for signing in."""
    taken = User.objects.filter(username__startswith="customer").count()
    for number in progress.track(range(taken + 1, taken + count + 1), description="customers"):
        customer = User.objects.create_user(f"customer{number}")
        open_dollar_wallet(owner=customer)
        book_opening_deposit(owner_id=customer.pk, amount=ADMIN_BALANCE, now=timezone.now())


def _seed_history(progress: Progress, count: int) -> None:
    """A past for the seeded customers, of whom there are a thousand at least when there is to be one."""
    if not count:
        return
    missing = HISTORY_CUSTOMERS - User.objects.filter(username__startswith="customer").count()
    _seed_customers(progress, max(missing, 0))
    task = progress.add_task("movements", total=count)
    for added in write_history(transactions=count, now=timezone.now()):
        progress.advance(task, added)


def _seed_settled_orders(progress: Progress, count: int) -> None:
    if count:
        task = progress.add_task("orders", total=count)
        for added in write_settled_orders(orders=count, now=timezone.now()):
            progress.advance(task, added)
