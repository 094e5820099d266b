"""Prices that jump and times that stand still, with a worker, a simulator and its second source as real processes."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.configure import configure
from tests.processes import wait_for
from trading.models import CoinPrice, Order, Suspension
from trading.services.coins import put_on_sale
from trading.services.prices import accept_price
from wallets.runtime import clock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(simulator, make_worker, api, make_shopper):
    """Two coins whose prices a worker reads each second. `order` returns the status of the answer to an order of one coin."""
    simulator.set_prices(ABAN="20.00", BETA="5.00")
    coins = {name: put_on_sale(name=name) for name in ("ABAN", "BETA")}

    class Shop:
        def open(self, **environment):
            make_worker(EXCHANGE_URL=simulator.url, PRICE_REFRESH_CRON="* * * * * *", **environment)
            wait_for(lambda: self.order("ABAN") == self.order("BETA") == 201, seconds=60)

        def order(self, name):
            """Order as a new customer, because the calls of one are limited."""
            return api("POST", "orders/", {"crypto": name, "amount": "1"}, by=make_shopper("100.00")).status_code

        def price(self, name):
            return CoinPrice.objects.get(coin=coins[name])

        def accept(self, name):
            price, now = self.price(name), clock.database_now()
            return price.candidate and accept_price(coin=coins[name], expected=price.candidate, now=now)

    return Shop()


class TestATapeAtMinusNinetyPercent:
    @pytest.mark.parametrize("second", ["okx", ""])
    def test_is_not_sold_at_until_staff_accept(self, shop, simulator, second):
        shop.open(PRICE_CHECK_VENUE_ID=second)
        simulator.set_market(ABAN={"bid": "1.99", "ask": "2.01"})
        wait_for(lambda: shop.price("ABAN").suspended_at, seconds=60)
        before = Order.objects.count()
        statuses = set()

        def has_agreed():
            statuses.add(shop.order("ABAN"))
            return shop.price("ABAN").candidate_readings >= 5

        wait_for(has_agreed, seconds=60)
        assert statuses == {503}, "however many readings agree, and whatever the second source says"
        assert Order.objects.count() == before
        assert wait_for(lambda: shop.accept("ABAN"), seconds=60)
        wait_for(lambda: shop.order("ABAN") == 201, seconds=60)
        assert Order.objects.order_by("pk").last().market_price == Decimal("2.01"), "not the ask of before"
        assert Suspension.objects.get().outcome == "accepted"


class TestAVenueThatShowsTheSameForEver:
    def test_is_not_sold_at_once_its_time_is_too_old(self, shop, simulator, settings):
        configure(settings, "PRICES", max_age=timedelta(seconds=4))
        shop.open(PRICE_MAX_AGE_SECONDS="4")
        simulator.set_market(ABAN={"frozen": True})
        wait_for(lambda: shop.order("ABAN") == 503, seconds=60)
        before = Order.objects.count()
        assert [shop.order("ABAN") for _ in range(3)] == [503] * 3
        assert Order.objects.count() == before
        assert wait_for(lambda: shop.order("BETA") == 201, seconds=60), "the other coins go on"
        simulator.set_market(ABAN={"frozen": False})
        wait_for(lambda: shop.order("ABAN") == 201, seconds=60)


class TestASecondSourceThatIsSlow:
    def test_stops_no_other_price(self, shop, simulator):
        shop.open(PRICE_CHECK_VENUE_ID="okx")
        simulator.fail({"on": "second_source", "action": "delay", "wait": 60})
        simulator.set_market(ABAN={"bid": "21.99", "ask": "22.01"})
        wait_for(lambda: shop.price("ABAN").candidate_readings >= 3, seconds=60)
        for price in ("5.01", "5.02", "5.03"):
            simulator.set_prices(BETA=price)
            wait_for(lambda value=Decimal(price): shop.price("BETA").value == value, seconds=15)
        assert shop.price("ABAN").suspended_at, "nothing has confirmed it yet"
