"""Put the schemas of Ninja's OpenAPI document in order: names, problems, and nothing that no operation uses."""

import json
import re
from typing import Any, Final

from exchange_site.api.problems import KINDS
from wallets.money import COIN_PLACES
from wallets.web.described import NAME, Schema, enumeration

_DATA: Final = frozenset({"example", "examples", "default", "enum", "const"})
"""Keywords that hold data instead of schemas."""
_REFERENCE: Final = re.compile(r'"#/components/schemas/([^"]+)"')
_PROBLEM: Final[Schema] = {
    "type": {"format": "uri-reference", "description": "Names the kind of problem, as `code` does."},
    "title": {"description": "The kind of problem in some words, always the same for a code."},
    "status": {"format": "int32", "minimum": 400, "maximum": 599, "description": "The answer's status."},
    "detail": {"description": "What went wrong this time, for people. The wording may change."},
    "errors": {"description": "The members or parameters that are not valid. Only with the code `validation_error`."},
    "price": {
        "format": "decimal",
        "pattern": rf"^[0-9]+\.[0-9]{{{COIN_PLACES},}}$",
        "description": "The price of now, in US dollars a coin. Only in problems about a price.",
    },
}
_REQUEST_ID: Final[Schema] = {"type": "string", "description": "The request's id, as in the header `X-Request-ID`."}


def arrange_schemas(document: Schema) -> None:
    """Name the schemas that bear a name, tidy members, and describe problems."""
    found: Schema = document["components"]["schemas"]
    moved: Schema = {}
    arranged = {name: _moved(schema, moved) for name, schema in found.items()}
    document["paths"] = _moved(document["paths"], moved)
    _moved(_codes(), moved)
    schemas = {**arranged, **moved}
    _tidy_members(schemas)
    _describe_problem(schemas["Problem"])
    document["components"]["schemas"] = schemas


def remove_unused(document: Schema) -> None:
    """Remove the schemas that no operation uses, such as those of which Ninja has made parameters."""
    schemas: Schema = document["components"]["schemas"]
    used: set[str] = set()
    new = _references(document["paths"])
    while new:
        used |= new
        new = {name for each in new for name in _references(schemas[each])} - used
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(used)}


def without_null(schema: Schema) -> Schema:
    """Return the schema without null, as what is left out instead: a parameter, a body, a member of a problem."""
    choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {**{name: value for name, value in schema.items() if name != "anyOf"}, **choices[0]}


def _moved(node: Any, schemas: Schema) -> Any:
    if isinstance(node, list):
        return [_moved(each, schemas) for each in node]
    if not isinstance(node, dict):
        return node
    copy = {key: value if key in _DATA else _moved(value, schemas) for key, value in node.items()}
    if copy.get("type") == "integer" and "maximum" not in copy:
        copy["format"] = "int64"  # ids are longer than the integers that some generators make
    name = copy.pop(NAME, None)
    if name is None:
        return copy
    schemas[name] = {**copy, "title": name}
    return {"$ref": f"#/components/schemas/{name}"}


def _tidy_members(schemas: Schema) -> None:
    """Remove titles that repeat the name, and defaults, for which openapi-typescript takes a member for required."""
    for schema in schemas.values():
        for member in schema.get("properties", {}).values():
            member.pop("title", None)
            member.pop("default", None)


def _references(node: Any) -> set[str]:
    return set(_REFERENCE.findall(json.dumps(node)))


def _describe_problem(schema: Schema) -> None:
    members = schema["properties"]
    members.setdefault("request_id", dict(_REQUEST_ID))
    for name, words in _PROBLEM.items():
        members[name] = {**without_null(members[name]), **words}
    members["request_id"] |= _REQUEST_ID
    members["code"] = {"$ref": "#/components/schemas/ProblemCode"}


def _codes() -> Schema:
    statuses: dict[str, list[str]] = {}
    for status, code in sorted(KINDS):
        statuses.setdefault(code, []).append(str(status))
    titles = {kind.code: kind.title for kind in KINDS.values()}
    values = {code: f"{titles[code]} ({' or '.join(statuses[code])})." for code in sorted(statuses)}
    return enumeration("ProblemCode", "The kind of problem, by which programs can decide.", values)
