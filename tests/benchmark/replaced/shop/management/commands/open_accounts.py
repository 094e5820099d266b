"""Open the shop: a coin with a price, and customers with money, whose access tokens go to a file."""

from decimal import Decimal
from pathlib import Path

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from rest_framework_simplejwt.tokens import RefreshToken

from shop.models import Coin, Movement, Wallet
from shop.prices import write_price


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("count", type=int)
        parser.add_argument("tokens", type=Path)
        parser.add_argument("--coin", default="ABAN")
        parser.add_argument("--price", default="20.00")
        parser.add_argument("--deposit", type=Decimal, default=Decimal("100000000.00"))

    def handle(self, *, count, tokens, coin, price, deposit, **options):
        Coin.objects.create(name=coin, title=coin.title(), minimum_total=Decimal("1.00"))
        write_price(coin, price)
        users = User.objects.bulk_create(User(username=f"customer{number}", password="!") for number in range(count))
        wallets = Wallet.objects.bulk_create(Wallet(user=user, balance=deposit) for user in users)
        Movement.objects.bulk_create(
            Movement(wallet=wallet, kind=Movement.Kind.DEPOSIT, amount=deposit, balance_after=deposit)
            for wallet in wallets
        )
        tokens.write_text("".join(f"{RefreshToken.for_user(user).access_token}\n" for user in users))
