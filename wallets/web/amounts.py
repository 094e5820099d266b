"""Exact amounts in JSON: answers hold strings in plain notation, requests may hold strings or numbers."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from wallets.money import COIN_PLACES, PRICE_PLACES, USD_PLACES, exact, parse_decimal, plain
from wallets.web.described import ALSO_ACCEPTS


def _incoming(places: int, *, unit: str) -> Any:
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
                "type": "string",
                "format": "decimal",
                "pattern": rf"^[0-9]{{1,12}}(\.[0-9]{{1,{places}}})?$",
                "description": f"{unit}: above zero, exact, at most {places} decimal places. A number is accepted too.",
                "examples": [example],
                # Generators would make floats of numbers, which are not exact.
                ALSO_ACCEPTS: {"type": "number", "exclusiveMinimum": 0},
            }
        ),
    )


def _write_price(value: Decimal) -> str:
    """Return a price with all its places, and with those of a coin's amount at least."""
    whole, _, places = format(value, "f").partition(".")
    return f"{whole}.{places.rstrip('0'):0<{COIN_PLACES}}"


def _outgoing(places: int, *, unit: str) -> Any:
    return (
        PlainSerializer(lambda value: plain(value, places=places), return_type=str),
        _written(rf"^[0-9]+\.[0-9]{{{places}}}$", places=places, description=f"{unit}, with {places} decimal places."),
    )


def _written(pattern: str, *, places: int, description: str) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "type": "string",
            "format": "decimal",
            "pattern": pattern,
            "description": description,
            "examples": [plain(Decimal(12), places=places)],
        },
        mode="serialization",
    )


UsdIn = Annotated[Decimal, *_incoming(USD_PLACES, unit="US dollars")]
CoinIn = Annotated[Decimal, *_incoming(COIN_PLACES, unit="Coins")]
PriceIn = Annotated[Decimal, *_incoming(PRICE_PLACES, unit="US dollars a coin")]
"""A price in US dollars a coin, to the last place of the smallest."""
UsdOut = Annotated[Decimal, *_outgoing(USD_PLACES, unit="US dollars")]
CoinOut = Annotated[Decimal, *_outgoing(COIN_PLACES, unit="Coins")]
RateOut = Annotated[Decimal, *_outgoing(COIN_PLACES, unit="A share, such as 0.01 for one percent")]
PriceOut = Annotated[
    Decimal,
    PlainSerializer(_write_price, return_type=str),
    _written(
        rf"^[0-9]+\.[0-9]{{{COIN_PLACES},}}$",
        places=COIN_PLACES,
        description=f"US dollars a coin, with {COIN_PLACES} decimal places or more.",
    ),
]
"""A price in US dollars a coin: small ones have more places than an amount."""
