"""Conditions for check constraints that Django does not provide.

Postgres reads the stored form of every check of a table anew in each statement that inserts or updates. That form is
long: a comparison takes 500 characters, and a cast 150 more. Migrations use what is here, so it must not change.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from django.db import models
from django.db.models import ExpressionWrapper, F, Func, Q, Value
from django.db.models.functions import Cast, Sign
from django.db.models.lookups import Exact

ZERO: Final = Decimal("0.0")
"""Zero as a number with a point: without one, Postgres reads an integer and converts it in each check."""

# Postgres sorts NaN above every number, so the check `x >= 0` accepts NaN.
_NAN = Cast(Value("NaN"), models.DecimalField(max_digits=38, decimal_places=8))


def is_number(field: str) -> Q:
    """Return the condition that `field` is not NaN."""
    return ~Q(**{field: _NAN})


def is_above_zero(field: str) -> Q:
    """Return the condition that `field` is above zero and not NaN, whose sign is NaN; NULL passes."""
    return Q(Exact(Sign(F(field)), Value("1")))


def is_not_negative(field: str) -> Q:
    """Return the condition that `field` is zero or more and not NaN, which is above all numbers; NULL passes."""
    return Q(**{f"{field}__gte": ZERO, f"{field}__lt": Value("NaN")})


class _Condition(ExpressionWrapper):  # type: ignore[type-arg]  # of conditions
    """A condition as a value. Django leaves one out that is always false, as when a form's empty field is not NULL."""

    empty_result_set_value = False

    def __init__(self, condition: Q) -> None:
        super().__init__(condition, output_field=models.BooleanField())


class Agree(Func):
    """The condition that two conditions, neither of them NULL, are both true or both false."""

    template = "(%(expressions)s)"
    arg_joiner = ") = ("
    output_field = models.BooleanField()

    def __init__(self, first: Q, second: Q) -> None:
        super().__init__(_Condition(first), _Condition(second))


def agree(first: Q, second: Q) -> Q:
    """Return the condition that both conditions are true or both are false. Neither may ever be NULL."""
    return Q(Agree(first, second))


class IsOneOf(Func):
    """The condition that a text is an element of an array, which is one constant."""

    template = "%(expressions)s)"
    arg_joiner = " = ANY ("
    arity = 2
    output_field = models.BooleanField()


def is_one_of(field: str, words: Iterable[str]) -> Q:
    """Return the condition that `field` is one of the words, which consist of lower case letters and `_`."""
    return Q(IsOneOf(F(field), Value("{" + ",".join(words) + "}")))
