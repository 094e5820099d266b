"""Sentences that say why a process does not start."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

_TYPE: Final = "refused"


class Refusal(NamedTuple):
    """A variable, and a sentence that names it and does not repeat its value."""

    variable: str
    sentence: str


def read_refusals(error: ValidationError) -> list[Refusal]:
    """Return the refusals that an error holds, one for each variable of a wrong form."""
    return [_refusal_of(details) for details in error.errors(include_url=False, include_input=False)]


def error_of(refusals: Iterable[Refusal]) -> ValidationError:
    """Return an error that holds the refusals, each once and in their order."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError(_TYPE, "{sentence}", {"sentence": refusal.sentence}),
            loc=(refusal.variable,),
            input=None,
        )
        for refusal in dict.fromkeys(refusals)
    ]
    return ValidationError.from_exception_data("Configuration", details, hide_input=True)


def explain(error: ValidationError) -> str:
    """Return the refusals of an error as text, a line for each."""
    return "\n".join(["The configuration is refused:", *(f"- {each.sentence}" for each in read_refusals(error))])


def _refusal_of(details: Mapping[str, Any]) -> Refusal:
    names = [str(part) for part in details["loc"] if str(part).isupper()]
    name = names[-1] if names else ""
    message = str(details["msg"]).removeprefix("Value error, ")
    if details["type"] == _TYPE or not name:
        return Refusal(name or message.partition(" ")[0], message)
    return Refusal(name, f"{name}: {message[:1].lower()}{message[1:].removesuffix('.')}.")
