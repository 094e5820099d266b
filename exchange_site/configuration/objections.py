"""Sentences that say why a process does not start."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

_TYPE: Final = "refused"
_CONSEQUENCE: Final = "default_factory_not_called"  # a default that is computed from a value of a wrong form


class Objection(NamedTuple):
    """A variable, and a sentence that names it and does not repeat its value."""

    variable: str
    sentence: str


def read_objections(error: ValidationError) -> list[Objection]:
    """Return the objections that an error holds, one for each variable of a wrong form."""
    found = error.errors(include_url=False, include_input=False)
    return [_objection_of(details) for details in found if details["type"] != _CONSEQUENCE]


def with_example(objection: Objection, example: str) -> Objection:
    """Return an objection whose sentence shows a value of the right form, unless it shows one already."""
    if not example or any(word in objection.sentence for word in (" such as ", " as in ")):
        return objection
    sentence = f"{objection.sentence.removesuffix('.')}, as in {objection.variable}={example}"
    return Objection(objection.variable, sentence)


def error_of(objections: Iterable[Objection]) -> ValidationError:
    """Return an error that holds the objections, each once and in their order."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError(_TYPE, "{sentence}", {"sentence": objection.sentence}),
            loc=(objection.variable,),
            input=None,
        )
        for objection in dict.fromkeys(objections)
    ]
    return ValidationError.from_exception_data("Configuration", details, hide_input=True)


def explain(error: ValidationError) -> str:
    """Return the objections of an error as text, a line for each."""
    return "\n".join(["The configuration is refused:", *(f"- {each.sentence}" for each in read_objections(error))])


def _objection_of(details: Mapping[str, Any]) -> Objection:
    names = [str(part) for part in details["loc"] if str(part).isupper()]
    name = names[-1] if names else ""
    message = str(details["msg"]).removeprefix("Value error, ")
    if details["type"] == _TYPE or not name:
        return Objection(name or message.partition(" ")[0], message)
    return Objection(name, f"{name}: {message[:1].lower()}{message[1:].removesuffix('.')}.")
