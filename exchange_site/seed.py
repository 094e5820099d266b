"""What a fresh installation starts with: the coins of the seeder, which the exchange simulator lists too."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, kw_only=True)
class SeedCoin:
    """A coin and its first price in US dollars."""

    name: str
    title: str
    price: Decimal


SEED_COINS = (
    SeedCoin(name="ABAN", title="Abantether", price=Decimal("20.00")),
    SeedCoin(name="BTC", title="Bitcoin", price=Decimal("65000.00")),
    SeedCoin(name="ETH", title="Ether", price=Decimal("3200.00")),
    SeedCoin(name="SOL", title="Solana", price=Decimal("150.00")),
    SeedCoin(name="ADA", title="Cardano", price=Decimal("0.45")),
    SeedCoin(name="DOGE", title="Dogecoin", price=Decimal("0.12")),
)
ADMIN_USERNAME = "admin"
ADMIN_PASSWORD = "new_password"  # noqa: S105  the documented development login; the seeder refuses to run in production
ADMIN_BALANCE = Decimal("1000.00")
