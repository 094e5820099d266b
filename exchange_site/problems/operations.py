"""The operations that can answer with a code, as the API's document says."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from exchange_site.api import api
from wallets.web.problems import PROBLEM_JSON


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation of the API: its method and path, what it does, and where Swagger UI shows it."""

    method: str
    path: str
    summary: str
    anchor: str


@cache
def operations_by_code() -> Mapping[str, tuple[Operation, ...]]:
    """Return the operations that can answer with each code, in the order of the document."""
    found: dict[str, list[Operation]] = {}
    for path, operations in api.get_openapi_schema()["paths"].items():
        for method, operation in operations.items():
            for code in _codes(operation):
                found.setdefault(code, []).append(_named(path, method, operation))
    return {code: tuple(operations) for code, operations in found.items()}


def _codes(operation: Mapping[str, Any]) -> dict[str, None]:
    """Return the codes of an operation's refusals, each once."""
    media = [answer.get("content", {}).get(PROBLEM_JSON, {}) for answer in operation["responses"].values()]
    return dict.fromkeys(code for each in media for code in each.get("examples", {}))


def _named(path: str, method: str, operation: Mapping[str, Any]) -> Operation:
    anchor = f"/{operation['tags'][0]}/{operation['operationId']}"
    return Operation(method=method.upper(), path=path, summary=operation["summary"], anchor=anchor)
