"""Quotes: firm for some seconds, for their customer only, used once."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.configure import configure
from tests.conftest import Api
from tests.processes import at_once
from tests.trading.test_orders import nothing_happened
from tests.trading.test_price_rules import add_rule, market_coin  # noqa: F401  a fixture
from trading.models import CoinPrice, Order
from trading.offers import load_offer
from trading.quotes import LONGEST, read_quote
from trading.services.asked_orders import OrderRequest
from trading.services.coins import open_or_close_shop, stop_selling
from trading.services.markets import record_closed_markets
from trading.services.placing import place_order
from trading.services.prices import record_price
from wallets.runtime import clock
from wallets.web import limits

pytestmark = pytest.mark.django_db


@pytest.fixture
def quote(api, shopper):
    def ask(by=shopper, **body):
        return api("POST", "quotes/", {"crypto": "ABAN", **(body or {"amount": "3"})}, by=by)

    return ask


@pytest.fixture
def use(api, shopper):
    def order(text, by=shopper, **headers):
        return api("POST", "orders/", {"quote": text}, by=by, **headers)

    return order


def refused(answer):
    return answer.status_code, answer.json()["code"]


class TestAQuote:
    def test_promises_what_an_order_pays(self, market_coin, quote, use, shopper):  # noqa: F811  the fixture
        rule = add_rule(fee_rate=Decimal("0.01"))
        promised = quote().json()
        assert {name: promised[name] for name in ("price", "market_price", "subtotal", "fee", "total_price")} == {
            "price": "20.12012013",
            "market_price": "20.00000000",
            "subtotal": "60.37",
            "fee": "0.61",
            "total_price": "60.98",
        }
        assert len(promised["quote"]) <= LONGEST
        add_rule(spread="0.05")
        record_price(coin=market_coin, value=Decimal("20.15"), source="test", now=clock.now())
        answer = use(promised["quote"])
        assert answer.status_code == 201
        order = answer.json()
        for name in ("crypto", "amount", "price", "market_price", "subtotal", "fee", "total_price"):
            assert order[name] == promised[name]
        kept = Order.objects.get()
        assert (kept.price_rule_id, kept.quote_id) == (rule.pk, read_quote(promised["quote"]).id)
        assert shopper.wallet.balance == Decimal("39.02")

    def test_writes_nothing(self, coin, quote, shopper):
        quote()
        with CaptureQueriesContext(connection) as captured:
            assert quote().status_code == 201
        assert {query["sql"].split()[0] for query in captured} == {"SELECT"}
        assert nothing_happened(shopper)

    def test_by_total_never_promises_more_than_the_total(self, coin, quote):
        add_rule(coin=coin, spread="0", fee_rate=Decimal("0.01"))
        promised = quote(total="50.00").json()
        assert Decimal("49.98") <= Decimal(promised["total_price"]) <= 50

    def test_is_of_a_small_order_too(self, coin, quote, use):
        placed = use(quote(amount="2").json()["quote"]).json()
        assert (placed["state"], placed["pool"]["total"]) == ("aggregated", "8.00")

    @pytest.mark.parametrize(
        ("body", "code"),
        [({"crypto": "NONE", "amount": "1"}, (404, "unknown_crypto")), ({"amount": "2000000"}, (422, "above_maximum"))],
    )
    def test_is_refused_like_an_order(self, coin, quote, body, code):
        assert refused(quote(**body)) == code

    def test_takes_as_many_statements_as_any_order(self, coin, quote, shopper):
        text = quote().json()["quote"]
        place_order(buyer=shopper.principal, order_request=OrderRequest(coin_name="ABAN", amount=Decimal(3)))
        with CaptureQueriesContext(connection) as captured:
            place_order(buyer=shopper.principal, order_request=OrderRequest(quote=text))
        inner = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
        assert len([query for query in captured if not query["sql"].startswith(inner)]) <= 3


class TestARefusedQuote:
    """Its code says why, and nothing is written."""

    def test_is_anothers(self, coin, quote, use, shopper, make_shopper):
        other = make_shopper()
        assert refused(use(quote(by=other).json()["quote"])) == (422, "quote_invalid")
        assert nothing_happened(shopper)
        assert nothing_happened(other)

    @pytest.mark.parametrize(
        "alter",
        [
            lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
            lambda text: "BTC" + text[4:],
            lambda text: text.replace(":W", ":X", 1),
            lambda _: "ABAN:x:y",
            lambda _: "é",
            lambda _: "x" * LONGEST,
        ],
    )
    def test_is_altered(self, coin, quote, use, shopper, alter):
        assert refused(use(alter(quote().json()["quote"]))) == (422, "quote_invalid")
        assert nothing_happened(shopper)

    def test_has_expired(self, coin, quote, use, shopper, settings):
        configure(settings, "QUOTES", ttl=timedelta(microseconds=1))
        assert refused(use(quote().json()["quote"])) == (422, "quote_expired")
        assert nothing_happened(shopper)

    @pytest.mark.parametrize(
        "withdraw",
        [
            lambda coin: stop_selling(coin=coin),
            lambda coin: open_or_close_shop(is_open=False),
            lambda coin: CoinPrice.objects.update(suspended_at=clock.now()),
            lambda coin: CoinPrice.objects.update(value=Decimal("20.21")),  # 20 x (1 + 0.005 + 0.005) and a cent
            lambda coin: CoinPrice.objects.update(read_at=clock.now() - timedelta(hours=1)),
            lambda coin: CoinPrice.objects.update(read_at=clock.now() - timedelta(seconds=16)),
            lambda coin: CoinPrice.objects.update(quoted_at=clock.now() - timedelta(seconds=16)),
            lambda coin: record_closed_markets(coin_ids={coin.pk}, now=clock.now()),
        ],
    )
    def test_is_withdrawn(self, market_coin, quote, use, shopper, withdraw):  # noqa: F811  the fixture
        add_rule()
        text = quote().json()["quote"]
        withdraw(market_coin)
        assert refused(use(text)) == (409, "quote_withdrawn")
        assert nothing_happened(shopper)

    @pytest.mark.parametrize("when", ["read_at", "quoted_at"])
    def test_is_not_given_by_an_ask_with_which_it_could_not_be_used(self, market_coin, quote, shopper, when):  # noqa: F811  the fixture
        add_rule()
        CoinPrice.objects.update(**{when: clock.now() - timedelta(seconds=16)})
        assert load_offer(coin_name="ABAN").is_available(now=clock.now()), "an order at the price of the moment goes on"
        assert refused(quote()) == (503, "price_unavailable")
        assert nothing_happened(shopper)
        CoinPrice.objects.update(**{when: clock.now() - timedelta(seconds=5)})
        assert quote().status_code == 201

    def test_stands_at_the_bound_and_after_a_fall(self, market_coin, quote, use):  # noqa: F811  the fixture
        add_rule()
        for price in ("20.20", "15.00"):
            text = quote(amount="1").json()["quote"]
            CoinPrice.objects.update(value=Decimal(price))
            assert use(text).status_code == 201
            CoinPrice.objects.update(value=Decimal("20.00"))

    def test_stands_by_the_ask_itself_and_not_by_an_earlier_one(self, market_coin, quote, use):  # noqa: F811  the fixture
        """An order at the price of the moment would pay the highest ask of a short time."""
        add_rule()
        text = quote(amount="1").json()["quote"]
        CoinPrice.objects.update(worst_ask=Decimal("25.00"))
        assert use(text).status_code == 201

    def test_stands_at_any_age_of_a_fixed_price(self, coin, quote, use):
        text = quote(amount="1").json()["quote"]
        CoinPrice.objects.update(read_at=clock.now() - timedelta(hours=1))
        assert use(text).status_code == 201

    def test_is_used_even_if_it_has_expired_and_the_wallet_is_empty(self, coin, quote, use, shopper):
        text = quote(amount="25").json()["quote"]
        assert use(text).status_code == 201
        assert refused(use(text)) == (409, "quote_used")
        assert (Order.objects.count(), shopper.wallet.balance) == (1, 0)

    @pytest.mark.parametrize(
        "more", [{"crypto": "ABAN"}, {"amount": "1"}, {"total": "1.00"}, {"max_price": "5"}, {"amount": None}]
    )
    def test_does_not_stand_alone(self, coin, quote, api, shopper, more):
        body = {"quote": quote().json()["quote"], **more}
        assert refused(api("POST", "orders/", body, by=shopper)) == (422, "validation_error")
        assert nothing_happened(shopper)


class TestTheKeyOfAnOrderByQuote:
    def test_answers_again_whatever_became_of_the_quote(self, coin, quote, use, settings):
        text = quote().json()["quote"]
        first = use(text, Idempotency_Key="a-key")
        settings.SECRET_KEY = "another key, by which no older quote is ours"
        again = use(text, Idempotency_Key="a-key")
        assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
        assert again.headers["Idempotent-Replayed"] == "true"
        assert Order.objects.count() == 1

    def test_is_of_one_quote(self, coin, quote, use):
        use(quote().json()["quote"], Idempotency_Key="a-key")
        assert refused(use(quote().json()["quote"], Idempotency_Key="a-key")) == (422, "idempotency_key_reused")


class TestTheLimits:
    def test_count_quotes(self, coin, quote, settings):
        configure(settings, "LIMITS", quotes="2/h")
        assert [quote().status_code for _ in range(3)] == [201, 201, 429]

    @pytest.mark.parametrize("redis", ["with", "without"])
    def test_count_the_dollars_of_each_customer(self, coin, quote, make_shopper, settings, redis, request):
        if redis == "without":
            request.getfixturevalue("without_redis")
        configure(settings, "QUOTES", max_per_minute=Decimal("20.00"))
        limits._counted_here.clear()
        first, last = quote(), quote()
        assert first.status_code == 201
        assert refused(last) == (429, "rate_limited")
        assert 1 <= int(last.headers["Retry-After"]) <= 61
        assert quote(by=make_shopper()).status_code == 201

    @pytest.mark.parametrize("body", [{"amount": "5.01"}, {"total": "20.01"}])
    def test_tell_who_wants_more_at_once_the_largest_amount(self, coin, quote, settings, body):
        """To wait, as a 429 would say, would never help."""
        configure(settings, "QUOTES", max_per_minute=Decimal("20.00"))
        for _ in range(2):
            answer = quote(**body)
            assert refused(answer) == (422, "above_maximum")
            assert answer.json()["detail"] == "The largest order is 5 coins."
        assert quote(amount="5").status_code == 201, "nothing was counted"


@pytest.mark.django_db(transaction=True)
class TestFiftyOrdersAtOnce:
    """On one quote, by one customer."""

    @pytest.fixture
    def post(self, coin, make_shopper, settings):
        configure(settings, "LIMITS", orders="1000/m")
        shopper = make_shopper("20.00")
        text = Api(Client())("POST", "quotes/", {"crypto": "ABAN", "amount": "3"}, by=shopper).json()["quote"]

        def order(_, **headers):
            api = Api(Client())
            while True:
                answer = api("POST", "orders/", {"quote": text}, by=shopper, **headers)
                if answer.json().get("code") != "busy":  # the wallet was locked for too long: try again
                    return answer

        return order

    def test_place_one_and_find_the_quote_used(self, post):
        answers = at_once(50, post)
        assert sorted(answer.status_code for answer in answers) == [201] + 49 * [409]
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"quote_used"}
        assert Order.objects.get().charge == 12

    def test_with_one_key_place_one_and_are_answered(self, post):
        answers = at_once(50, lambda number: post(number, Idempotency_Key="a-key"))
        assert {(answer.status_code, answer.json()["id"]) for answer in answers} == {(201, Order.objects.get().pk)}
        assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 49
