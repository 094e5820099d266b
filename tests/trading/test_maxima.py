"""The largest order of a coin: in coins, where staff have set it, and else in dollars."""

from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from tests.configure import configure
from tests.conftest import make_coin
from trading.models import Coin, Order
from trading.offers import load_offer
from trading.services.coins import put_on_sale, save_coin
from wallets.runtime import clock

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def a_thousand_dollars(settings):
    configure(settings, "PRICES", order_maximum=Decimal("1000.00"))


@pytest.fixture
def shown(api):
    """The maximum in the list of coins, which the page of the coin repeats."""

    def read():
        [coin] = api("GET", "exchanges/crypto-currencies/").json()
        assert api("GET", f"exchanges/crypto-currencies/{coin['name']}/").json()["maximum"] == coin["maximum"]
        return coin["maximum"]

    return read


@pytest.fixture
def buy(api, make_shopper):
    shopper = make_shopper("5000.00")

    def order(**body):
        answer = api("POST", "orders/", {"crypto": "COIN", **body}, by=shopper)
        return answer.status_code, answer.json().get("code")

    return order


class TestAMaximumThatIsNotSet:
    @pytest.mark.parametrize(
        ("price", "step", "maximum"),
        [
            ("4.00", "0.00000001", "250.00000000"),
            ("3.00", "0.00000001", "333.33333333"),
            ("0.0000000012", "1000", "833333333000.00000000"),
            ("0.0000123", "1000", "81300000.00000000"),
            ("1000000", "0.00000001", "0.00100000"),
            ("1000000", "1", "1.00000000"),  # the smallest order of a dear coin goes beyond
        ],
    )
    def test_is_in_dollars_at_the_price_of_the_moment(self, shown, price, step, maximum):
        make_coin("COIN", price, step=Decimal(step))
        assert shown() == maximum

    def test_bounds_orders_and_quotes(self, shown, buy, api, make_shopper):
        make_coin("COIN", "4.00")
        assert buy(amount="250.00000001") == (422, "above_maximum")
        assert buy(total="1000.01") == (422, "above_maximum")
        answer = api("POST", "quotes/", {"crypto": "COIN", "amount": "251"}, by=make_shopper())
        assert (answer.status_code, answer.json()["code"]) == (422, "above_maximum")
        assert not Order.objects.exists()
        assert buy(amount="250")[0] == 201
        assert buy(total="1000.00")[0] == 201

    def test_follows_the_price(self, shown):
        coin = make_coin("COIN", "4.00")
        coin.fixed_price = Decimal(5)
        save_coin(coin=coin)
        assert shown() == "200.00000000"

    def test_is_unknown_without_a_price(self, shown, buy):
        put_on_sale(name="COIN")
        assert shown() is None
        assert buy(amount="1") == (503, "price_unavailable")

    def test_lets_a_coin_of_a_billionth_of_a_dollar_be_bought(self, buy):
        """A maximum of a million coins, which all coins had, would have been a tenth of a cent."""
        make_coin("COIN", "0.0000000012")
        assert buy(total="100.00")[0] == 201


class TestAMaximumInCoins:
    def test_holds_whatever_the_price_is(self, shown, buy):
        make_coin("COIN", "4.00", maximum=Decimal(1_000_000))
        assert shown() == "1000000.00000000"
        assert buy(total="2000.00")[0] == 201

    def test_is_taken_off_in_the_admin(self, admin_client, shown):
        coin = make_coin("COIN", "4.00", maximum=Decimal(5))
        fields = {"title": "", "is_sold": "on", "minimum": "1", "maximum": "", "step": "1", "pool_policy": "buy"}
        page = admin_client.post(
            f"/admin/trading/coin/{coin.pk}/change/", {**fields, "fixed_price": "4.00", "reason": "because"}
        )
        assert page.status_code == 302
        assert Coin.objects.get().maximum is None
        assert shown() == "250.00000000"


class TestThePreviousRelease:
    """It has a column of its own, `maximum`, which is never null."""

    @staticmethod
    def sql(statement, *values):
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchone()[0] if cursor.description else None

    def seen(self):
        return self.sql("SELECT maximum FROM trading_coin")

    def test_sees_what_today_s_release_sets(self):
        coin = put_on_sale(name="COIN")
        assert self.seen() == 1_000_000
        for maximum, seen in [(Decimal(7), 7), (None, 1_000_000), (Decimal(10) ** 20, 999_999_999_999)]:
            coin.maximum = maximum
            save_coin(coin=coin)
            assert self.seen() == seen
            assert Coin.objects.get().maximum == maximum

    def test_sees_no_maximum_below_the_minimum(self):
        put_on_sale(name="COIN", minimum=Decimal(2_000_000))
        assert self.seen() == 2_000_000

    @pytest.mark.parametrize(("written", "read"), [("5", 5), ("1000000", None)])
    def test_sets_what_today_s_release_sees(self, written, read):
        put_on_sale(name="COIN", maximum=Decimal(9))
        self.sql("UPDATE trading_coin SET title = 'x', maximum = %s", written)
        assert Coin.objects.get().maximum == read

    def test_adds_coins(self):
        self.sql(
            "INSERT INTO trading_coin (name, title, is_sold, minimum, maximum, step, pool_policy)"
            " VALUES ('COIN', '', true, 1, 5, 1, 'buy')"
        )
        assert Coin.objects.get().maximum == 5

    def test_adds_no_coin_whose_limits_allow_nothing(self):
        with pytest.raises(IntegrityError, match="coin_limits"), transaction.atomic():
            self.sql(
                "INSERT INTO trading_coin (name, title, is_sold, minimum, maximum, step, pool_policy)"
                " VALUES ('COIN', '', true, 2, 1, 1, 'buy')"
            )
        assert not Coin.objects.exists()


def test_the_list_in_redis_keeps_the_maximum(shown):
    make_coin("COIN", "4.00")
    assert shown() == shown() == "250.00000000"
    assert load_offer(coin_name="COIN").is_available(now=clock.now())
