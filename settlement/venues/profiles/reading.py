"""Read the parts of a venue's answer, and write our figures, in the forms that several venues share."""

from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any, Final

from settlement.figures import add, read_figure
from settlement.gate import CannotBeTrue
from settlement.told import OrderTold, TradeTold
from settlement.venues.profiles.words import Call, Declined, Wire
from settlement.venues.protocol import VenueAway

_EXACT: Final = Context(prec=80)


def plain(value: Decimal) -> str:
    """Write a figure of ours in plain notation, without zeros at its end: venues refuse needless places."""
    return f"{value.normalize(_EXACT):f}"


def lower(said: object) -> object:
    """Return a word in lower case, and anything else as it is."""
    return said.lower() if isinstance(said, str) else said


def known(words: Mapping[str, str], said: object) -> object:
    """Return our word for the venue's, and any other as it is."""
    return words.get(said, said) if isinstance(said, str) else said


def as_dict(value: object) -> dict[str, Any]:
    """Return an object of a question's answer. Raises VenueAway for anything else."""
    if not isinstance(value, dict):
        raise VenueAway("an answer that cannot be read")
    return value


def as_rows(value: object) -> list[dict[str, Any]]:
    """Return the rows of a list of the venue's. Raises VenueAway for anything else."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise VenueAway("a list that cannot be read")
    return value


def ask_unless_declined(wire: Wire, call: Call) -> Any:
    """Ask a question. Return None if the venue declines it, unless it wants no calls at all. Raises VenueAway."""
    try:
        return wire.ask(call)
    except Declined as error:
        if error.retry_after_seconds is not None:
            raise
        return None


def trades_in(value: object) -> list[dict[str, Any]]:
    """Return the trades that came with an order, if any did. Raises CannotBeTrue if they cannot be read."""
    try:
        return as_rows(value) if value else []
    except VenueAway as error:
        raise CannotBeTrue("trades that cannot be read") from error


def sum_of(*said: object) -> object:
    """Return the sum of amounts, or the first that is no number."""
    numbers = [read_figure(each) for each in said]
    for number, each in zip(numbers, said, strict=True):
        if number is None:
            return each
    return add(number for number in numbers if number is not None)


def falls_short(trades: list[TradeTold], *, of: OrderTold) -> bool:
    """Say whether an order's trades, others left out, are known to fall short of what it executed."""
    ours = [trade.quantity for trade in trades if str(trade.venue_order_id) == str(of.venue_order_id)]
    return is_short_of(of.executed, ours)


def is_short_of(executed: object, quantities: list[object]) -> bool:
    """Say whether trades are known to fall short of what an order executed."""
    whole, parts = read_figure(executed), sum_of(*quantities)
    return whole is not None and isinstance(parts, Decimal) and parts < whole
