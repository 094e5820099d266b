"""Quotes of two running API processes, over real connections: used once, by their customer, in time."""

from datetime import datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from settlement.verification import verify_everything
from tests.processes import at_once, insist, wait_for
from tests.trading.test_price_rules import add_rule, market_coin  # noqa: F401  a fixture
from trading import pools
from trading.models import CoinPrice, Order
from trading.services.coins import open_or_close_shop, sell_again, stop_selling
from trading.services.markets import record_closed_markets
from trading.services.prices import record_price
from wallets.models import Transaction, TransactionKind
from wallets.runtime import clock

pytestmark = pytest.mark.django_db(transaction=True)

LIMITS = {"RATE_LIMIT_ORDERS": "10000/m", "RATE_LIMIT_USER": "10000/m"}


@pytest.fixture
def apis(make_api_process):
    return [make_api_process(**LIMITS), make_api_process(**LIMITS)]


@pytest.fixture
def sold(apis, market_coin):  # noqa: F811  the fixture
    """A coin at a market price of 20.00, read after the servers have started; half a percent of spread, one of fee."""
    add_rule(fee_rate=Decimal("0.01"))
    record_price(coin=market_coin, value=Decimal("20.00"), source="test", now=clock.now())
    return market_coin


@pytest.fixture
def ask_for(apis):
    def quote(by, api=None, **body):
        body = {"crypto": "ABAN", **(body or {"amount": "3"})}
        answer = httpx.post(f"{api or apis[0]}quotes/", json=body, headers=by.headers, timeout=30)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return quote


def use(api, text, by, **headers):
    """Order by the quote."""
    return insist(lambda: httpx.post(f"{api}orders/", json={"quote": text}, headers=by.headers | headers, timeout=60))


def written():
    """Return all that an order writes, apart from the customer's deposit."""
    return (
        list(Order.objects.values_list("pk", flat=True)),
        list(Transaction.objects.exclude(kind=TransactionKind.DEPOSIT).values_list("reference", flat=True)),
        ProcrastinateJob.objects.count(),
        pools.read_counter(coin_name="ABAN"),
    )


class TestFiftyOrdersAtOnceOnOneQuote:
    """They arrive at two processes. The wallet could pay for more than one."""

    @pytest.fixture
    def shopper(self, make_shopper):
        return make_shopper("100.00")

    @pytest.mark.parametrize("amount", ["3", "0.4"], ids=["large", "pooled"])
    def test_are_one_order_and_forty_nine_used_quotes(self, sold, apis, ask_for, shopper, amount):
        promised = ask_for(shopper, amount=amount)
        answers = at_once(50, lambda number: use(apis[number % 2], promised["quote"], shopper))
        assert sorted(answer.status_code for answer in answers) == [201] + 49 * [409]
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"quote_used"}
        [order] = Order.objects.all()
        assert f"{order.charge}" == promised["total_price"]
        assert shopper.wallet.balance == 100 - order.charge
        assert Transaction.objects.filter(kind=TransactionKind.PURCHASE).count() == 1
        assert verify_everything() == []

    def test_with_one_key_are_one_order_and_forty_nine_replays(self, sold, apis, ask_for, shopper):
        text = ask_for(shopper)["quote"]
        key = {"Idempotency-Key": "one-key"}
        answers = at_once(50, lambda number: use(apis[number % 2], text, shopper, **key))
        assert [answer.status_code for answer in answers] == 50 * [201]
        assert {answer.json()["id"] for answer in answers} == {Order.objects.get().pk}
        assert sum(answer.headers.get("Idempotent-Replayed") == "true" for answer in answers) == 49
        assert shopper.wallet.balance == 100 - Order.objects.get().charge
        assert verify_everything() == []

    def test_with_fifty_keys_are_one_order(self, sold, apis, ask_for, shopper):
        text = ask_for(shopper)["quote"]
        answers = at_once(50, lambda n: use(apis[n % 2], text, shopper, **{"Idempotency-Key": f"key-{n}"}))
        assert sorted(answer.status_code for answer in answers) == [201] + 49 * [409]
        assert Order.objects.get().charge == 100 - shopper.wallet.balance


class TestAQuoteThatIsRefused:
    """Its code says why, and nothing is written."""

    def refuse(self, api, text, by, expected):
        before = written()
        for headers in ({}, {"Idempotency-Key": "a-key"}):
            answer = use(api, text, by, **headers)
            assert (answer.status_code, answer.json()["code"]) == expected
            assert answer.headers["Content-Type"] == "application/problem+json"
        assert written() == before
        assert by.wallet.balance == 100

    def test_is_anothers_or_altered(self, sold, apis, ask_for, make_shopper):
        """Altered in any part, or put together from two: the amount of one with the signature of another."""
        alice, bob = make_shopper(), make_shopper()
        text, larger = (ask_for(alice, amount=amount)["quote"] for amount in ("1", "4"))
        self.refuse(apis[1], text, bob, (422, "quote_invalid"))
        forged = [larger.rpartition(":")[0] + ":" + text.rpartition(":")[2]]
        places = (0, 5, 40, len(text) - 40, len(text) - 1)
        forged += [text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :] for at in places]
        for each in forged:
            self.refuse(apis[1], each, alice, (422, "quote_invalid"))
        assert use(apis[1], text, alice).status_code == 201, "and none of these has used it up"

    def test_has_expired(self, sold, make_api_process, ask_for, shopper):
        api = make_api_process(QUOTE_TTL_SECONDS="1", **LIMITS)
        promised = ask_for(shopper, api=api)
        wait_for(lambda: clock.database_now() > datetime.fromisoformat(promised["expires_at"]), seconds=20)
        self.refuse(api, promised["quote"], shopper, (422, "quote_expired"))

    def test_is_withdrawn(self, sold, apis, ask_for, shopper):
        def price(**fields):
            CoinPrice.objects.update(**fields)

        for withdraw, undo in [
            (lambda: stop_selling(coin=sold), lambda: sell_again(coin=sold)),
            (lambda: open_or_close_shop(is_open=False), lambda: open_or_close_shop(is_open=True)),
            (lambda: price(suspended_at=clock.now()), lambda: price(suspended_at=None)),
            (lambda: price(value=Decimal("20.21")), lambda: price(value=Decimal(20))),
            (lambda: price(read_at=clock.now() - timedelta(seconds=20)), lambda: price(read_at=clock.now())),
            (
                lambda: record_closed_markets(coin_ids={sold.pk}, now=clock.now()),
                lambda: record_closed_markets(coin_ids=(), now=clock.now()),
            ),
        ]:
            text = ask_for(shopper)["quote"]
            withdraw()
            self.refuse(apis[1], text, shopper, (409, "quote_withdrawn"))
            undo()
            price(read_at=clock.now())
