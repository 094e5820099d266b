"""Read and write JSON without loss. Numbers become decimals; text that Postgres cannot store is refused."""

import json
from decimal import Decimal
from typing import Any, Final

from django.http import HttpRequest
from ninja.parser import Parser
from ninja.renderers import BaseRenderer, JSONRenderer

from wallets.web.bodies import MalformedJson, UnsupportedMediaType


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _object_of_unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has a name twice")
    return members


def _integer(text: str) -> int | Decimal:
    """Return an integer; a decimal if Python makes no integer of so many digits, so that a field refuses it by name."""
    try:
        return int(text)
    except ValueError:
        return Decimal(text)


_decoder: Final = json.JSONDecoder(
    parse_float=Decimal, parse_int=_integer, parse_constant=_refuse, object_pairs_hook=_object_of_unique_names
)


class ExactJsonParser(Parser):
    """Parse a JSON object with decimals instead of floats, and refuse everything that is not strict JSON."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        if request.content_type not in {"", "application/json"}:
            raise UnsupportedMediaType
        return parse_object(request.body)


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object. Raises MalformedJson, even for NaN, duplicate names, lone surrogates, NUL, deep nesting."""
    try:
        data = _decoder.decode(body.decode())
        _refuse_unstorable_text(data)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise MalformedJson from error
    if not isinstance(data, dict):
        raise MalformedJson
    return data


class ExactJsonRenderer(BaseRenderer):
    """Write JSON. The schemas have already turned amounts into strings."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return to_json(data).encode()


def to_json(data: Any) -> str:
    """Return `data` as JSON, without loss."""
    return json.dumps(data, cls=JSONRenderer.encoder_class)


def _refuse_unstorable_text(data: Any) -> None:
    if isinstance(data, str):
        data.encode()
        if "\0" in data:
            raise ValueError("NUL in a text")
    elif isinstance(data, dict):
        for name, value in data.items():
            _refuse_unstorable_text(name)
            _refuse_unstorable_text(value)
    elif isinstance(data, list):
        for value in data:
            _refuse_unstorable_text(value)
