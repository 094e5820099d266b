"""The list of all offers, for customers to look at: kept in Redis for a few seconds, signed and dated.

So whoever can write to Redis can neither change the list nor show an old one. No order is priced by it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, Signer

from trading.offers import LIST_KEY, Offer, offer_of
from trading.price_rules import find_next_beginning
from trading.price_terms import PriceTerms
from trading.priced_coins import coins_with_prices
from wallets.runtime import clock
from wallets.runtime.redis_store import RedisAway, read_text, with_redis


def list_offers(*, cached: str | None = None) -> Sequence[Offer]:
    """Return the offers of all coins on sale, ordered by name.

    `cached` is the value of LIST_KEY, if the caller has read it already; otherwise this costs a round trip to
    Redis. If the list is missing, out of date or not ours, a query and another round trip follow.
    """
    try:
        found = cached if cached is not None else with_redis(lambda client: read_text(client, LIST_KEY))
    except RedisAway:
        return _load_all()
    if found is not None and (offers := _read_list(found)) is not None:
        return offers
    until = _list_until()
    offers = _load_all()
    _keep(_write_list(offers, until=until))
    return offers


def _load_all() -> Sequence[Offer]:
    return tuple(offer_of(coin=coin) for coin in coins_with_prices().filter(is_sold=True).order_by("name"))


def _keep(text: str) -> None:
    try:
        with_redis(lambda client: client.set(LIST_KEY, text, ex=settings.PRICES.cache_seconds))
    except RedisAway:
        return


def _list_until() -> datetime:
    """Return the moment until which a list that is read now is believed: the next price rule may begin before."""
    now = clock.now()
    until = now + timedelta(seconds=settings.PRICES.cache_seconds)
    return find_next_beginning(after=now, before=until) or until


def _write_list(offers: Sequence[Offer], *, until: datetime | None = None) -> str:
    """Return the offers and the time of their end as signed text."""
    dated = {"until": (until or _list_until()).isoformat(), "offers": [asdict(offer) for offer in offers]}
    return _signer().sign(json.dumps(dated, default=str))


def _read_list(text: str) -> Sequence[Offer] | None:
    """Return the offers of a signed list; None if it is not ours, or if its time is up."""
    until, offers = _verify_list(text)
    now = clock.now()
    if until is None or not now < until <= now + timedelta(seconds=settings.PRICES.cache_seconds):
        return None
    return offers


@lru_cache(maxsize=8)
def _verify_list(text: str) -> tuple[datetime | None, Sequence[Offer]]:
    """Return a list's end and offers; no end if the list is not ours. Cached, because many requests read one list."""
    try:
        data: dict[str, Any] = json.loads(_signer().unsign(text))
    except BadSignature:
        return None, ()
    return datetime.fromisoformat(data["until"]), tuple(map(_from_json, data["offers"]))


def _signer() -> Signer:
    """Return the signer of lists: HMAC-SHA-256, with a key that Django derives from SECRET_KEY and the salt."""
    return Signer(salt=f"trading.offers {LIST_KEY}")


def _from_json(data: dict[str, Any]) -> Offer:
    for name in ("minimum", "own_maximum", "step", "market_price", "ask", "largest_order"):
        data[name] = _decimal(data[name])
    for name in ("price_at", "stopped_until"):
        data[name] = datetime.fromisoformat(data[name]) if data[name] else None
    terms: dict[str, Any] = data["terms"]
    data["terms"] = PriceTerms(
        rule_id=terms.pop("rule_id"),
        **{name: _decimal(value) for name, value in terms.items()},  # type: ignore[arg-type]  # the fields of PriceTerms
    )
    return Offer(**data)


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)
