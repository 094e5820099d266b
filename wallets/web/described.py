"""Names and words of schemas in the OpenAPI document, for people who read it and for generators of clients.

They change nothing in what is accepted or answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import getdoc
from typing import Any, Final

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema

Schema = dict[str, Any]

NAME: Final = "x-schema-name"
"""Marks a schema that the document moves to its components under this name."""
ALSO_ACCEPTS: Final = "x-also-accepts"
"""Holds a schema of further values that requests may have, which generators skip: their clients send the first form."""


def named(name: str, schema: Schema) -> Schema:
    """Return the schema of a component with this name."""
    return {**schema, "title": name, NAME: name}


@dataclass(frozen=True, eq=False)
class Words:
    """Annotates a `Literal` with the name of its schema, what it is about, and a sentence for each value.

    `may_grow`: answers may have values later that clients do not know yet (docs/versions.md).
    """

    name: str
    about: str
    values: Mapping[str, str]
    may_grow: bool = True

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        schema = handler(core_schema)
        values = schema["enum"] if "enum" in schema else [schema["const"]]
        assert set(values) == self.values.keys(), f"{self.name} describes each of its values"
        return enumeration(self.name, self.about, self.values, may_grow=self.may_grow)


def enumeration(name: str, about: str, values: Mapping[str, str], *, may_grow: bool = True) -> Schema:
    """Return the named schema of texts, with a sentence for each: in the description, and for generators."""
    lines = "\n".join(f"- `{value}`: {sentence}" for value, sentence in values.items())
    growth = " Later there may be further values." if may_grow else ""
    schema = {
        "type": "string",
        "enum": list(values),
        "description": f"{about}{growth}\n\n{lines}",
        "x-enum-descriptions": list(values.values()),
        "x-extensible-enum": may_grow,
    }
    return named(name, schema)


def describe_without_null(schema: Schema, *names: str) -> None:
    """Describe optional members that are left out, and never null."""
    for name in names:
        member = schema["properties"][name]
        [given] = [choice for choice in member.pop("anyOf") if choice != {"type": "null"}]
        member.pop("default", None)
        member |= given


def one_of(body: type[BaseModel], handler: GetJsonSchemaHandler, *alternatives: type[BaseModel]) -> Schema:
    """Describe a body as exactly one of several, which generators make types of; `body` itself parses them all."""
    described = [named(each.__name__, handler(each.__pydantic_core_schema__)) for each in alternatives]
    examples = [example for each in alternatives for example in _examples(each)]
    return {"title": body.__name__, "description": getdoc(body), "oneOf": described, "examples": examples}


def _examples(alternative: type[BaseModel]) -> list[Schema]:
    found: list[Schema] = alternative.model_json_schema()["examples"]
    return found
