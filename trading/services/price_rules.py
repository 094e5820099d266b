"""Makes price rules."""

import logging
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from trading.exceptions import NoRuleForMarketPrice, OwnRuleTooSmall, RuleInThePast, SpreadTooSmall
from trading.models import Coin, PriceRule
from trading.offers import publish_offers_after_commit
from trading.price_terms import DEFAULT_SPREAD_RATE, least_spread_rate
from trading.selectors.price_rules import find_unfit_rule

logger = logging.getLogger(__name__)


@transaction.atomic
def make_rule(*, rule: PriceRule, valid_from: datetime | None, now: datetime) -> None:
    """Save a new rule that is valid from a moment on, by default from now, and publish the offers after the commit.

    Raises RuleInThePast and SpreadTooSmall like `ensure_rule_allowed`.
    """
    # Locked, so that nobody gives the coin a market price meanwhile.
    coin = Coin.objects.select_for_update(no_key=True).get(pk=rule.coin_id) if rule.coin_id else None
    ensure_rule_allowed(coin=coin, spread_rate=rule.spread_rate, valid_from=valid_from, now=now)
    if valid_from is not None:
        rule.valid_from = valid_from
    rule.save()
    logger.warning("%s is made by %s: %s", rule, rule.created_by_id, rule.reason)
    publish_offers_after_commit()


def ensure_rule_allowed(*, coin: Coin | None, spread_rate: Decimal, valid_from: datetime | None, now: datetime) -> None:
    """Raise RuleInThePast, or SpreadTooSmall if the spread of a market price is below `least_spread_rate`."""
    if valid_from is not None and valid_from < now:
        raise RuleInThePast
    has_market_price = coin is None or coin.fixed_price is None
    if has_market_price and spread_rate < least_spread_rate():
        raise SpreadTooSmall(least=least_spread_rate())


def ensure_market_price_allowed(*, coin: Coin) -> None:
    """Refuse a market price for a coin, which may be new, if web and worker would not start with it.

    Raises OwnRuleTooSmall if the spread of a rule of its own, in force or to come, is below `least_spread_rate`, and
    NoRuleForMarketPrice if no rule is in force for it.
    """
    least = least_spread_rate()
    if coin.pk and (rule_id := find_unfit_rule(coin=coin, least=least)):
        raise OwnRuleTooSmall(rule_id=rule_id, least=least)
    own_or_of_all = Q(coin=None) | Q(coin_id=coin.pk)
    if not PriceRule.objects.filter(own_or_of_all, valid_from__lte=Now()).exists():
        raise NoRuleForMarketPrice


def make_default_rule_after_migrate(*, using: str, apps: Apps = current_apps, **_: Any) -> None:
    """Make the rule for all coins after `migrate`, unless one is in force: a receiver of post_migrate.

    `apps` has the models as they are after these migrations, which need not be all.
    """
    try:
        rules = apps.get_model("trading", "PriceRule")._base_manager.using(using)  # noqa: SLF001  public in fact
    except LookupError:
        return
    if not rules.filter(coin=None, valid_from__lte=Now()).exists():
        rules.create(spread_rate=DEFAULT_SPREAD_RATE, reason="The default of a new installation.")
