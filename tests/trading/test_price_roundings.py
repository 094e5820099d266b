"""Two thousand seeded cases: every rounding of prices, subtotals, fees and amounts, against exact fractions."""

import random
from decimal import Decimal
from fractions import Fraction

import pytest

from trading.price_terms import NO_RULE, PriceTerms
from trading.rounding import amount_for, fee_for, price_for, subtotal_for, subtotal_within

CASES = 2_000
CENT = Decimal("0.01")


def draw(chance):
    """Return terms, a market price from 1e-10 to 1e6, a step and a taker rate."""
    minimum = Decimal(chance.choice(["0", "0.00", "0.01", "0.99", "5.00"]))
    maximum = chance.choice([None, minimum, minimum + Decimal("0.50"), minimum + 20])
    terms = PriceTerms(
        rule_id=1,
        spread_rate=Decimal(chance.randint(0, 10**6)).scaleb(-8),
        fee_rate=Decimal(chance.choice([0, 1, chance.randint(0, 10**6), chance.randint(0, 10**8)])).scaleb(-8),
        fee_minimum=minimum,
        fee_maximum=maximum,
    )
    digits = Decimal(chance.randint(1, 10**12))
    market_price = digits.scaleb(chance.randint(-10, 6) - digits.adjusted())
    step = Decimal(chance.choice(["0.00000001", "0.001", "0.5", "1", "1000"]))
    return terms, market_price, step, Decimal(chance.randint(0, 50)).scaleb(-4)


@pytest.fixture(scope="module")
def cases():
    chance = random.Random(20)
    return [(*draw(chance), chance) for _ in range(CASES)]


def test_a_price_covers_the_market_and_is_less_than_one_unit_too_high(cases):
    for terms, market_price, _, taker_rate, _ in cases:
        price = terms.price(market_price=market_price, taker_rate=taker_rate)
        exact = Fraction(market_price) * (1 + Fraction(terms.spread_rate)) / (1 - Fraction(taker_rate))
        unit = Fraction(Decimal(1).scaleb(price.as_tuple().exponent))
        assert exact <= Fraction(price) < exact + unit
        assert price.as_tuple().exponent <= -8
        assert unit <= Fraction(price) / 10**4, "at least five digits"


def test_a_charge_is_whole_cents_and_less_than_one_cent_too_high(cases):
    for terms, market_price, step, taker_rate, chance in cases:
        price = terms.price(market_price=market_price, taker_rate=taker_rate)
        amount = step * chance.randint(1, 10**6)
        subtotal = subtotal_for(amount=amount, price=price)
        exact = Fraction(amount) * Fraction(price)
        assert exact <= Fraction(subtotal) < exact + Fraction(1, 100)
        fee = terms.fee(subtotal=subtotal)
        assert fee.as_tuple().exponent == subtotal.as_tuple().exponent == -2
        share = Fraction(subtotal) * Fraction(terms.fee_rate)
        least = max(share, Fraction(terms.fee_minimum))
        if terms.fee_maximum is not None:
            least = min(least, Fraction(terms.fee_maximum))
        assert least <= Fraction(fee) < least + Fraction(1, 100)


def test_a_total_buys_the_most_coins_that_it_pays_with_their_fee(cases):
    bought = 0
    for terms, market_price, step, taker_rate, chance in cases:
        price = terms.price(market_price=market_price, taker_rate=taker_rate)
        total = Decimal(chance.randint(1, 10 ** chance.randint(1, 9))) * CENT
        amount = amount_for(total=terms.subtotal_within(total=total), price=price, step=step)
        assert amount % step == 0
        if amount:
            bought += 1
            subtotal = subtotal_for(amount=amount, price=price)
            assert subtotal + terms.fee(subtotal=subtotal) <= total
        more = subtotal_for(amount=amount + step, price=price)
        assert more + terms.fee(subtotal=more) > total
    assert bought > CASES / 4


def test_an_order_earns_the_house_what_the_purchase_costs_in_a_market_that_stands(cases):
    for terms, market_price, step, taker_rate, chance in cases:
        price = terms.price(market_price=market_price, taker_rate=taker_rate)
        amount = step * chance.randint(1, 10**6)
        paid = subtotal_for(amount=amount, price=price)
        cost_of_purchase = Fraction(amount) / (1 - Fraction(taker_rate)) * Fraction(market_price)
        assert Fraction(paid) >= cost_of_purchase


def test_without_a_rule_the_market_price_is_paid():
    assert NO_RULE.price(market_price=Decimal("20.00"), taker_rate=Decimal("0.001")) == Decimal("20.00")
    assert NO_RULE.fee(subtotal=Decimal("60.00")) == 0


@pytest.mark.parametrize(
    ("market_price", "price"),
    [("20.00", "20.12012013"), ("0.0000000012", "0.0000000012073"), ("1000000", "1006006.00600601")],
)
def test_a_price_has_eight_places_or_five_digits(market_price, price):
    found = price_for(market_price=Decimal(market_price), spread_rate=Decimal("0.005"), taker_rate=Decimal("0.001"))
    assert found == Decimal(price)


def test_a_fee_keeps_to_its_limits():
    limits = {"rate": Decimal("0.01"), "minimum": Decimal("0.50"), "maximum": Decimal("2.00")}
    fees = [fee_for(subtotal=Decimal(subtotal), **limits) for subtotal in ("10.00", "100.01", "1000.00")]
    assert fees == [Decimal("0.50"), Decimal("1.01"), Decimal("2.00")]
    assert subtotal_within(total=Decimal("0.40"), **limits) == 0
