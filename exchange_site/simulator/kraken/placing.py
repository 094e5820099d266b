"""Place and cancel orders ("Add Order", "Cancel Order", Kraken's API documentation)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import uuid4

from aiohttp import web

from exchange_site.simulator.book.matching import Book
from exchange_site.simulator.book.orders import NewOrder, now_milliseconds
from exchange_site.simulator.book.terms import Terms
from exchange_site.simulator.kraken.errors import (
    CANCEL_ONLY,
    DEADLINE_ELAPSED,
    INVALID_ARGUMENTS,
    INVALID_PRICE,
    NO_FUNDS,
    OFF_TICK,
    TOO_CHEAP,
    TOO_LITTLE,
    UNKNOWN_ORDER,
    KrakenError,
)
from exchange_site.simulator.kraken.ids import ORDER, read_id, write_id
from exchange_site.simulator.kraken.names import Pair, find_pair
from exchange_site.simulator.kraken.reading import (
    read_client_id,
    read_moment,
    read_number,
    read_one_of,
    read_reference,
    read_switch,
)
from exchange_site.simulator.kraken.signing import read_signed
from exchange_site.simulator.kraken.suffering import answer, in_krakens_words, suffer
from exchange_site.simulator.kraken.writing import UNNAMED, decimals_of, describe
from exchange_site.simulator.markets import QUOTE_ASSET, TRADING
from exchange_site.simulator.venue import VENUE

_SHORTEST_DEADLINE: Final = 2000
_LONGEST_DEADLINE: Final = 60_000
_FEE_FLAGS: Final = frozenset({"fciq", "fcib"})
_IGNORED_FLAGS: Final = frozenset({"nompp"})
_MOST_LOT_DECIMALS: Final = 8
_NOTHING: Final = frozenset({"", "0", "none", "false"})
_NOT_THERE: Final = ("leverage", "starttm", "expiretm", "price2", "displayvol", "reduce_only", "close[ordertype]")
"""Parameters of margin, of schedules and of conditional orders, which the simulator does not have."""


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """An order that a client asks for. `price` is None for a market order; prices are in the quote asset."""

    pair: Pair
    side: str
    volume: Decimal
    price: Decimal | None
    is_immediate: bool
    pays_in_base: bool
    client_id: str | None
    reference: int | None

    @property
    def flags(self) -> str:
        return "fcib" if self.pays_in_base else "fciq"


def routes() -> list[web.RouteDef]:
    return [
        web.post("/0/private/AddOrder", in_krakens_words(_add_order)),
        web.post("/0/private/CancelOrder", in_krakens_words(_cancel_order)),
    ]


async def _add_order(request: web.Request) -> web.StreamResponse:
    sent, book = await read_signed(request), request.app[VENUE].book
    wanted = _read(sent, book)
    deadline = _read_deadline(sent)
    if read_switch(sent, "validate"):
        _check(wanted, book)
        return await answer(request, {"descr": _descr(wanted, book)})
    fault = await suffer(request, "place", symbol=wanted.pair.symbol)
    if deadline and deadline < now_milliseconds():  # again after a delay: the engine checks when an order reaches it
        raise KrakenError(DEADLINE_ELAPSED)
    _check(wanted, book)
    fraction = fault.fillable(quantity=wanted.volume) if fault else Decimal(1)
    placed = book.place(_new_order(wanted), fraction=fraction)
    return await answer(request, {"descr": _descr(wanted, book), "txid": [write_id(ORDER, placed["id"])]}, fault)


async def _cancel_order(request: web.Request) -> web.StreamResponse:
    """Cancel the open orders that a transaction id, a client order id or a reference names."""
    sent, book = await read_signed(request), request.app[VENUE].book
    fault = await suffer(request)
    named = _named(sent, book)
    if not named:
        raise KrakenError(UNKNOWN_ORDER)
    for order_id in named:
        book.cancel(order_id)
        book.terms.close(order_id, now=now_milliseconds())
    return await answer(request, {"count": len(named)}, fault)


def _named(sent: Mapping[str, str], book: Book) -> list[int]:
    client_id, name = read_client_id(sent), sent.get("txid", "")
    if client_id is None and not name:
        raise KrakenError(INVALID_ARGUMENTS)
    number = read_id(ORDER, name)
    return [
        row["id"]
        for row in book.orders.list_all(only_open=True)
        if row["id"] == number or row["client_id"] == client_id or _has_reference(book, row["id"], name)
    ]


def _has_reference(book: Book, order_id: int, text: str) -> bool:
    terms = book.terms.get(order_id)
    return terms is not None and terms.reference is not None and str(terms.reference) == text


def _read(sent: Mapping[str, str], book: Book) -> _Wanted:
    kind = read_one_of(sent, "ordertype", ("limit", "market"))
    side = read_one_of(sent, "type", ("buy", "sell"))
    pair = find_pair(sent.get("pair", ""), symbols=set(book.listings.symbols()))
    client_id, reference = read_client_id(sent), read_reference(sent)
    if client_id is not None and reference is not None:
        raise KrakenError(INVALID_ARGUMENTS)  # one or the other
    for name in _NOT_THERE:
        if sent.get(name, "") not in _NOTHING:
            raise KrakenError(INVALID_ARGUMENTS, name)
    time_in_force = read_one_of(sent, "timeinforce", ("GTC", "IOC"), otherwise="GTC")
    return _Wanted(
        pair=pair,
        side=side,
        volume=read_number(sent, "volume"),
        price=read_number(sent, "price") if kind == "limit" else None,
        is_immediate=time_in_force == "IOC" or kind == "market",
        pays_in_base=_pays_in_base(sent, side=side),
        client_id=client_id,
        reference=reference,
    )


def _pays_in_base(sent: Mapping[str, str], *, side: str) -> bool:
    """Say whether the base asset pays the commission: as a flag says, else if the order sells. Raises KrakenError."""
    flags = {flag.strip() for flag in sent.get("oflags", "").split(",") if flag.strip()}
    chosen = flags & _FEE_FLAGS
    if flags - _FEE_FLAGS - _IGNORED_FLAGS or chosen == _FEE_FLAGS:
        raise KrakenError(INVALID_ARGUMENTS, "oflags")
    return "fcib" in chosen if chosen else side == "sell"


def _read_deadline(sent: Mapping[str, str]) -> int | None:
    """Return the deadline in milliseconds, or None. Raises KrakenError for one that has passed or is out of bounds."""
    deadline, now = read_moment(sent, "deadline"), now_milliseconds()
    if deadline is None:
        return None
    if deadline < now:
        raise KrakenError(DEADLINE_ELAPSED)
    if not now + _SHORTEST_DEADLINE <= deadline <= now + _LONGEST_DEADLINE:
        raise KrakenError(INVALID_ARGUMENTS, "deadline")
    return deadline


def _check(wanted: _Wanted, book: Book) -> None:
    """Refuse an order that the pair's rules, its state or the account do not allow. Raises KrakenError."""
    filters = book.listings.filters(wanted.pair.symbol)
    market = book.pricing.market(wanted.pair.symbol).now(now_milliseconds())
    if book.listings.status(wanted.pair.symbol) != TRADING:
        raise KrakenError(CANCEL_ONLY)
    if wanted.price is not None:
        _check_price(wanted.price, tick=filters.tick, name=wanted.pair.wsname)
    step = filters.step or Decimal(1).scaleb(-_MOST_LOT_DECIMALS)
    if wanted.volume < filters.minimum:
        raise KrakenError(TOO_LITTLE)
    if wanted.volume % step:
        raise KrakenError(INVALID_ARGUMENTS, "volume")
    if wanted.volume * (wanted.price or market.last) < filters.notional:
        raise KrakenError(TOO_CHEAP)
    _ensure_funds(wanted, book, price=wanted.price or market.ask)


def _check_price(price: Decimal, *, tick: Decimal, name: str) -> None:
    decimals = decimals_of(tick)
    if price != price.quantize(Decimal(1).scaleb(-decimals)):
        raise KrakenError(INVALID_PRICE, f"{name} price can only be specified up to {decimals} decimals.")
    if tick and price % tick:
        raise KrakenError(OFF_TICK)


def _ensure_funds(wanted: _Wanted, book: Book, *, price: Decimal) -> None:
    """Refuse an order that the account cannot pay together with its commission. Raises KrakenError."""
    rate, _ = book.account.commission()
    cost = wanted.volume * price
    needed = {QUOTE_ASSET: cost} if wanted.side == "buy" else {wanted.pair.base.name: wanted.volume}
    if wanted.side == "buy" and not wanted.pays_in_base:
        needed[QUOTE_ASSET] += cost * rate
    if wanted.side == "sell" and wanted.pays_in_base:
        needed[wanted.pair.base.name] += wanted.volume * rate
    free = book.account.balances()
    if any(free.get(asset, Decimal(0)) < amount for asset, amount in needed.items()):
        raise KrakenError(NO_FUNDS)


def _new_order(wanted: _Wanted) -> NewOrder:
    return NewOrder(
        client_id=wanted.client_id or f"{UNNAMED}{uuid4().hex}",
        symbol=wanted.pair.symbol,
        side=wanted.side.upper(),
        type="MARKET" if wanted.price is None else "LIMIT",
        time_in_force="IOC" if wanted.is_immediate else "GTC",
        price=wanted.price,
        quantity=wanted.volume,
        terms=Terms(
            commission_asset=wanted.pair.base.name if wanted.pays_in_base else QUOTE_ASSET,
            quote=wanted.pair.quote.name,
            flags=wanted.flags,
            reference=wanted.reference,
        ),
    )


def _descr(wanted: _Wanted, book: Book) -> dict[str, str]:
    decimals = decimals_of(book.listings.filters(wanted.pair.symbol).tick)
    return {
        "order": describe(
            side=wanted.side, volume=wanted.volume, pair=wanted.pair, price=wanted.price, decimals=decimals
        )
    }
