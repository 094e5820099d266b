"""Fees in the ledger: out of clearing with the completion, back to the customer with a refund."""

from decimal import Decimal

import pytest

from settlement.models import Attempt, Batch
from settlement.verification import verify_everything
from tests.trading.test_price_rules import add_rule
from trading.models import DayLoss, Order, OrderState
from wallets.models import Transaction, WalletRole
from wallets.runtime import clock
from wallets.verification import sum_house_wallet

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def rule(coin):
    """A fee of 2.00 dollars an order."""
    return add_rule(coin=coin, spread="0", fee_minimum=Decimal("2.00"))


@pytest.fixture
def buy(place, rule):
    """Place an order by total while the rule holds."""
    return lambda total: place(total, at=clock.database_now())


def balances():
    return [sum_house_wallet(role=role) for role in (WalletRole.CLEARING, WalletRole.FEES)]


class TestTheFee:
    def test_goes_to_the_fees_when_the_order_is_completed(self, buy, settle):
        buy("42.00")
        assert balances() == [42, 0]
        settle()
        assert Order.objects.get().state == OrderState.COMPLETED
        assert balances() == [0, 2]
        kinds = dict(Transaction.objects.filter(kind__in=["revenue", "fee"]).values_list("kind", "amount"))
        assert kinds == {"revenue": 40, "fee": 2}
        assert verify_everything() == []

    def test_buys_no_coins_and_makes_no_loss_smaller(self, buy, settle):
        buy("42.00")
        settle()
        assert Batch.objects.get().charge == 40
        attempt = Attempt.objects.get()
        assert attempt.limit_price == Decimal("4.04"), (
            "the price of the coins and MAX_LOSS_OF_AN_ORDER, whatever the fee"
        )
        assert attempt.budget < 50
        assert DayLoss.objects.get().charge == 40

    def test_comes_back_with_a_refund(self, buy, settle, simulator, shopper):
        simulator.fail({"on": "place", "action": "reject"})
        buy("42.00")
        settle()
        assert Order.objects.get().state == OrderState.REFUNDED
        assert (balances(), shopper.wallet.balance) == ([0, 0], 100)
        assert verify_everything() == []

    def test_fills_no_pool(self, buy, claim, settle):
        orders = [buy("6.90"), buy("6.90")]  # two subtotals of 4.90 are below the threshold of 10
        assert claim() is None
        assert {order.state for order in Order.objects.all()} == {OrderState.POOLED}
        buy("2.20")
        settle()
        assert {order.state for order in Order.objects.all()} == {OrderState.COMPLETED}
        assert (len(orders), balances()) == (2, [0, 6])
        assert verify_everything() == []
