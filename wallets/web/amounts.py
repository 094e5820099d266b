"""Exact amounts in JSON: answers hold strings in plain notation, requests may hold strings or numbers."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from wallets.money import COIN_PLACES, PRICE_PLACES, USD_PLACES, exact, parse_decimal, plain


def _incoming(places: int) -> Any:
    def positive_exact(value: object) -> Decimal:
        number = parse_decimal(value)
        if number <= 0:
            raise ValueError("must be greater than zero")
        return exact(number, places=places)

    example = "12.00" if places == USD_PLACES else "3.00000000"
    return (
        BeforeValidator(positive_exact),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "pattern": rf"^[0-9]{{1,12}}(\.[0-9]{{1,{places}}})?$"},
                    {"type": "number", "exclusiveMinimum": 0},
                ],
                "description": f"Exact, at most {places} decimal places; a string or a number.",
                "examples": [example],
            }
        ),
    )


def _write_price(value: Decimal) -> str:
    """Return a price with all its places, and with those of a coin's amount at least."""
    whole, _, places = format(value, "f").partition(".")
    return f"{whole}.{places.rstrip('0'):0<{COIN_PLACES}}"


def _outgoing(places: int) -> Any:
    return (
        PlainSerializer(lambda value: plain(value, places=places), return_type=str),
        WithJsonSchema(
            {
                "type": "string",
                "pattern": rf"^[0-9]+\.[0-9]{{{places}}}$",
                "examples": [plain(Decimal(12), places=places)],
            },
            mode="serialization",
        ),
    )


UsdIn = Annotated[Decimal, *_incoming(USD_PLACES)]
CoinIn = Annotated[Decimal, *_incoming(COIN_PLACES)]
PriceIn = Annotated[Decimal, *_incoming(PRICE_PLACES)]
"""A price in US dollars a coin, to the last place of the smallest."""
UsdOut = Annotated[Decimal, *_outgoing(USD_PLACES)]
CoinOut = Annotated[Decimal, *_outgoing(COIN_PLACES)]
PriceOut = Annotated[
    Decimal,
    PlainSerializer(_write_price, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^[0-9]+\.[0-9]{{{COIN_PLACES},}}$",
            "examples": [plain(Decimal(12), places=COIN_PLACES)],
        },
        mode="serialization",
    ),
]
"""A price in US dollars a coin: small ones have more places than an amount."""
