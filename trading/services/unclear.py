"""Note which coins wait for a purchase of unknown outcome. Customers see it as the reason why their order waits."""

from datetime import datetime

from trading.models import UnclearCoin


def mark_unclear(*, coin_id: int, now: datetime) -> None:
    """Note that the outcome of the coin's purchase in flight is unknown. A second call changes nothing."""
    UnclearCoin.objects.bulk_create([UnclearCoin(coin_id=coin_id, since=now)], ignore_conflicts=True)


def mark_clear(*, coin_id: int) -> None:
    """Note that the coin has no purchase of unknown outcome."""
    UnclearCoin.objects.filter(coin_id=coin_id).delete()
