"""Reads prices."""

from decimal import Decimal

from trading.models import Coin, PriceChange


def list_price_history(*, coin_id: int, limit: int) -> list[PriceChange]:
    """Return a coin's last price changes, newest first."""
    return list(PriceChange.objects.filter(coin_id=coin_id).order_by("-read_at")[:limit])


def last_price_of(*, coin: Coin) -> Decimal | None:
    """Return the coin's fixed price, or else its last price, however old (US dollars); None if it never had one."""
    if coin.fixed_price is not None:
        return coin.fixed_price
    return coin.current_price.value if hasattr(coin, "current_price") else None
