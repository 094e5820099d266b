"""Conditions for check constraints that Django does not provide."""

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Cast

# Postgres sorts NaN above every number, so the check `x >= 0` accepts NaN.
_NAN = Cast(Value("NaN"), models.DecimalField(max_digits=38, decimal_places=8))


def is_number(field: str) -> Q:
    """Return the condition that `field` is not NaN."""
    return ~Q(**{field: _NAN})
