"""Takes coins of a customer who owes into inventory, at the bid of the moment, for a part of the debt."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from trading.exceptions import NoBid, UnknownCoin
from trading.models import Coin
from trading.rounding import proceeds_of
from wallets.exceptions import NotFound
from wallets.runtime import failpoints
from wallets.runtime.clock import database_now
from wallets.services.ledger.debts import lessen_debt
from wallets.services.ledger.house_moves import book_repurchase
from wallets.services.ledger.locking import lock_inventory, lock_wallet_of_coin
from wallets.services.ledger.moving import take_coins


@dataclass(frozen=True, kw_only=True)
class Repurchase:
    """Coins of a customer who owes. `name` tells one repurchase from others of the customer."""

    customer_id: int
    coin_name: str
    amount: Decimal
    name: str


def bid_of(*, coin_name: str, now: datetime) -> Decimal:
    """Return a coin's bid at its venue (US dollars), whose reading is new enough to sell at.

    A fixed price is no bid. Raises UnknownCoin, and NoBid without a reading that is new and believed.
    """
    coin = Coin.objects.select_related("current_price").filter(name=coin_name).first()
    if coin is None:
        raise UnknownCoin
    price = getattr(coin, "current_price", None)
    if price is None or price.bid is None or not price.has_details or price.suspended_at is not None:
        raise NoBid
    read_at = min(price.read_at, price.quoted_at or price.read_at)
    if read_at < now - settings.PRICES.max_age:
        raise NoBid
    bid: Decimal = price.bid
    return bid


@transaction.atomic
def repurchase(*, wanted: Repurchase, bid: Decimal) -> Decimal:
    """Move coins to inventory, and lessen the customer's debt by what they are worth at `bid`. Return that.

    In the caller's database transaction. The dollars are rounded down to the cent, and become the coins' cost. Raises
    NotFound (the customer does not hold so many coins), OwesLess (they are worth more than the debt).
    """
    lock_inventory(asset=wanted.coin_name)
    found = lock_wallet_of_coin(customer_id=wanted.customer_id, asset=wanted.coin_name)
    wallet_id, balance = found or (0, Decimal(0))
    if balance < wanted.amount:
        raise NotFound(f"The customer holds {balance.normalize():f} {wanted.coin_name}.")
    paid = proceeds_of(amount=wanted.amount, bid=bid)
    if not paid:
        raise NotFound("These coins are worth less than a cent.")
    lessen_debt(customer_id=wanted.customer_id, amount=paid)
    now = database_now()
    reference = f"repurchase:{wanted.customer_id}:{wanted.name}"
    coin_name, amount = wanted.coin_name, wanted.amount
    take_coins(wallet_id=wallet_id, asset=coin_name, amount=amount, reference=f"{reference}:coins", now=now)
    failpoints.reach("repurchase.took_coins")
    book_repurchase(asset=coin_name, quantity=amount, paid=paid, reference=reference, now=now)
    return paid
