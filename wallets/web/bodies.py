"""The form of every body, and the refusal of bodies that have none."""

from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
)

from wallets.exceptions import DomainError

Body = dict[str, Any]
"""An answer's members; Ninja checks them against the operation's schema."""


class MalformedJson(DomainError):
    message = "The body must be a JSON object, in UTF-8."


class UnsupportedMediaType(DomainError):
    message = "The body must be sent as application/json."


def examples(*values: dict[str, Any]) -> ConfigDict:
    """Return a schema's configuration with instances of it, for the documents."""
    return ConfigDict(json_schema_extra={"examples": list(values)})


class Response(BaseModel):
    """An answer's body. Not Ninja's Schema, whose access to querysets and files took a quarter of a list's time."""

    model_config = ConfigDict(from_attributes=True)


class Request(BaseModel):
    """A request body: unknown members are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
