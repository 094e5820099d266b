"""Read a venue's numbers digit by digit, as text: a float would round them."""

import json
from decimal import Decimal
from typing import Any, Final

_LONGEST_PLAIN: Final = 60


class PlainNumbers:
    """A mixin for ccxt's clients."""

    @staticmethod
    def on_json_response(body: str) -> Any:
        """Read a body as ccxt does, but numbers with a point as text, and NaN and Infinity as their names.

        A small number that a venue's library writes as 1.2e-9 becomes plain text, with the same digits.
        """
        return json.loads(body, parse_float=_as_text, parse_constant=str)


def read_answer(text: str) -> Any:
    """Return the JSON of an answer about our account, with numbers as `PlainNumbers` reads them.

    Raises ValueError for what is neither an object nor a list, and for an object that says a field in two ways.
    """
    body = json.loads(text, parse_float=_as_text, parse_constant=str, object_pairs_hook=_as_object)
    if not isinstance(body, dict | list):
        raise ValueError("neither an object nor a list")
    return body


def _as_object(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(fields)
    if len(told) < len(fields) and any(told[name] != value for name, value in fields):
        raise ValueError("a field in two ways")
    return told


def _as_text(number: str) -> str:
    """Return a JSON number in plain notation, or as it is if that would be absurdly long."""
    if "e" not in number and "E" not in number:
        return number
    value = Decimal(number)
    return f"{value:f}" if abs(value.adjusted()) < _LONGEST_PLAIN else number
