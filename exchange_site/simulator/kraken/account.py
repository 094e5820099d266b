"""The account: "Get Account Balance", "Get Extended Balance" and "Get Trade Volume", Kraken's API documentation."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aiohttp import web

from exchange_site.simulator.book.matching import Book
from exchange_site.simulator.kraken.names import DOLLARS, asset_of, find_pairs
from exchange_site.simulator.kraken.signing import read_signed
from exchange_site.simulator.kraken.suffering import answer, in_krakens_words, suffer_named
from exchange_site.simulator.markets import QUOTE_ASSET
from exchange_site.simulator.venue import VENUE

_OCCASION = "account"


def routes() -> list[web.RouteDef]:
    return [
        web.post("/0/private/Balance", in_krakens_words(_balance)),
        web.post("/0/private/BalanceEx", in_krakens_words(_extended_balance)),
        web.post("/0/private/TradeVolume", in_krakens_words(_trade_volume)),
    ]


async def _balance(request: web.Request) -> web.StreamResponse:
    await read_signed(request)
    fault = await suffer_named(request, _OCCASION)
    held = _held(request.app[VENUE].book)
    return await answer(request, {asset: f"{total:.10f}" for asset, total in held.items()}, fault)


async def _extended_balance(request: web.Request) -> web.StreamResponse:
    await read_signed(request)
    fault = await suffer_named(request, _OCCASION)
    book = request.app[VENUE].book
    locked = _by_id(book.account.locked())
    result = {
        asset: {"balance": f"{total:.10f}", "hold_trade": f"{locked.get(asset, 0):.10f}"}
        for asset, total in _held(book).items()
    }
    return await answer(request, result, fault)


async def _trade_volume(request: web.Request) -> web.StreamResponse:
    """Answer with the fees of pairs in percent, if pairs are named."""
    sent, book = await read_signed(request), request.app[VENUE].book
    fault = await suffer_named(request, _OCCASION)
    result: dict[str, Any] = {"currency": asset_of(DOLLARS).id, "volume": "0.0000"}
    if sent.get("pair"):
        pairs = find_pairs(sent["pair"], symbols=book.listings.symbols())
        rate, _ = book.account.commission()
        result["fees"] = {pair.id: _fee(rate) for pair in pairs}
        result["fees_maker"] = result["fees"]
    return await answer(request, result, fault)


def _held(book: Book) -> dict[str, Decimal]:
    """Return what the account holds, free or locked, by Kraken's ids of assets."""
    free, locked = book.account.balances(), book.account.locked()
    return _by_id({asset: amount + locked.get(asset, Decimal(0)) for asset, amount in free.items()})


def _by_id(amounts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return amounts by Kraken's ids of assets. The dollars are shown under both of their names."""
    dollars = amounts.get(QUOTE_ASSET, Decimal(0))
    return {asset_of(name).id: amount for name, amount in {**amounts, QUOTE_ASSET: dollars, DOLLARS: dollars}.items()}


def _fee(rate: Decimal) -> dict[str, str | None]:
    percent = f"{rate * 100:.4f}"
    return {
        "fee": percent,
        "minfee": percent,
        "maxfee": percent,
        "nextfee": None,
        "nextvolume": None,
        "tiervolume": "0.0000",
    }
