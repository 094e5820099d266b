"""The fence's arithmetic: each test fails if one of its comparisons is turned round."""

from decimal import Decimal

import pytest

from settlement import fence
from settlement.exceptions import AskBeyondPriceBound, AskNotBelieved, TopUpTooDear
from settlement.venues.protocol import NoAsk

ALLOWANCE = fence.Allowance(max_loss=Decimal("0.05"), taker_rate=Decimal("0.001"), top_up=Decimal(5))


def believe(ask, *, last_price="20"):
    price = None if last_price is None else Decimal(last_price)
    fence.ensure_plausible(ask=Decimal(ask), last_price=price, deviation_limit=Decimal("0.20"))


class TestAnAsk:
    @pytest.mark.parametrize("ask", ["16", "20", "24"])
    def test_up_to_the_deviation_limit_is_believed(self, ask):
        believe(ask)

    @pytest.mark.parametrize("ask", ["15.99", "24.01", "0.0004", "0", "-20", "1e12", "1e22", "NaN", "Infinity"])
    def test_further_from_the_last_price_is_none(self, ask):
        with pytest.raises(AskNotBelieved, match="is not believed"):
            believe(ask)

    def test_without_a_price_to_compare_with_is_none(self):
        with pytest.raises(NoAsk, match="no price"):
            believe("20", last_price=None)


class TestTheBudget:
    def test_is_the_charges_with_loss_and_commission_and_the_top_up(self):
        assert fence.budget_of(charge=Decimal(12), spent=Decimal(0), allowance=ALLOWANCE) == Decimal("17.61261261")

    def test_is_less_by_what_was_spent(self):
        assert fence.budget_of(charge=Decimal(12), spent=Decimal(10), allowance=ALLOWANCE) == Decimal("7.61261261")

    def test_is_never_below_zero(self):
        assert fence.budget_of(charge=Decimal(12), spent=Decimal(1000), allowance=ALLOWANCE) == 0

    @pytest.mark.parametrize(
        ("reserved", "completed", "received", "spent"),
        [
            ("0", "3", "3", "50"),
            ("1", "2", "3", "50"),
            ("2", "2", "3", "70"),
            ("3", "0", "0", "110"),
            ("0", "0", "3", "50"),
        ],
    )
    def test_counts_coins_of_the_surplus_at_the_customers_price(self, reserved, completed, received, spent):
        figures = {"reserved": reserved, "completed": completed, "received": received}
        result = fence.cost_so_far(
            cost=Decimal(50), paid=Decimal(20), **{name: Decimal(value) for name, value in figures.items()}
        )
        assert result == Decimal(spent)


class TestTheLimit:
    @pytest.mark.parametrize(
        ("highest", "quantity", "budget", "limit"),
        [
            ("21", "0.6", "17.6", "21.00"),
            ("21", "1", "17.619", "17.61"),
            ("21", "1000", "17.6", "0.01"),
            ("21", "1000000", "17.6", "0"),
            ("3360", "100", "17.6", "0.17"),
        ],
    )
    def test_is_lowered_to_the_tick_at_which_the_purchase_fits(self, highest, quantity, budget, limit):
        fitted = fence.fit_limit(
            highest=Decimal(highest), quantity=Decimal(quantity), budget=Decimal(budget), tick=Decimal("0.01")
        )
        assert fitted == Decimal(limit)
        assert fitted * Decimal(quantity) <= Decimal(budget)

    @pytest.mark.parametrize("ask", ["17.60", "17.61"])
    def test_lets_an_ask_pass_that_is_not_above_it(self, ask):
        check(ask, limit="17.61", highest="21")

    @pytest.mark.parametrize("ask", ["17.62", "21"])
    def test_stops_for_the_filters_an_ask_that_the_customers_would_pay(self, ask):
        with pytest.raises(TopUpTooDear):
            check(ask, limit="17.61", highest="21")

    def test_stops_an_ask_above_what_the_customers_would_pay(self):
        with pytest.raises(AskBeyondPriceBound):
            check("21.01", limit="17.61", highest="21")

    @pytest.mark.parametrize("ask", ["0", "20"])
    def test_of_zero_lets_nothing_pass_and_blames_the_tick(self, ask):
        with pytest.raises(TopUpTooDear):
            check(ask, limit="0", highest="0")


def check(ask, *, limit, highest):
    fence.ensure_within_limit(ask=Decimal(ask), limit=Decimal(limit), highest=Decimal(highest), quantity=Decimal(100))
