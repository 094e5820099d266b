"""Amounts keep to their coin's step and limits, and the limits of a coin allow an amount."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.conftest import make_coin
from trading.exceptions import AboveMaximum, AmountOffStep, BelowMinimum
from trading.models import Coin, Order
from trading.rounding import amount_for, largest_amount, smallest_amount, subtotal_for
from trading.services.asked_orders import OrderRequest
from trading.services.placing import place_order

pytestmark = pytest.mark.django_db(transaction=True)


def place(shopper, now, *, amount=None, total=None):
    order_request = OrderRequest(
        coin_name="DOGE", amount=amount and Decimal(amount), total=total and Decimal(total), key=None
    )
    return place_order(buyer=shopper.principal, order_request=order_request, now=now).order


def nothing_happened(shopper):
    return shopper.wallet.balance == 100 and not Order.objects.exists() and not ProcrastinateJob.objects.exists()


class TestAmounts:
    @pytest.mark.parametrize(
        ("step", "amount"),
        [("1", "1.5"), ("1", "1.00000001"), ("0.5", "0.75"), ("3", "4"), ("0.00000003", "1.00000001"), ("1", "0.5")],
    )
    def test_between_two_steps_are_refused_and_leave_no_trace(self, shopper, now, step, amount):
        make_coin("DOGE", "0.12", step=Decimal(step))
        with pytest.raises((AmountOffStep, BelowMinimum)):
            place(shopper, now, amount=amount)
        assert nothing_happened(shopper)

    @pytest.mark.parametrize(("step", "amount"), [("1", "2"), ("1", "2.00"), ("0.5", "1.5"), ("3", "999999")])
    def test_on_a_step_are_accepted(self, make_shopper, now, step, amount):
        make_coin("DOGE", "0.12", step=Decimal(step))
        assert place(make_shopper("200000.00"), now, amount=amount).amount == Decimal(amount)

    def test_between_two_steps_are_a_422(self, api, shopper):
        make_coin("DOGE", "0.12", step=Decimal(1))
        answer = api("POST", "orders/", {"crypto": "DOGE", "amount": "1.5"}, by=shopper)
        assert (answer.status_code, answer.json()["code"]) == (422, "amount_off_step")
        assert answer.json()["detail"] == "Amounts of this coin are multiples of 1."

    def test_of_an_order_by_total_are_whole_steps(self, shopper, now):
        make_coin("DOGE", "0.12", step=Decimal(1))
        order = place(shopper, now, total="0.30")
        assert (order.amount, order.charge) == (2, Decimal("0.24"))

    @pytest.mark.parametrize(("minimum", "total"), [("0.00000001", "0.11"), ("5", "0.50")])
    def test_of_an_order_by_total_are_never_nothing_or_below_the_minimum(self, shopper, now, minimum, total):
        make_coin("DOGE", "0.12", step=Decimal(1), minimum=Decimal(minimum))
        with pytest.raises(BelowMinimum):
            place(shopper, now, total=total)
        assert nothing_happened(shopper)

    def test_reach_the_largest_step_below_the_maximum(self, shopper, now):
        make_coin("DOGE", "0.12", step=Decimal(3), maximum=Decimal(10))
        assert place(shopper, now, amount="9").amount == 9
        with pytest.raises(AboveMaximum, match="9 coins"):
            place(shopper, now, amount="10")
        with pytest.raises(AboveMaximum):
            place(shopper, now, total="1.50")


class TestLimits:
    def test_are_shown_on_steps_in_the_list_and_on_the_coins_page(self, api):
        make_coin("DOGE", "0.12", step=Decimal(3), minimum=Decimal(1), maximum=Decimal(10))
        [listed] = api("GET", "exchanges/crypto-currencies/").json()
        one = api("GET", "exchanges/crypto-currencies/DOGE/").json()
        limits = {"minimum": "3.00000000", "maximum": "9.00000000", "step": "3.00000000"}
        assert {name: listed[name] for name in limits} == limits
        assert {name: one[name] for name in limits} == limits

    @pytest.mark.parametrize(
        "limits",
        [
            {"step": "0"},
            {"step": "-1"},
            {"step": "NaN"},
            {"minimum": "0"},
            {"minimum": "NaN"},
            {"maximum": "NaN"},
            {"minimum": "2", "maximum": "1"},
            {"step": "1", "minimum": "1.5", "maximum": "1.9"},
            {"step": "10", "minimum": "1", "maximum": "9"},
        ],
    )
    def test_that_allow_no_amount_are_refused_by_the_database(self, coin, limits):
        refusal = r"coin_limits|NaN. value must be a decimal number"  # the second is Django's own
        with pytest.raises((IntegrityError, ValidationError), match=refusal), transaction.atomic():
            Coin.objects.filter(pk=coin.pk).update(**{name: Decimal(value) for name, value in limits.items()})

    @pytest.mark.parametrize(
        ("limits", "message"),
        [
            ({"step": "0"}, "above zero"),
            ({"step": "0.000000001"}, "8 decimal places"),
            ({"step": "1", "minimum": "1.5", "maximum": "1.9"}, "No multiple of the step"),
            ({"minimum": "2", "maximum": "1"}, "not below the minimum"),
        ],
    )
    def test_that_allow_no_amount_are_refused_in_the_admin(self, admin_client, coin, limits, message):
        fields = {"title": "", "is_sold": "on", "minimum": "1", "maximum": "100", "step": "1", "pool_policy": "buy"}
        page = admin_client.post(f"/admin/trading/coin/{coin.pk}/change/", {**fields, "reason": "because", **limits})
        assert page.status_code == 200
        assert message in page.content.decode()
        coin.refresh_from_db()
        assert coin.step == Decimal("0.00000001")


steps = st.decimals(min_value="0.00000001", max_value="1000", places=8)
amounts = st.decimals(min_value="0.00000001", max_value="1000000", places=8)


@given(steps, amounts)
def test_limits_on_the_step_are_the_nearest_within(step, limit):
    smallest, largest = smallest_amount(minimum=limit, step=step), largest_amount(maximum=limit, step=step)
    assert smallest % step == 0 == largest % step
    assert largest <= limit <= smallest
    assert smallest - limit < step
    assert limit - largest < step


@given(steps, st.decimals(min_value="0.01", max_value="100000", places=2), amounts)
def test_an_order_by_total_buys_whole_steps_for_at_most_the_total(step, total, price):
    amount = amount_for(total=total, price=price, step=step)
    assert amount % step == 0
    assert subtotal_for(amount=amount, price=price) <= total
