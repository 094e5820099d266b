"""The levels of the side of a market that sells: prices, and the coins to be had at each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from itertools import pairwise
from typing import Any, Final

from exchange_site.simulator.inputs import read_list, read_number, read_price

ENDLESS: Final = Decimal("Infinity")
EIGHT_PLACES: Final = Decimal("0.00000001")
_MOST_LEVELS: Final = 1000
_TICKS_IN_A_PRICE: Final = 1000
_DIGITS: Final = 10
UP: Final = ROUND_CEILING
DOWN: Final = ROUND_FLOOR
NEAREST: Final = ROUND_HALF_EVEN


@dataclass(frozen=True, kw_only=True)
class Level:
    """A price, and the number of coins to be had at it."""

    price: Decimal
    quantity: Decimal


def read_depth(data: object) -> tuple[Level, ...]:
    """Read levels as in `[["20.01", "5"], ["20.05", "50"]]`. Raises ValueError."""
    levels = tuple(_read_level(entry) for entry in read_list(data, name="depth", at_most=_MOST_LEVELS))
    if any(second.price <= first.price for first, second in pairwise(levels)):
        raise ValueError("the prices of depth rise from level to level")
    return levels


def write_depth(levels: Iterable[Level]) -> list[Any]:
    """Write levels as `read_depth` reads them."""
    return [[f"{level.price:f}", f"{level.quantity:f}"] for level in levels]


def take(levels: Sequence[Level], *, quantity: Decimal, step: Decimal) -> list[Decimal]:
    """Return how many coins an order takes from each level, in whole steps."""
    taken, wanted = [], quantity
    for level in levels:
        taken.append(round_down(min(level.quantity, wanted), step))
        wanted -= taken[-1]
    return taken


def split(part: Decimal, *, pieces: int, step: Decimal) -> list[Decimal]:
    """Return a quantity in so many pieces of whole steps, the last the largest; in fewer if it has fewer steps."""
    count = max(1, min(pieces, int(part // step)))
    piece = round_down(part / count, step)
    return [piece] * (count - 1) + [part - piece * (count - 1)]


def round_down(quantity: Decimal, step: Decimal) -> Decimal:
    """Round a quantity down to whole steps."""
    return quantity // step * step


def times(price: Decimal, ratio: Decimal, *, tick: Decimal, rounding: str) -> Decimal:
    """Multiply a price, and round it. A ratio of one leaves the price as it was set."""
    return price if ratio == 1 else round_price(price * ratio, tick=tick, rounding=rounding)


def round_price(price: Decimal, *, tick: Decimal, rounding: str) -> Decimal:
    """Round a price to the tick, or to ten digits if the tick is too coarse: a spread of a tick would be none."""
    if not tick or tick * _TICKS_IN_A_PRICE > price:
        return Context(prec=_DIGITS, rounding=rounding).plus(price)
    return (price / tick).to_integral_value(rounding=rounding) * tick


def _read_level(entry: object) -> Level:
    if not isinstance(entry, list) or len(entry) != len(("price", "quantity")):
        raise ValueError('a level of depth is a price and a quantity, as in ["20.01", "5"]')
    price, quantity = entry
    return Level(
        price=read_price(price, name="the price of a level"),
        quantity=read_number(quantity, name="the quantity of a level", zero=False),
    )
