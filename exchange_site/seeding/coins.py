"""Coins of a new installation, which the exchange simulator lists too, and extra coins for trying long lists."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from trading.services.coins import put_on_sale
from trading.services.prices import record_price


@dataclass(frozen=True, kw_only=True)
class SeedCoin:
    """A coin and its first price in US dollars. A fixed price does not follow the venue's."""

    name: str
    title: str
    price: Decimal
    is_fixed: bool = False


SEED_COINS: Final = (
    SeedCoin(name="ABAN", title="Abantether", price=Decimal("20.00"), is_fixed=True),
    SeedCoin(name="BTC", title="Bitcoin", price=Decimal("65000.00")),
    SeedCoin(name="ETH", title="Ether", price=Decimal("3200.00")),
    SeedCoin(name="SOL", title="Solana", price=Decimal("150.00")),
    SeedCoin(name="ADA", title="Cardano", price=Decimal("0.45")),
    SeedCoin(name="DOGE", title="Dogecoin", price=Decimal("0.12")),
)
SEED_PRICE_SOURCE: Final = "seed"


def seed_coin(*, seed: SeedCoin, now: datetime) -> None:
    """Put a coin on sale. A coin without a price gets its seed price, fixed or until a worker reads the venue's."""
    coin = put_on_sale(name=seed.name, title=seed.title, fixed_price=seed.price if seed.is_fixed else None)
    if not hasattr(coin, "current_price"):
        record_price(coin=coin, value=seed.price, source=SEED_PRICE_SOURCE, now=now)


def seed_unlisted_coin(*, number: int) -> None:
    """Put a coin on sale at a fixed price, because no venue lists it."""
    put_on_sale(name=f"SEED{number}", title=f"Seeded coin {number}", fixed_price=Decimal(number))
