"""Refuse query parameters that an operation does not have, and those with two values.

Ninja ignores the former, so that a misspelt one would have no effect, and all values but the last of the latter.
"""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from functools import wraps
from typing import Any, get_type_hints

from django.http import HttpRequest, QueryDict
from ninja.errors import ValidationError
from ninja.params.models import Query


def refuse_other_parameters(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of an operation that raises ValidationError for query parameters which it does not have, and
    for those with two values.

    A decorator for Ninja, which calls the function after it has checked the caller and the other parameters.
    """
    known = frozenset(_find_names(operation))

    @wraps(operation)
    def refusing(request: HttpRequest, **given: Any) -> Any:
        if request.META.get("QUERY_STRING") and (wrong := list(_find_wrong(request.GET, known=known))):
            raise ValidationError([{"loc": ("query", name), "msg": why} for name, why in sorted(wrong)])
        return operation(request, **given)

    return refusing


def _find_wrong(query: QueryDict, *, known: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    """Yield the name of each parameter to refuse, and why. One that is given twice with one value is clear."""
    for name, values in query.lists():
        if name not in known:
            yield name, "is not a parameter here"
        elif len(set(values)) > 1:
            yield name, "is given twice, with different values"


def _find_names(operation: Callable[..., Any]) -> Iterator[str]:
    """Yield the names of an operation's query parameters, which are the fields of models."""
    for hint in get_type_hints(operation, include_extras=True).values():
        if any(isinstance(mark, Query) for mark in getattr(hint, "__metadata__", ())):
            yield from hint.__origin__.model_fields
