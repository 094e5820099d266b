"""Environment variables in groups, and what each says about itself.

Defaults are written as an environment would hold them, so that they are parsed and checked like any other value.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self, TypedDict, Unpack, cast

from pydantic import ConfigDict, Field
from pydantic.fields import FieldInfo

# Groups are dataclasses, not models: at each access Django's settings look for an attribute of the value that it lacks,
# which takes a model 2.5 µs and these 0.25 µs.
PARSED: Final = ConfigDict(extra="ignore", validate_default=True, hide_input_in_errors=True)


class Group:
    """Variables of one topic: a section of docs/configuration.md, or a part of the section with the same title."""

    title: ClassVar[str]
    intro: ClassVar[str] = ""

    __pydantic_fields__: ClassVar[dict[str, FieldInfo]]


Default = str | Callable[[dict[str, Any]], str]
"""A text, or a function of the fields above in the same group."""


class Words(TypedDict, total=False):
    """What else a variable says of itself.

    `in_production` is its default there, where that differs; `shown` replaces the default in the documentation and
    `example` in config.example.env; a `secret` is left out where its group is printed, as on Django's error page.
    """

    unit: str
    in_production: str
    shown: str
    example: str
    secret: bool


@dataclass(frozen=True, kw_only=True)
class Variable:
    """An environment variable as it is documented; one that is made from others has no default."""

    name: str
    default: str | None
    meaning: str
    words: Words

    @classmethod
    def of(cls, field: FieldInfo) -> Self:
        """Return the variable of a field that `variable` made."""
        return cls(
            name=str(field.validation_alias),
            default=field.default if isinstance(field.default, str) else None,
            meaning=field.description or "",
            words=cast("Words", field.json_schema_extra),
        )


def variable(name: str, default: Default, meaning: str = "", **words: Unpack[Words]) -> Any:
    """Declare the field that the environment variable `name` fills."""
    given: dict[str, Any] = {"default_factory": default} if callable(default) else {"default": default}
    return Field(
        **given,
        validation_alias=name,
        description=meaning,
        repr=not words.get("secret", False),
        json_schema_extra=cast("dict[str, Any]", words),
    )


def list_variables(group: type[Group]) -> Iterator[Variable]:
    """Yield the variables of a group in the order in which they are declared."""
    return (Variable.of(field) for field in group.__pydantic_fields__.values())
