"""Makes price rules."""

import logging
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.conf import settings
from django.db import transaction

from trading.exceptions import RuleInThePast, SpreadTooSmall
from trading.models import Coin, PriceRule
from trading.offers import publish_offers_after_commit
from trading.price_terms import DEFAULT_SPREAD_RATE

logger = logging.getLogger(__name__)


@transaction.atomic
def make_rule(*, rule: PriceRule, valid_from: datetime | None, now: datetime) -> None:
    """Save a new rule that is valid from a moment on, by default from now, and publish the offers after the commit.

    Raises RuleInThePast and SpreadTooSmall like `ensure_rule_allowed`.
    """
    ensure_rule_allowed(coin=rule.coin, spread_rate=rule.spread_rate, valid_from=valid_from, now=now)
    if valid_from is not None:
        rule.valid_from = valid_from
    rule.save()
    logger.warning("%s is made by %s: %s", rule, rule.created_by_id, rule.reason)
    publish_offers_after_commit()


def ensure_rule_allowed(*, coin: Coin | None, spread_rate: Decimal, valid_from: datetime | None, now: datetime) -> None:
    """Raise RuleInThePast, or SpreadTooSmall if the spread of a market price is below the venue's taker rate."""
    if valid_from is not None and valid_from < now:
        raise RuleInThePast
    has_market_price = coin is None or coin.fixed_price is None
    if has_market_price and spread_rate < settings.VENUE.taker_rate:
        raise SpreadTooSmall(taker_rate=settings.VENUE.taker_rate)


def make_default_rule_after_migrate(*, using: str, apps: Apps = current_apps, **_: Any) -> None:
    """Make the rule for all coins after `migrate`, if there never was one: a receiver of post_migrate.

    `apps` has the models as they are after these migrations, which need not be all.
    """
    try:
        rules = apps.get_model("trading", "PriceRule")._base_manager.using(using)  # noqa: SLF001  public in fact
    except LookupError:
        return
    if DEFAULT_SPREAD_RATE and not rules.filter(coin=None).exists():
        rules.create(spread_rate=DEFAULT_SPREAD_RATE, reason="The default of a new installation.")
