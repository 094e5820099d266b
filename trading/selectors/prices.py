"""Reads prices."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings

from trading.jumps import AGREEING_READINGS, LATE, SOON, Band, band_around, limit_after, readings_agree
from trading.models import Coin, CoinPrice, PriceChange, Suspension


def list_price_history(*, coin_id: int, limit: int) -> list[PriceChange]:
    """Return a coin's last price changes, newest first."""
    return list(PriceChange.objects.filter(coin_id=coin_id).order_by("-read_at")[:limit])


def list_asks_since(*, coin_id: int, since: datetime) -> list[Decimal]:
    """Return the asks that were in force at some time since `since`, newest first."""
    changes = PriceChange.objects.filter(coin_id=coin_id).order_by("-read_at", "-pk")
    later = list(changes.filter(read_at__gt=since).values_list("value", flat=True))
    return [*later, *changes.filter(read_at__lte=since).values_list("value", flat=True)[:1]]


def read_band(*, price: CoinPrice, now: datetime) -> Band:
    """Return the band of prices that are believed at once (`trading.jumps`), of a price that has been read before.

    The limit from the last good price grows with its age. Without those from the good prices of the last one and ten
    minutes, a price could go anywhere in small steps.
    """
    soon, most = settings.PRICES.jump_limit, settings.PRICES.deviation_limit
    gap = now - price.read_at
    limits = [(price.value, limit_after(gap=gap, soon=soon))]
    if gap <= SOON:
        limits += [(ask, soon) for ask in _asks_of(price, since=now - SOON, begin=price.asks_from)]
    if gap <= LATE:
        late = limit_after(gap=LATE, soon=soon)
        limits += [(ask, late) for ask in _asks_of(price, since=now - LATE, begin=price.jumps_from)]
    return band_around([(ask, min(limit, most)) for ask, limit in limits])


def read_hard_band(*, price: CoinPrice) -> Band:
    """Return the band beyond which only staff accept a suspect price.

    It is around the last good price and those of the ten minutes before the suspension: a jump after some small steps
    is as long as all of them together.
    """
    assert price.suspended_at is not None
    asks = _asks_of(price, since=price.suspended_at - LATE, begin=price.jumps_from)
    return band_around([(ask, settings.PRICES.deviation_limit) for ask in (price.value, *asks)])


def _asks_of(price: CoinPrice, *, since: datetime, begin: datetime | None) -> list[Decimal]:
    return list_asks_since(coin_id=price.coin_id, since=since if begin is None else max(since, begin))


def last_price_of(*, coin: Coin) -> Decimal | None:
    """Return the coin's fixed price, or else its last price, however old (US dollars); None if it never had one."""
    current: Decimal | None = coin.current_price.value if hasattr(coin, "current_price") else None
    return current if coin.fixed_price is None else coin.fixed_price


def is_suspended(*, coin: Coin) -> bool:
    """Say whether the coin's price has jumped and is not believed yet. Never for a coin with a fixed price."""
    price = getattr(coin, "current_price", None)
    return coin.fixed_price is None and price is not None and price.suspended_at is not None


def agrees_with_suspect_price(*, coin: Coin, ask: Decimal) -> bool:
    """Say whether the coin is suspended at a price on which three readings agree, and the ask agrees with it too.

    Nothing is bought at such an ask, but it is no slip of the venue either. Never for a coin with a fixed price.
    """
    price = getattr(coin, "current_price", None)
    if coin.fixed_price is not None or price is None or price.suspended_at is None or price.candidate is None:
        return False
    return price.candidate_readings >= AGREEING_READINGS and readings_agree(price.candidate, ask)


def newest_ask_of(*, coin: Coin, now: datetime, after: datetime | None = None) -> Decimal | None:
    """Return the ask that was read within PRICE_VALID_SECONDS, and after a moment, if it is believed (US dollars).

    None for a coin with a fixed price, whose orders are compared only with the ask that is read before each purchase.
    """
    price = getattr(coin, "current_price", None)
    if price is None or coin.fixed_price is not None or price.suspended_at is not None:
        return None
    read_at = min(price.read_at, price.quoted_at or price.read_at)
    ask: Decimal = price.value
    is_new = read_at >= now - settings.PRICES.valid_for and (after is None or read_at > after)
    return ask if is_new else None


def list_coins_to_read() -> list[Coin]:
    """Return the coins that are on sale without a fixed price, with their current price."""
    return list(Coin.objects.select_related("current_price").filter(is_sold=True, fixed_price=None))


def has_frozen_book(*, coin: Coin, now: datetime) -> bool:
    """Say whether a coin's book has been the same for PRICE_FROZEN_SECONDS, and its venue says no time of it."""
    price = getattr(coin, "current_price", None)
    if price is None or price.quoted_at is not None or price.book_at is None:
        return False
    return bool(price.book_at <= now - settings.PRICES.frozen_for)


def list_coins_with_frozen_books(*, now: datetime) -> list[Coin]:
    """Return the coins for which `has_frozen_book` holds, on sale without a fixed price; the oldest reading first."""
    coins = [coin for coin in list_coins_to_read() if has_frozen_book(coin=coin, now=now)]
    return sorted(coins, key=lambda coin: (coin.current_price.read_at, coin.pk))


def list_coins_to_confirm() -> list[Coin]:
    """Return the suspended coins for which a second source is all that is missing, ordered by name."""
    coins = Coin.objects.filter(
        is_sold=True,
        fixed_price=None,
        current_price__suspended_at__isnull=False,
        current_price__candidate_readings__gte=AGREEING_READINGS,
    )
    return [coin for coin in coins.select_related("current_price").order_by("name") if _may_be_confirmed(coin)]


def _may_be_confirmed(coin: Coin) -> bool:
    price = coin.current_price
    return price.candidate is not None and read_hard_band(price=price).holds(price.candidate)


def list_unseen_suspensions(*, most: int) -> list[Suspension]:
    """Return the suspensions that have ended without staff, and that nobody has looked at; the oldest first."""
    unseen = Suspension.objects.filter(ended_at__isnull=False, seen_at=None).select_related("coin")
    return list(unseen.order_by("ended_at")[:most])


def list_suspended_coins() -> list[str]:
    """Return the names of the coins that a suspension keeps from being sold: on sale, and without a fixed price."""
    open_ = Suspension.objects.filter(ended_at=None, coin__is_sold=True, coin__fixed_price=None)
    return list(open_.order_by("coin__name").values_list("coin__name", flat=True))


def find_price_jump(*, coin: Coin, fixed_price: Decimal, now: datetime) -> Decimal | None:
    """Return the price from which a fixed price for `coin` would jump, or None if it is within the limits of a reading.

    That is the coin's fixed price until now, or else the last price that was read. It is not known when a fixed price
    was set, so the limit is that of a long time, and PRICE_DEVIATION_LIMIT at most.
    """
    stored = Coin.objects.select_related("current_price").filter(pk=coin.pk).first()
    last = last_price_of(coin=stored) if stored else None
    if stored is None or last is None:
        return None
    if stored.fixed_price is None:
        band = read_band(price=stored.current_price, now=now)
    else:
        limit = limit_after(gap=LATE, soon=settings.PRICES.jump_limit)
        band = band_around([(last, min(limit, settings.PRICES.deviation_limit))])
    return None if band.holds(fixed_price) else last
