"""Reads price rules."""

from datetime import datetime
from decimal import Decimal

from trading.models import Coin, PriceRule
from trading.price_terms import NO_RULE, PriceTerms
from wallets.runtime import sql


def find_rule(*, coin: Coin | None, at: datetime) -> PriceRule | None:
    """Return the rule that holds for a coin at a moment; without a coin, for all coins. At most two queries.

    A rule for all coins does not hold for a coin with a fixed price.
    """
    valid = PriceRule.objects.filter(valid_from__lte=at).order_by("-valid_from", "-pk")
    own = valid.filter(coin=coin).first() if coin else None
    if own or (coin and coin.fixed_price is not None):
        return own
    return valid.filter(coin=None).first()


def find_unfit_rule(*, coin: Coin, least: Decimal) -> int | None:
    """Return the id of a coin's own rule, in force or to come, whose spread is below `least`; else None."""
    row = sql.fetch_one("trading.unfit_price_rules", coin=coin.pk, least=least)
    return row[0] if row else None


def find_spread(*, coin: Coin, at: datetime) -> Decimal:
    """Return the spread of the rule that holds for a coin at a moment, as a share; 0 without a rule."""
    return terms_of(find_rule(coin=coin, at=at)).spread_rate


def terms_of(rule: PriceRule | None) -> PriceTerms:
    """Return the terms of a rule, which may be one that is not saved yet."""
    if rule is None:
        return NO_RULE
    return PriceTerms(
        rule_id=rule.pk or 0,
        spread_rate=rule.spread_rate,
        fee_rate=rule.fee_rate,
        fee_minimum=rule.fee_minimum,
        fee_maximum=rule.fee_maximum,
    )
