"""Reads price changes."""

from trading.models import PriceChange


def list_price_history(*, coin_id: int, limit: int) -> list[PriceChange]:
    """Return a coin's last price changes, newest first."""
    return list(PriceChange.objects.filter(coin_id=coin_id).order_by("-read_at")[:limit])
