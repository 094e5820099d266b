"""The magic coins of a sandbox, which show customers' programs each way in which an order can end.

A magic coin is an ordinary coin. The exchange simulator's markets of these names misbehave by themselves
(`exchange_site/simulator/magic.py`), and ordinary limits do the rest: those of the coin, and for HOLD
RISK_MAX_VALUE_OF_COINS, which a stack sets. No code that sells, buys or books knows of it. docs/sandbox.md has the
table for developers of clients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import connection, transaction

from trading.models import Coin, PoolPolicy, SalesLimit
from trading.services.coins import put_on_sale

TITLE: Final = "Sandbox: "
"""How the titles of magic coins begin, so that a coin with the same name which is really traded is none."""

_TABLE: Final = "trading_coin"  # there is none before the first `migrate`
MAGIC_PRICE: Final = Decimal("20.00")


@dataclass(frozen=True, kw_only=True)
class MagicCoin:
    """A magic coin: its name, what its title says, and the ordinary limits that differ from those of other coins.

    `sales_limit` is the most (US dollars) that may be sold and not settled.
    """

    name: str
    does: str
    limits: Mapping[str, Any] = field(default_factory=dict)
    sales_limit: Decimal | None = None


MAGIC_COINS: Final = (
    MagicCoin(name="REFUSE", does="the venue refuses it, and it is refunded"),
    MagicCoin(name="HOLD", does="held for a review by staff"),
    MagicCoin(name="LOST", does="the venue's answer is lost, and found"),
    MagicCoin(name="PARTLY", does="bought by half, and half of the rest"),
    MagicCoin(name="SLOW", does="the venue takes three seconds"),
    MagicCoin(name="MOVED", does="the price rises, and it is refunded"),
    MagicCoin(name="TIMEOUT", does="its pool is refunded", limits={"pool_policy": PoolPolicy.REFUND}),
    MagicCoin(
        name="WHOLE",
        does="2 to 10 whole coins",
        limits={"minimum": Decimal(2), "maximum": Decimal(10), "step": Decimal(1)},
    ),
    MagicCoin(name="SOLDOUT", does="not sold", limits={"minimum": Decimal(1)}, sales_limit=Decimal("5.00")),
)


@transaction.atomic
def seed_magic_coin(*, seed: MagicCoin) -> None:
    """Put a magic coin on sale at a fixed price, with its limits. Safe to do again."""
    coin = put_on_sale(name=seed.name, title=f"{TITLE}{seed.does}", fixed_price=MAGIC_PRICE, **seed.limits)
    if seed.sales_limit is not None and not SalesLimit.objects.filter(coin=coin).exists():
        SalesLimit.objects.create(coin=coin, most=seed.sales_limit, reason="a magic coin of the sandbox")


def why_refused() -> str:
    """Say why there can be no magic coins here; nothing if there can be."""
    if not settings.DEBUG:
        return "Magic coins are for a sandbox: their orders fail. DEBUG is off, so there are none, not even by --force."
    if not settings.VENUE.url:
        return "Magic coins need the exchange simulator, which no EXCHANGE_URL names: no real venue lists them."
    return ""


def check_magic_coins(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Report magic coins on sale in production. `check --database default` and `migrate` run this check."""
    if settings.DEBUG or not databases or _TABLE not in connection.introspection.table_names():
        return []
    names = [seed.name for seed in MAGIC_COINS]
    found = Coin.objects.filter(name__in=names, title__startswith=TITLE, is_sold=True).order_by("name")
    sold = ", ".join(found.values_list("name", flat=True))
    if not sold:
        return []
    sentence = f"Magic coins of the sandbox are on sale, and their orders fail: {sold}."
    return [Error(sentence, hint="Stop selling them in the admin.", id="exchange_site.E002")]
