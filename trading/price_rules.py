"""Which price rule holds for a coin: read with the coins, for their offers."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import F, Min, OuterRef, Q, Subquery, TextField
from django.db.models.functions import Cast, JSONObject

from trading.models import PriceRule
from trading.price_terms import NO_RULE, PriceTerms

RuleFields = tuple[int, int | None, Decimal, Decimal, Decimal, Decimal | None]
"""Id, id of the coin (None: all coins), spread, and rate, minimum and maximum of the fee."""

_FIELDS: Final = JSONObject(
    id="pk",
    coin="coin",
    spread=Cast("spread_rate", TextField()),
    fee=Cast("fee_rate", TextField()),
    minimum=Cast("fee_minimum", TextField()),
    maximum=Cast("fee_maximum", TextField()),
)


def rule_of_coin(*, now: datetime) -> Subquery:
    """Return the rule that is valid for the coin of the outer query: a newest one of its own, else one of all coins."""
    of_coin = PriceRule.objects.filter(Q(coin=None) | Q(coin=OuterRef("pk")), valid_from__lte=now)
    newest = of_coin.order_by(F("coin").asc(nulls_last=True), "-valid_from", "-pk")
    return Subquery(newest.values(fields=_FIELDS)[:1])


def read_rule(row: dict[str, Any] | None) -> RuleFields | None:
    """Return the fields of what `rule_of_coin` has read: JSON, with its amounts as texts."""
    if row is None:
        return None
    maximum = row["maximum"] and Decimal(row["maximum"])
    return row["id"], row["coin"], Decimal(row["spread"]), Decimal(row["fee"]), Decimal(row["minimum"]), maximum


def terms_of_fields(rule: RuleFields | None, *, has_fixed_price: bool) -> PriceTerms:
    """Return the terms of a rule. A rule for all coins does not change a fixed price."""
    if rule is None or (has_fixed_price and rule[1] is None):
        return NO_RULE
    rule_id, _, spread_rate, fee_rate, fee_minimum, fee_maximum = rule
    return PriceTerms(
        rule_id=rule_id,
        spread_rate=spread_rate,
        fee_rate=fee_rate,
        fee_minimum=fee_minimum,
        fee_maximum=fee_maximum,
    )


def find_next_beginning(*, after: datetime, before: datetime) -> datetime | None:
    """Return the first moment between two others at which a rule begins, if any does."""
    begins = PriceRule.objects.filter(valid_from__gt=after, valid_from__lt=before).aggregate(first=Min("valid_from"))
    first: datetime | None = begins["first"]
    return first
