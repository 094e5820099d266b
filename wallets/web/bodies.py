"""Base classes of all bodies, and the errors for unreadable bodies."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from wallets.exceptions import DomainError

Body = dict[str, Any]
"""The members of an answer's body; Ninja checks them against the operation's schema."""


class MalformedJson(DomainError):
    message = "The body must be a JSON object, in UTF-8."


class UnsupportedMediaType(DomainError):
    message = "The body must be sent as application/json."


def examples(*values: dict[str, Any]) -> ConfigDict:
    """Return a schema's configuration that adds example bodies to the API document."""
    return ConfigDict(json_schema_extra={"examples": list(values)})


class Response(BaseModel):
    """Base of an answer's body. Ninja's own Schema is slower: its support for querysets and files took a quarter of
    the time of a list.
    """

    # Each member is in each answer, also one with a default.
    model_config = ConfigDict(from_attributes=True, json_schema_serialization_defaults_required=True)


class Request(BaseModel):
    """Base of a request's body; refuses unknown members."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
