"""Words for check constraints that Django lacks."""

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Cast

# Postgres sorts NaN above every number, so `x >= 0` lets it pass.
_NAN = Cast(Value("NaN"), models.DecimalField(max_digits=38, decimal_places=8))


def is_number(field: str) -> Q:
    """`field` is not NaN."""
    return ~Q(**{field: _NAN})
