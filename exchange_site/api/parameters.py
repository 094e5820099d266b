"""Refuse query parameters that an operation does not have. Ninja ignores them: a misspelt one would have no effect."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, get_type_hints

from django.http import HttpRequest
from ninja.errors import ValidationError
from ninja.params.models import Query


def refuse_unknown_parameters(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of an operation that raises ValidationError for query parameters which it does not have.

    A decorator for Ninja, which calls the function after it has checked the caller and the other parameters.
    """
    known = frozenset(_find_names(operation))

    @wraps(operation)
    def refusing(request: HttpRequest, **given: Any) -> Any:
        if request.META.get("QUERY_STRING") and (unknown := sorted(request.GET.keys() - known)):
            raise ValidationError([{"loc": ("query", name), "msg": "is not a parameter here"} for name in unknown])
        return operation(request, **given)

    return refusing


def _find_names(operation: Callable[..., Any]) -> Iterator[str]:
    """Yield the names of an operation's query parameters, which are the fields of models."""
    for hint in get_type_hints(operation, include_extras=True).values():
        if any(isinstance(mark, Query) for mark in getattr(hint, "__metadata__", ())):
            yield from hint.__origin__.model_fields
