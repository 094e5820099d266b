"""Kraken's names of assets and pairs ("Get Asset Info", "Get Tradable Asset Pairs").

Old assets have a prefix in their id: X for coins, Z for money. Bitcoin is XBT, Dogecoin is XDG. The ids of the oldest
pairs are made of ids of assets, those of all others of their other names.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from exchange_site.simulator.kraken.errors import UNKNOWN_ASSET, UNKNOWN_PAIR, KrakenError
from exchange_site.simulator.markets import QUOTE_ASSET, base_of

DOLLARS: Final = "USD"
QUOTES: Final = (QUOTE_ASSET, DOLLARS)
"""The quote assets of the pairs of each market. Both are the book's quote asset by another name."""
_OLD: Final = {"BTC": ("XXBT", "XBT"), "ETH": ("XETH", "ETH"), "DOGE": ("XXDG", "XDG"), DOLLARS: ("ZUSD", "USD")}
_OLD_PAIRS: Final = frozenset({("BTC", DOLLARS), ("ETH", DOLLARS)})


@dataclass(frozen=True, kw_only=True)
class Asset:
    """An asset: its name in the book, and Kraken's id and other name."""

    name: str
    id: str
    altname: str


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A pair, and the symbol of its market in the book."""

    symbol: str
    base: Asset
    quote: Asset

    @property
    def id(self) -> str:
        is_old = (self.base.name, self.quote.name) in _OLD_PAIRS
        return f"{self.base.id}{self.quote.id}" if is_old else self.altname

    @property
    def altname(self) -> str:
        return f"{self.base.altname}{self.quote.altname}"

    @property
    def wsname(self) -> str:
        return f"{self.base.altname}/{self.quote.altname}"


def asset_of(name: str) -> Asset:
    """Return an asset by its name in the book."""
    identity, altname = _OLD.get(name, (name, name))
    return Asset(name=name, id=identity, altname=altname)


def pair_of(symbol: str, *, quote: str) -> Pair:
    """Return the pair of a market against a quote asset."""
    return Pair(symbol=symbol, base=asset_of(base_of(symbol)), quote=asset_of(quote))


def pairs_of(symbols: Collection[str]) -> list[Pair]:
    """Return all pairs of the markets."""
    return [pair_of(symbol, quote=quote) for symbol in symbols for quote in QUOTES]


def assets_of(symbols: Collection[str]) -> list[Asset]:
    """Return all assets of the markets."""
    return [asset_of(name) for name in (*map(base_of, symbols), *QUOTES)]


def find_pair(name: str, *, symbols: Collection[str]) -> Pair:
    """Return a pair by its id or one of its other names. Raises KrakenError."""
    for quote in QUOTES:
        for ending in {asset_of(quote).id, asset_of(quote).altname}:
            symbol = f"{_name_of(name.removesuffix(ending).removesuffix('/'))}{QUOTE_ASSET}"
            pair = pair_of(symbol, quote=quote)
            if symbol in symbols and name in {pair.id, pair.altname, pair.wsname}:
                return pair
    raise KrakenError(UNKNOWN_PAIR)


def find_pairs(names: str, *, symbols: Collection[str]) -> list[Pair]:
    """Return pairs by a list of names with commas; all for an empty list. Raises KrakenError."""
    listed = set(symbols)
    wanted = [find_pair(name.strip(), symbols=listed) for name in names.split(",") if name.strip()]
    return wanted or pairs_of(symbols)


def find_assets(names: str, *, symbols: Collection[str]) -> list[Asset]:
    """Return assets by a list of names with commas; all for an empty list. Raises KrakenError."""
    known = {name: asset for asset in assets_of(symbols) for name in (asset.id, asset.altname)}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if not known.keys() >= set(wanted):
        raise KrakenError(UNKNOWN_ASSET)
    return [known[name] for name in wanted] or assets_of(symbols)


def _name_of(text: str) -> str:
    """Return the book's name of an asset of which an id or another name is given."""
    return next((name for name, names in _OLD.items() if text in names), text)
