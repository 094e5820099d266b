from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from settlement.sizing import highest_price, quantity_to_buy
from settlement.venues.protocol import MarketRules

RULES = MarketRules(
    quantity_step=Decimal("0.01"),
    quantity_minimum=Decimal("0.05"),
    quantity_maximum=Decimal(1000),
    price_tick=Decimal("0.0001"),
    notional_minimum=Decimal(5),
)
RATE = Decimal("0.001")


def size(missing, ask="20"):
    return quantity_to_buy(missing=Decimal(missing), taker_rate=RATE, ask=Decimal(ask), rules=RULES)


def test_covers_the_commission_and_rounds_up_to_the_step():
    assert size("3") == Decimal("3.01")


def test_is_at_least_the_minimum_notional_with_some_slack():
    assert size("0.01") == Decimal("0.26")


def test_is_at_least_the_minimum_quantity():
    assert size("0.001", ask="2000") == Decimal("0.05")


def test_is_at_most_the_maximum_quantity():
    assert size("5000") == 1000


def test_highest_price_is_the_customers_price_plus_the_allowed_loss():
    bound = highest_price(charge=Decimal("60.01"), amount=Decimal(3), max_loss=Decimal("0.05"), tick=Decimal("0.01"))
    assert bound == Decimal("21.00")


@given(
    st.decimals(min_value="0.00000001", max_value="900", places=8),
    st.decimals(min_value="0.01", max_value="100000", places=2),
)
def test_enough_coins_remain_after_commission(missing, ask):
    bought = size(missing, ask)
    assert bought * (1 - RATE) >= missing
    assert bought % RULES.quantity_step == 0
    assert bought * ask >= RULES.notional_minimum
