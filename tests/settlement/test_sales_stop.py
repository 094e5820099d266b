"""The account at the venue empties while real processes sell: sales stop, staff know before, and all that is sold is bought."""

import time
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from settlement.models import AttemptState, VenueAccount
from settlement.services.account_feed import count_what_may_be_sold, read_account
from settlement.services.funding import read_float, record_funds
from settlement.services.pausing import lift_pause, pause_buying
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.verification import verify_everything
from tests.processes import wait_for
from tests.settlement.conftest import attempts
from trading.models import Headroom, Order, OrderState
from wallets.runtime import clock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_balance")]


class Shop:
    """A running API, as customers and Prometheus see it."""

    def __init__(self, url, client):
        self._url, self._client = url, client

    def buy(self, customer, total):
        body = {"crypto": "ABAN", "total": total}
        return self._client.post(f"{self._url}orders/", json=body, headers=customer.headers)

    def coin(self):
        [listed] = self._client.get(f"{self._url}exchanges/crypto-currencies/").json()
        return listed["is_available"], listed["unavailable_reason"]

    def gauge(self, name):
        text = self._client.get(self._url.replace("/api/v1/", "/metrics")).text
        [line] = [line for line in text.splitlines() if line.startswith(f'{name}{{coin=""}}')]
        return float(line.split()[-1])


@pytest.fixture
def open_shop(make_api_process, simulator):
    """Start an API process, and return it as a shop."""
    with httpx.Client(timeout=20) as client:
        yield lambda: Shop(make_api_process(EXCHANGE_URL=simulator.url), client)


def rows():
    return [concern for concern in list_to_do(now=clock.now()) if concern.kind == ConcernKind.HEADROOM]


def room():
    counted = Headroom.objects.filter(coin=None).first()
    return counted and counted.room


class TestAnAccountThatEmpties:
    def test_stops_sales_within_ten_seconds_and_is_named_before(
        self, venue, simulator, make_worker, open_shop, make_shopper, admin_user, coin, now
    ):
        simulator.set_account(balances={"USDT": "1000"})
        pause = pause_buying(coin=coin, reason="orders have to wait", set_by=admin_user, now=now)
        shop = open_shop()
        make_worker(EXCHANGE_URL=simulator.url, FLOAT_REFRESH_CRON="* * * * * *")
        wait_for(lambda: room() == Decimal("951.42"), seconds=30)
        customer = make_shopper("5000.00")

        assert shop.buy(customer, "951.43").json()["code"] == "sales_stopped"
        for total in ("400.00", "350.00"):
            assert shop.buy(customer, total).status_code == 201
        wait_for(lambda: room() == Decimal("201.42"), seconds=30)
        assert rows() == []
        assert shop.buy(customer, "50.00").status_code == 201
        [row] = wait_for(rows, seconds=30)
        assert row.subject == "all sales are about to stop"
        assert shop.gauge("exchange_headroom_usd") <= 0.2 * shop.gauge("exchange_headroom_whole_usd")
        assert shop.coin() == (True, None)

        simulator.set_account(balances={"USDT": "0"})
        emptied = time.monotonic()
        refused = wait_for(lambda: (answer := shop.buy(customer, "0.01")).status_code == 503 and answer, seconds=30)
        assert time.monotonic() - emptied < 10
        assert (refused.json()["code"], refused.headers["Retry-After"]) == ("sales_stopped", "5")
        wait_for(lambda: shop.coin() == (False, "sales_stopped"), seconds=15)
        assert [each.subject for each in wait_for(rows, seconds=5)] == ["all sales have stopped"]
        taken = Order.objects.count()
        assert shop.buy(customer, "0.01").status_code == 503
        assert Order.objects.count() == taken

        simulator.set_account(balances={"USDT": "1000000"})
        wait_for(lambda: shop.buy(customer, "100.00").status_code == 201, seconds=30)
        lift_pause(pause=pause)
        wait_for(lambda: not Order.objects.filter(state=OrderState.PENDING).exists(), seconds=60)
        large = Order.objects.filter(charge__gte=10)
        wait_for(lambda: set(large.values_list("state", flat=True)) == {OrderState.COMPLETED}, seconds=60)
        wait_for(lambda: rows() == [], seconds=30)
        assert verify_everything() == []


class TestTheFloat:
    def test_is_less_by_purchases_that_ended_since_it_was_read(self, place, settle, venue, simulator):
        before = clock.database_now()
        place("12.00")
        settle()
        [attempt] = attempts()
        assert attempt.state == AttemptState.FILLED
        record_funds(venue="binance", free=Decimal(1000), read_at=before)
        assert read_float(venue="binance") == 1000 - attempt.cost
        read_account(venue=venue, now=clock.database_now())
        assert read_float(venue="binance") == VenueAccount.objects.get().free

    def test_counts_a_purchase_once_whether_it_is_settled_or_not(self, place, settle, venue, simulator):
        simulator.set_account(balances={"USDT": "1000"})
        read_account(venue=venue, now=clock.database_now())
        place("12.00")
        count_what_may_be_sold(wait_seconds=0)
        unsettled = room()
        settle()
        count_what_may_be_sold(wait_seconds=0)
        assert unsettled <= room() < unsettled + 1
        assert Headroom.objects.get(coin=None).used == 0

    def test_stays_what_it_was_while_the_venue_does_not_answer(self, place, venue, simulator, now):
        simulator.set_account(balances={"USDT": "1000"})
        read_account(venue=venue, now=clock.database_now() - timedelta(hours=1))
        simulator.fail({"on": "account", "action": "down"})
        read_account(venue=venue, now=clock.database_now())
        count_what_may_be_sold(wait_seconds=0)
        assert room() == Decimal("951.42")
        place("80.00")
        count_what_may_be_sold(wait_seconds=0)
        assert room() == Decimal("871.42")
