"""Coins over HTTP."""

from datetime import datetime
from typing import Final

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from trading.exceptions import UnknownCoin
from trading.offer_list import list_offers
from trading.offers import LIST_KEY, Offer, load_offer
from trading.problems import answers
from trading.schemas.coins import CoinAnswer, CoinDetailAnswer, CoinInPath
from trading.selectors.prices import list_price_history
from wallets.runtime import clock
from wallets.web.bodies import Body
from wallets.web.callers import AnonymousCaller, redis_round_of
from wallets.web.lists import FormQuery, ListOf
from wallets.web.problems import ANYBODY

coins_router = Router(tags=["coins"])
HISTORY_POINTS: Final = 50
_COINS: Final = ListOf(CoinAnswer)


@coins_router.get(
    "crypto-currencies/",
    auth=AnonymousCaller(prefetch=lambda _request: (LIST_KEY,)),
    operation_id="listCoins",
    summary="List coins and prices",
    **answers({200: _COINS.schema}, *ANYBODY),
)
def coins(request: HttpRequest, response: HttpResponse, query: Query[FormQuery]) -> HttpResponse:
    """Returns the coins on sale, with their prices and limits."""
    now = clock.now()
    cached = redis_round_of(request).find(LIST_KEY)
    rows = (_coin_fields(offer, now) for offer in list_offers(cached=cached))
    return _COINS.answer(response, rows, query=query)


@coins_router.get(
    "crypto-currencies/{name}/",
    auth=AnonymousCaller(),
    operation_id="getCoin",
    summary="Look at a coin",
    **answers({200: CoinDetailAnswer}, *ANYBODY, UnknownCoin),
)
def one_coin(request: HttpRequest, name: CoinInPath) -> Body:
    """Returns one coin, with its recent price history."""
    offer = load_offer(coin_name=name)
    return {
        **_coin_fields(offer, clock.now()),
        "history": [
            {"price": change.value, "at": change.read_at}
            for change in list_price_history(coin_id=offer.coin_id, limit=HISTORY_POINTS)
        ],
    }


def _coin_fields(offer: Offer, now: datetime) -> Body:
    return {
        "name": offer.name,
        "title": offer.title,
        "price": offer.price,
        "price_at": offer.price_at,
        "price_source": offer.price_source or None,
        "is_available": offer.is_available(now=now),
        "unavailable_reason": offer.why_unavailable(now=now),
        "minimum": offer.minimum,
        "maximum": offer.maximum,
        "step": offer.step,
        "fee_rate": offer.terms.fee_rate,
    }
