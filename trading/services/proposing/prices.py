"""Kinds of proposals about prices: a new price rule, and a suspect price that staff accept."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.jumps import AGREEING_READINGS, readings_agree
from trading.models import Coin, CoinPrice, PriceRule
from trading.price_terms import DEFAULT_SPREAD_RATE, cost_of_hundred, least_spread_rate
from trading.selectors.price_rules import find_rule, terms_of
from trading.selectors.prices import read_hard_band
from trading.services.price_rules import ensure_rule_allowed, make_rule
from trading.services.prices import accept_price
from wallets.exceptions import ProposalRefused
from wallets.models import User
from wallets.runtime import clock
from wallets.services.proposals import Kind, Payload

_OF_A_RULE = ("spread_rate", "fee_rate", "fee_minimum", "fee_maximum")


class PriceRuleKind(Kind):
    """A new price rule. Too small a spread costs the house, and too large a one customers."""

    name = "price_rule"
    title = "Price rule"
    permissions = ("trading.add_pricerule",)

    def payload_of(self, *, rule: PriceRule, valid_from: datetime | None) -> dict[str, Any]:
        """Return the payload for a rule that is not saved."""
        before = find_rule(coin=rule.coin, at=valid_from or clock.now())
        terms = {name: _text(getattr(rule, name)) for name in _OF_A_RULE}
        return {
            "coin": rule.coin_id,
            **terms,
            "valid_from": valid_from.isoformat() if valid_from else None,
            "reason": rule.reason,
            "before": before.pk if before else None,
        }

    def check(self, *, payload: Payload, asked_by: User) -> None:
        rule, valid_from = _rule_of(payload)
        now = clock.now()
        ensure_rule_allowed(coin=rule.coin, spread_rate=rule.spread_rate, valid_from=valid_from, now=now)
        before = find_rule(coin=rule.coin, at=valid_from or now)
        if (before.pk if before else None) != payload["before"]:
            raise ProposalRefused("Another price rule holds by now. Compare with it, and ask again.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        rule, valid_from = _rule_of(payload)
        rule.created_by = asked_by
        make_rule(rule=rule, valid_from=valid_from, now=clock.now())
        return str(rule)

    def adds_exposure(self, *, payload: Payload) -> bool:
        """A rule that mends a shop which can sell nothing needs one person: web and worker do not start without it.

        It begins now, has no fee, and a spread that is the default or at most twice the least.
        """
        rule, valid_from = _rule_of(payload)
        before = find_rule(coin=rule.coin, at=clock.now())
        sells = before is not None and before.spread_rate >= least_spread_rate()
        is_fixed = rule.coin is not None and rule.coin.fixed_price is not None
        if sells or is_fixed or valid_from is not None or rule.fee_rate or rule.fee_minimum:
            return True
        return rule.spread_rate > max(DEFAULT_SPREAD_RATE, 2 * least_spread_rate())

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        rule, valid_from = _rule_of(payload)
        before = find_rule(coin=rule.coin, at=valid_from or clock.now())
        begin = f", from {valid_from:%Y-%m-%d %H:%M} UTC" if valid_from else ""
        of = str(rule.coin or "all coins")
        old = _in_words(before, unlike=rule, coin=rule.coin) if before else "no rule"
        return f"{of}: {old}", f"{of}: {_in_words(rule, unlike=before, coin=rule.coin)}{begin}"


class SuspectPriceKind(Kind):
    """The acceptance of a suspect price. Up to PRICE_DEVIATION_LIMIT one person suffices."""

    name = "suspect_price"
    title = "Suspect price"
    permissions = ("trading.change_coin",)

    def payload_of(self, *, coin: Coin, expected: Decimal) -> dict[str, Any]:
        """Return the payload for accepting about `expected` US dollars a coin."""
        since = CoinPrice.objects.values_list("suspended_at", flat=True).filter(coin=coin).first()
        return {"coin": coin.pk, "expected": f"{expected:f}", "suspended_at": since.isoformat() if since else None}

    def check(self, *, payload: Payload, asked_by: User) -> None:
        price = _price_of(payload)
        if price.suspended_at is None or price.suspended_at.isoformat() != payload.get("suspended_at"):
            raise ProposalRefused("The coin was suspended again meanwhile. Look at its price, and ask again.")
        if price.candidate is None or not readings_agree(price.candidate, Decimal(payload["expected"])):
            raise ProposalRefused("The price has changed. Look again.")
        if price.candidate_readings < AGREEING_READINGS:
            agreeing = f"{price.candidate_readings} of {AGREEING_READINGS}"
            raise ProposalRefused(f"So far {agreeing} readings agree. Try later.")

    def carry_out(self, *, payload: Payload, asked_by: User, approved_by: User | None) -> str:
        coin = _price_of(payload).coin
        accepted = accept_price(
            coin=coin, expected=Decimal(payload["expected"]), now=clock.now(), accepted_by=approved_by or asked_by
        )
        if accepted is None:
            raise ProposalRefused("The price has changed. Look again.")
        return f"{coin} is sold at {accepted.normalize():f}."

    def describe(self, *, payload: Payload) -> tuple[str, str]:
        price = _price_of(payload)
        expected = Decimal(payload["expected"])
        return f"{price.coin}: {price.value.normalize():f} USD", f"{price.coin}: about {expected.normalize():f} USD"

    def adds_exposure(self, *, payload: Payload) -> bool:
        """The candidate counts, because it is what is sold at: staff may have stated up to 1 % less."""
        price = _price_of(payload)
        band = read_hard_band(price=price)
        return price.candidate is None or not (band.holds(price.candidate) and band.holds(Decimal(payload["expected"])))


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _rule_of(payload: Payload) -> tuple[PriceRule, datetime | None]:
    """Return the rule, not saved, and from when on it is valid. Raises ProposalRefused if its coin is gone."""
    coin = None
    if payload["coin"] is not None and (coin := Coin.objects.filter(pk=payload["coin"]).first()) is None:
        raise ProposalRefused("There is no such coin.")
    terms = {name: None if payload[name] is None else Decimal(payload[name]) for name in _OF_A_RULE}
    begin = payload["valid_from"]
    rule = PriceRule(coin=coin, reason=payload["reason"], **terms)
    return rule, datetime.fromisoformat(begin) if begin else None


def _in_words(rule: PriceRule, *, unlike: PriceRule | None, coin: Coin | None) -> str:
    """Return the terms of a rule that another one does not have, and what an order costs by it."""
    terms, others = _terms(rule), _terms(unlike) if unlike else {}
    told = [words for name, words in terms.items() if others.get(name) != words]
    return ", ".join([*told, _example(rule, coin=coin)])


def _terms(rule: PriceRule) -> dict[str, str]:
    most = "without a limit" if rule.fee_maximum is None else f"at most {rule.fee_maximum.normalize():f} USD"
    return {
        "spread_rate": f"spread {rule.spread_rate.normalize():f}",
        "fee_rate": f"fee {rule.fee_rate.normalize():f}",
        "fee_minimum": f"fee at least {rule.fee_minimum.normalize():f} USD",
        "fee_maximum": f"fee {most}",
    }


def _example(rule: PriceRule, *, coin: Coin | None) -> str:
    is_fixed = coin is not None and coin.fixed_price is not None
    subtotal, fee = cost_of_hundred(terms_of(rule), is_fixed=is_fixed)
    return f"an order worth 100.00 costs {subtotal + fee:.2f} USD"


def _price_of(payload: Payload) -> CoinPrice:
    """Return the coin's current price with its suspect one, and lock it: the price that is judged is the one accepted.

    Raises ProposalRefused if it is not suspended.
    """
    prices = CoinPrice.objects.select_for_update(of=("self",)).select_related("coin")
    price = prices.filter(coin=payload["coin"]).first()
    if price is None or price.suspended_at is None:
        raise ProposalRefused("The coin has no suspect price.")
    return price
