from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trading.rounding import amount_for, subtotal_for

PRICES = st.decimals(min_value="0.00000001", max_value="200000", places=8)
AMOUNTS = st.decimals(min_value="0.00000001", max_value="100000", places=8)
TOTALS = st.decimals(min_value="0.01", max_value="100000", places=2)
STEPS = st.sampled_from([Decimal("0.00000001"), Decimal("0.001"), Decimal(1)])


class TestChargeFor:
    def test_rounds_up_to_the_cent(self):
        assert subtotal_for(amount=Decimal("0.00000001"), price=Decimal(20)) == Decimal("0.01")
        assert subtotal_for(amount=Decimal(3), price=Decimal(4)) == Decimal("12.00")

    @given(AMOUNTS, PRICES)
    def test_favours_the_house_by_less_than_a_cent(self, amount, price):
        charge = subtotal_for(amount=amount, price=price)
        assert 0 <= charge - Decimal(str(amount)) * price < Decimal("0.01")
        assert charge > 0


class TestAmountFor:
    @given(TOTALS, PRICES, STEPS)
    def test_never_costs_more_than_the_total(self, total, price, step):
        amount = amount_for(total=total, price=price, step=step)
        assert amount % step == 0
        assert subtotal_for(amount=amount, price=price) <= total

    @given(TOTALS, PRICES, STEPS)
    def test_is_the_largest_amount_that_the_total_buys(self, total, price, step):
        amount = amount_for(total=total, price=price, step=step)
        assert (amount + step) * price > total
