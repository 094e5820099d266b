"""No more is sold than limits and the venue's account allow, whatever Redis says; what stops goes on by itself."""

from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import httpx
import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from prometheus_client import REGISTRY

from settlement.services.account_feed import count_what_may_be_sold
from settlement.services.funding import record_funds
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import by_owner
from tests.processes import at_once
from trading import headroom
from trading.exceptions import SalesStopped
from trading.models import Headroom, Order, OrderState, PriceRule, SalesLimit
from trading.offers import load_offer
from trading.services import placing, placing_together
from trading.services.asked_orders import OrderRequest
from trading.services.cancelling import cancel_order
from trading.services.headroom import begin_count, count_headroom, publish_count
from trading.services.placing import place_order
from trading.services.quoting import make_quote
from wallets.models import Transaction, User
from wallets.runtime import clock, redis_store
from wallets.runtime.idempotency import idempotency_key
from wallets.runtime.lost_connections import CommitUnknown
from wallets.runtime.redis_round import RedisRound
from wallets.runtime.redis_store import with_redis
from wallets.services.ledger.house_moves import book_fill

pytestmark = pytest.mark.django_db(transaction=True)


def set_limit(most, *, coin=None):
    return SalesLimit.objects.create(coin=coin, most=most, reason="a test")


def count():
    """Count what may be sold, as a worker does, without the wait for orders that are under way."""
    count_what_may_be_sold(wait_seconds=0)


def fill_account(dollars, *, at=None):
    record_funds(venue="binance", free=Decimal(dollars), read_at=at or clock.database_now())


def buy(shopper, total="10.00", *, coin="ABAN", **wanted):
    return place_order(
        buyer=shopper.principal, order_request=OrderRequest(coin_name=coin, total=Decimal(total), **wanted)
    )


def room(coin=None):
    return Headroom.objects.get(coin=coin).room


def counter():
    return with_redis(lambda client: client.hgetall(headroom.KEY))


def left(name=headroom.ALL):
    return Decimal(counter()[f"left:{name}"]) / 100


def nothing_happened(shopper):
    return (
        shopper.wallet.balance == Decimal("100.00")
        and not Order.objects.exists()
        and not Transaction.objects.filter(kind="purchase").exists()
    )


@contextmanager
def redis_calls(monkeypatch):
    """Collect the commands that are sent to Redis."""
    seen, really = [], redis_store._run

    def run(command):
        seen.append(command)
        return really(command)

    with monkeypatch.context() as patched:
        patched.setattr(redis_store, "_run", run)
        yield seen


class TestALimit:
    def test_refuses_an_order_that_is_larger(self, api, shopper, coin):
        set_limit(50)
        count()
        refused = api("POST", "orders/", {"crypto": "ABAN", "total": "50.01"}, by=shopper)
        assert (refused.status_code, refused.json()["code"], refused.headers["Retry-After"]) == (
            503,
            "sales_stopped",
            "5",
        )
        assert nothing_happened(shopper)
        assert left() == 50, "a refused order gives its dollars back"
        assert api("POST", "orders/", {"crypto": "ABAN", "total": "50.00"}, by=shopper).status_code == 201
        assert left() == 0

    @pytest.mark.parametrize("asked", [{"amount": "3"}, {"total": "12.00"}, {"amount": 3.0}])
    def test_is_taken_from_by_every_kind_of_order(self, api, shopper, coin, asked):
        set_limit(100)
        count()
        assert api("POST", "orders/", {"crypto": "ABAN", **asked}, by=shopper).status_code == 201
        assert left() == 88

    def test_is_taken_from_by_quotes_when_they_are_used(self, api, shopper, coin):
        set_limit(100)
        count()
        quoted = api("POST", "quotes/", {"crypto": "ABAN", "amount": "3"}, by=shopper).json()["quote"]
        assert left() == 100
        assert api("POST", "orders/", {"quote": quoted}, by=shopper).status_code == 201
        assert left() == 88
        assert api("POST", "orders/", {"quote": quoted}, by=shopper).json()["code"] == "quote_used"
        assert left() == 88

    def test_of_a_coin_stops_this_coin_only(self, make_shopper, coin):
        make_coin("ETH", "30.00")
        set_limit(0, coin=coin)
        count()
        shopper = make_shopper()
        with pytest.raises(SalesStopped):
            buy(shopper, "1.00")
        assert nothing_happened(shopper)
        buy(shopper, "60.00", coin="ETH")

    def test_counts_until_orders_are_settled_or_cancelled(self, make_shopper, coin):
        set_limit(20)
        count()
        customer = make_shopper()
        order = buy(customer).order
        buy(customer)
        count()
        with pytest.raises(SalesStopped):
            buy(customer, "0.01")
        cancel_order(customer=customer.principal, order_id=order.pk)
        count()
        assert (room(), left()) == (10, 10)
        buy(customer)
        assert Order.objects.filter(state=OrderState.PENDING).count() == 2

    def test_does_not_count_held_orders(self, shopper, coin, settings):
        configure(settings, "RISK", max_value=Decimal("9.99"))
        set_limit(20)
        count()
        assert buy(shopper, "20.00").order.state == OrderState.HELD
        assert left() == 20
        count()
        assert room() == 20

    def test_counts_subtotals_without_fees(self, shopper, coin):
        PriceRule.objects.create(coin=coin, spread_rate=0, fee_minimum=5, reason="a test")
        set_limit(25)
        count()
        assert buy(shopper, "25.00").order.subtotal == 20
        assert left() == 0, "an order by total takes all that it may pay"
        count()
        assert (Headroom.objects.get(coin=None).used, room(), left()) == (20, 5, 5)

    def test_is_lifted_by_a_newer_row(self, shopper, coin):
        set_limit(5)
        set_limit(None)
        count()
        assert room() is None
        buy(shopper, "60.00")

    def test_lets_no_customer_have_more_than_a_fifth_of_a_coins(self, make_shopper, coin):
        set_limit(100, coin=coin)
        count()
        greedy, other = make_shopper(), make_shopper()
        with pytest.raises(SalesStopped):
            buy(greedy, "20.01")
        assert nothing_happened(greedy)
        buy(greedy, "10.00")
        buy(greedy, "10.00")
        with pytest.raises(SalesStopped):
            buy(greedy, "0.01")
        assert (greedy.wallet.balance, left("ABAN")) == (80, 80)
        buy(other, "20.00")

    def test_lets_a_customer_buy_again_when_their_orders_are_settled(self, shopper, coin):
        set_limit(100, coin=coin)
        count()
        order = buy(shopper, "20.00").order
        cancel_order(customer=shopper.principal, order_id=order.pk)
        buy(shopper, "20.00")

    def test_counts_a_customers_large_order_behind_many_small_ones(self, make_shopper, coin, settings):
        configure(settings, "RISK", max_orders=2)
        make_coin("ETH", "30.00")
        set_limit(100, coin=coin)
        count()
        greedy = make_shopper()
        buy(greedy, "20.00")
        for _ in range(3):
            buy(greedy, "0.40", coin="ETH")
        with pytest.raises(SalesStopped):
            buy(greedy, "1.00")
        assert (greedy.wallet.balance, Order.objects.filter(coin=coin).count()) == (Decimal("78.80"), 1)

    def test_is_not_taken_from_by_a_repeated_request(self, shopper, coin):
        set_limit(20)
        count()
        key = idempotency_key(key="once", request={})
        first = buy(shopper, "20.00", key=key)
        again = buy(shopper, "20.00", key=key)
        assert (again.order.pk, again.replayed, left()) == (first.order.pk, True, 0)


class TestTheVenuesAccount:
    def test_bounds_what_is_sold_by_the_most_that_its_purchase_may_cost(self, make_shopper, coin, settings):
        configure(settings, "SETTLEMENT", max_loss=Decimal("0.05"))
        configure(settings, "VENUE", taker_rate=Decimal("0.001"))
        fill_account("1000")
        count()
        assert room() == Decimal("951.42")
        assert room() * Decimal("1.05") <= 1000
        rich = make_shopper("2000.00")
        with pytest.raises(SalesStopped):
            buy(rich, "951.43")
        buy(rich, "951.42")

    def test_that_was_never_read_bounds_nothing(self, shopper, coin):
        count()
        assert (room(), Headroom.objects.get(coin=coin).room) == (None, None)
        buy(shopper, "100.00")

    def test_that_is_empty_stops_all_sales(self, api, shopper, coin):
        fill_account("0")
        count()
        with pytest.raises(SalesStopped):
            buy(shopper, "0.01")
        assert nothing_happened(shopper)
        [listed] = api("GET", "exchanges/crypto-currencies/").json()
        assert (listed["is_available"], listed["unavailable_reason"]) == (False, "sales_stopped")

    def test_goes_on_when_it_is_filled(self, api, shopper, coin):
        fill_account("0")
        count()
        fill_account("1000")
        count()
        buy(shopper, "100.00")
        [concern] = [c for c in list_to_do(now=clock.now()) if c.kind == ConcernKind.HEADROOM] or [None]
        assert concern is None

    def test_bounds_sales_by_its_last_reading_however_old(self, shopper, coin):
        fill_account("21", at=clock.database_now() - timedelta(hours=5))
        count()
        buy(shopper, "19.00")
        count()
        with pytest.raises(SalesStopped):
            buy(shopper, "1.00")

    def test_and_a_limit_hold_together(self, coin):
        fill_account("1000")
        set_limit(50)
        count()
        assert room() == 50
        fill_account("10.51")
        count()
        assert room() < 10


class TestTheCounter:
    def test_sells_exactly_what_there_is_to_orders_at_the_same_time(self, make_shopper, make_api_process, coin):
        """Two processes, fifty customers, and a count in between; the last count alone would let all of them pass."""
        urls = [make_api_process(WEB_THREADS="25"), make_api_process(WEB_THREADS="25")]
        customers = [make_shopper() for _ in range(50)]
        set_limit(100)
        count()

        def place(number):
            if number == 50:
                return count_what_may_be_sold()
            answer = httpx.post(
                f"{urls[number % 2]}orders/",
                json={"crypto": "ABAN", "total": "10.00"},
                headers=customers[number].headers,
                timeout=30,
            )
            return answer.status_code

        answers = at_once(51, place)[:50]
        assert (answers.count(201), answers.count(503)) == (10, 40)
        assert Order.objects.count() == 10
        assert sum(customer.wallet.balance for customer in customers) == 50 * 100 - 100

    @pytest.mark.parametrize("asked", ["amount", "total", "quote"])
    def test_is_taken_from_in_the_round_trip_that_counts_the_call(self, api, shopper, coin, monkeypatch, asked):
        set_limit(100)
        count()
        body = {"crypto": "ABAN", asked: "12"}
        if asked == "quote":
            body = {"quote": api("POST", "quotes/", {"crypto": "ABAN", "amount": "3"}, by=shopper).json()["quote"]}
        with redis_calls(monkeypatch) as seen:
            assert api("POST", "orders/", body, by=shopper).status_code == 201
        assert len(seen) == 1, "a large order makes one round trip"
        assert left() == (52 if asked == "amount" else 88)

    @pytest.mark.parametrize(
        "body",
        [
            '{"crypto": "ABAN", "total": "0.01", "total": "30.00"}',
            '{"total": "30.00", "crypto": "\\u0041BAN"}',
            '{"crypto": "ABAN", "total": "3e1"}',
            '{"max_price": "99", "total": 30, "crypto": "ABAN"}',
        ],
    )
    def test_cannot_be_deceived_by_the_form_of_a_body(self, api, shopper, coin, body):
        set_limit(100)
        count()
        answer = api("POST", "orders/", body, by=shopper)
        assert left() == (70 if answer.status_code == 201 else 100)
        assert answer.status_code in {201, 400, 422}

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"crypto": "ABAN", "total": "50.00", "more": 1}, "validation_error"),
            ({"crypto": "ABAN", "total": "150.00"}, "insufficient_funds"),
            ({"crypto": "ABAN", "total": "50.00", "max_price": "0.01"}, "price_above_max"),
        ],
    )
    def test_gets_back_what_a_refused_order_took(self, api, shopper, coin, body, code):
        set_limit(200)
        count()
        assert api("POST", "orders/", body, by=shopper).json()["code"] == code
        assert left() == 200

    @pytest.fixture
    def lost_commits(self, monkeypatch):
        """Place the orders of a group, and lose the connection during COMMIT."""

        def lose(**given):
            really(**given)
            raise CommitUnknown("lost") from psycopg.OperationalError("the connection is closed")

        really = placing.place_group
        monkeypatch.setattr(placing, "place_group", lose)

    @pytest.mark.usefixtures("coin", "lost_commits")
    def test_gets_nothing_back_from_an_order_that_may_have_been_placed(self, shopper):
        """The next count knows what became of the order."""
        set_limit(100)
        count()
        with pytest.raises(CommitUnknown):
            buy(shopper)
        assert left() == 90
        count()
        assert left() == 90
        assert Order.objects.count() == 1

    @pytest.mark.usefixtures("coin", "lost_commits")
    def test_gets_nothing_back_from_an_order_that_is_found_by_its_key_then(self, shopper):
        set_limit(100)
        count()
        assert buy(shopper, key=idempotency_key(key="one", request={})).replayed
        assert left() == 90
        assert Order.objects.count() == 1

    def test_is_not_touched_without_a_token(self, api, shopper, coin):
        set_limit(200)
        count()
        api("POST", "orders/", {"crypto": "ABAN", "total": "50.00"}, Authorization="Bearer forged")
        api("POST", "orders/", {"crypto": "ABAN", "total": "50.00"})
        assert left() == 200

    def test_keeps_what_is_taken_while_postgres_counts(self, shopper, coin):
        """An order that has taken its dollars after the count began, and commits after it, is not sold again."""
        set_limit(100)
        count()
        begun = headroom.begin_count()
        under_way = RedisRound()
        under_way.take(headroom.dollars_wanted(coin_name="ABAN", dollars=Decimal(60)))
        headroom.rewrite(count=begun, rooms={headroom.ALL: Decimal(100)}, prices={})
        assert left() == 40
        under_way.give_back()
        assert left() == 100

    def test_forgets_what_was_taken_before_the_count(self, coin):
        set_limit(100)
        count()
        early = RedisRound()
        early.take(headroom.dollars_wanted(coin_name="ABAN", dollars=Decimal(60)))
        count()
        early.give_back()
        assert left() == 100, "Postgres has counted without it, so it is not given back too"

    def test_is_not_written_by_a_count_that_another_has_overtaken(self, coin):
        set_limit(100)
        count()
        slow = headroom.begin_count()
        count()
        headroom.rewrite(count=slow, rooms={headroom.ALL: Decimal(999)}, prices={})
        assert left() == 100

    @pytest.mark.parametrize(
        "forge",
        [
            lambda client: client.flushall(),
            lambda client: client.delete(headroom.KEY),
            lambda client: client.set(headroom.KEY, "x" * 1000),
            lambda client: client.hset(headroom.KEY, "left:all", "99999999999999999999"),
            lambda client: client.hset(headroom.KEY, "left:all", "many"),
            lambda client: client.hset(headroom.KEY, "left:all", "inf"),
            lambda client: client.hset(headroom.KEY, "left:all", "nan"),
            lambda client: client.hdel(headroom.KEY, "left:all", "counted"),
            lambda client: client.hset(headroom.KEY, "factor:ABAN", "0"),
            lambda client: client.hset(headroom.KEY, "factor:ABAN", "-9"),
            lambda client: client.hset(headroom.KEY, "taken:all", "many"),
        ],
    )
    def test_lost_or_forged_lets_nothing_pass_that_postgres_has_refused(self, api, make_shopper, coin, forge):
        set_limit(20)
        count()
        with_redis(forge)
        shopper = make_shopper()
        assert api("POST", "orders/", {"crypto": "ABAN", "amount": "6"}, by=shopper).json()["code"] == "sales_stopped"
        assert nothing_happened(shopper)
        assert api("POST", "orders/", {"crypto": "ABAN", "amount": "5"}, by=shopper).status_code == 201
        count()
        assert (room(), left()) == (0, 0), "the next count puts it right"

    def test_forged_to_nothing_stops_sales_until_the_next_count_only(self, shopper, coin):
        set_limit(50)
        count()
        with_redis(lambda client: client.hset(headroom.KEY, "left:all", "0"))
        with pytest.raises(SalesStopped):
            buy(shopper)
        assert nothing_happened(shopper)
        count()
        buy(shopper)

    def test_is_not_needed(self, shopper, coin, without_redis):
        set_limit(30)
        count()
        with pytest.raises(SalesStopped):
            buy(shopper, "30.01")
        buy(shopper, "30.00")
        assert room() == 30, "without Redis, orders between two counts do not see each other"
        count()
        with pytest.raises(SalesStopped):
            buy(shopper, "0.01")

    def test_that_is_missing_is_replaced_by_a_count_of_each_order_when_the_last_one_is_old(
        self, make_shopper, coin, settings, without_redis
    ):
        """Sales go on while no worker runs, as far as purchases can follow."""
        set_limit(30)
        fill_account(1000)
        count()
        configure(settings, "SETTLEMENT", float_max_age=timedelta(0))
        shopper = make_shopper("100.00")
        buy(shopper, "20.00")
        with pytest.raises(SalesStopped):
            buy(shopper, "10.01")
        buy(make_shopper("100.00"), "10.00")
        with pytest.raises(SalesStopped):
            buy(make_shopper("100.00"), "0.01")
        assert Order.objects.count() == 2
        count()
        assert room() == 0

    def test_that_is_missing_for_long_sells_no_more_than_the_account_can_pay(self, make_shopper, coin, without_redis):
        """Settlement goes on and nobody counts, as with workers of an earlier release."""
        fill_account(1000)
        count()
        rooms = room()
        long_ago = clock.database_now() - timedelta(hours=1)
        Headroom.objects.update(counted_at=long_ago)
        book_fill(
            venue="binance",
            asset="ABAN",
            cost=Decimal(900),
            quantity=Decimal(50),
            reference="test",
            now=clock.database_now(),
        )
        shopper = make_shopper("1000.00")
        with pytest.raises(SalesStopped):
            buy(shopper, str(rooms - 900 + Decimal("0.01")))
        buy(shopper, str(rooms - 900))

    def test_of_a_coin_that_is_missing_is_replaced_as_well(self, make_shopper, coin, settings, without_redis):
        set_limit(100, coin=coin)
        count()
        configure(settings, "SETTLEMENT", float_max_age=timedelta(0))
        for _ in range(5):
            buy(make_shopper("100.00"), "20.00")
        with pytest.raises(SalesStopped):
            buy(make_shopper("100.00"), "0.01")

    def test_that_is_missing_stops_nothing_where_nothing_is_bound(self, shopper, coin, settings, without_redis):
        count()
        configure(settings, "SETTLEMENT", float_max_age=timedelta(0))
        buy(shopper)

    def test_is_believed_for_some_minutes_while_no_worker_counts(self, shopper, coin):
        set_limit(30)
        count()
        Headroom.objects.update(counted_at=clock.database_now() - timedelta(minutes=2))
        buy(shopper, "20.00")
        with pytest.raises(SalesStopped):
            buy(shopper, "20.00")

    def test_forged_does_not_sell_for_ever_while_no_worker_counts(self, api, make_shopper, coin):
        set_limit(30)
        count()
        with_redis(lambda client: client.hset(headroom.KEY, mapping={"left:all": "999999", "left:ABAN": "999999"}))
        with_redis(lambda client: client.persist(headroom.KEY))
        Headroom.objects.update(counted_at=clock.database_now() - timedelta(minutes=6))
        buy(make_shopper("100.00"), "25.00")
        late = make_shopper("100.00")
        refused = api("POST", "orders/", {"crypto": "ABAN", "total": "10.00"}, by=late)
        assert refused.json()["code"] == "sales_stopped"
        assert late.wallet.balance == 100
        assert Order.objects.count() == 1

    def test_expires_if_no_worker_reaches_it(self, shopper, coin):
        """Its numbers only ever fall then; without it Postgres' count decides, which goes on."""
        set_limit(30)
        count()
        assert 50 <= with_redis(lambda client: client.ttl(headroom.KEY)) <= 60
        with_redis(lambda client: client.expire(headroom.KEY, 30))
        headroom.begin_count()
        assert with_redis(lambda client: client.ttl(headroom.KEY)) <= 30, "a count that is not written is none"
        with_redis(lambda client: client.delete(headroom.KEY))
        headroom.begin_count()
        assert 50 <= with_redis(lambda client: client.ttl(headroom.KEY)) <= 60

    @pytest.mark.parametrize("asked", [{"total": "12.00"}, {"amount": "3"}])
    def test_remembers_what_is_taken_before_the_first_count_is_written(self, api, shopper, coin, asked):
        set_limit(100)
        count()
        with_redis(lambda client: client.delete(headroom.KEY))
        begun = begin_count()
        assert api("POST", "orders/", {"crypto": "ABAN", **asked}, by=shopper).status_code == 201
        headroom.rewrite(count=begun.name, rooms={headroom.ALL: Decimal(100), "ABAN": None}, prices={})
        assert left() == 88

    def test_forgets_a_refused_order_before_the_first_count_is_written(self, api, make_shopper, coin):
        set_limit(100)
        count()
        with_redis(lambda client: client.delete(headroom.KEY))
        begun = begin_count()
        api("POST", "orders/", {"crypto": "ABAN", "total": "60.00"}, by=make_shopper("0.01"))
        headroom.rewrite(count=begun.name, rooms={headroom.ALL: Decimal(100), "ABAN": None}, prices={})
        assert left() == 100


class TestWhoCannotPay:
    """Takes nothing away from those who can, not even for the moment until the order is refused."""

    @pytest.fixture
    def room_of_others(self, monkeypatch):
        """Return a list of what is left for others whenever an order's wallet is locked."""
        seen, really = [], placing_together.lock_dollar_wallets

        def lock(**wallet):
            seen.append(left())
            return really(**wallet)

        monkeypatch.setattr(placing_together, "lock_dollar_wallets", lock)
        return seen

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"total": "40.00"}, "insufficient_funds"),
            ({"amount": "10"}, "insufficient_funds"),
            ({"total": "40.00", "max_price": "0.01"}, "price_above_max"),
        ],
    )
    def test_takes_once_a_minute_at_most(self, api, make_shopper, coin, room_of_others, more, code):
        set_limit(100)
        count()
        poor = make_shopper("0.01")
        for _ in range(3):
            assert api("POST", "orders/", {"crypto": "ABAN", **more}, by=poor).json()["code"] == code
        assert room_of_others == [60, 100, 100]
        assert left() == 100
        [remembered] = with_redis(lambda client: client.keys(f"{headroom.KEY}:in-vain:*"))
        assert 0 < with_redis(lambda client: client.ttl(remembered)) <= 60

    def test_is_remembered_after_a_body_that_is_refused(self, api, make_shopper, coin, room_of_others):
        set_limit(100)
        count()
        poor = make_shopper("0.01")
        api("POST", "orders/", {"crypto": "ABAN", "total": "40.00", "more": 1}, by=poor)
        api("POST", "orders/", {"crypto": "ABAN", "total": "40.00"}, by=poor)
        assert room_of_others == [100]

    def test_is_remembered_by_every_process(self, make_shopper, make_api_process, coin, room_of_others, api):
        set_limit(100)
        count()
        poor = make_shopper("0.01")
        body = {"crypto": "ABAN", "total": "40.00"}
        elsewhere = httpx.post(f"{make_api_process()}orders/", json=body, headers=poor.headers, timeout=30)
        assert elsewhere.json()["code"] == "insufficient_funds"
        assert api("POST", "orders/", body, by=poor).json()["code"] == "insufficient_funds"
        assert room_of_others == [100]

    def test_takes_no_more_than_half_before_the_balance_is_read(self, api, make_shopper, coin, room_of_others):
        set_limit(100)
        count()
        for total in ("50.01", "100.00"):
            api("POST", "orders/", {"crypto": "ABAN", "total": total}, by=make_shopper("0.01"))
        assert room_of_others == [100, 100]
        assert api("POST", "orders/", {"crypto": "ABAN", "total": "100.00"}, by=make_shopper()).status_code == 201
        assert left() == 0

    def test_may_order_when_they_can(self, api, make_shopper, coin, room_of_others):
        set_limit(100)
        count()
        shopper = make_shopper("30.00")
        assert api("POST", "orders/", {"crypto": "ABAN", "total": "40.00"}, by=shopper).status_code == 400
        assert api("POST", "orders/", {"crypto": "ABAN", "total": "30.00"}, by=shopper).status_code == 201
        assert room_of_others == [60, 100, 70]
        assert (shopper.wallet.balance, left(), Order.objects.count()) == (0, 70, 1)

    def test_does_not_learn_how_much_is_left(self, api, make_shopper, coin):
        set_limit(20)
        count()
        poor = make_shopper("1.00")
        for total in ("20.00", "20.01", "99.00"):
            refused = api("POST", "orders/", {"crypto": "ABAN", "total": total}, by=poor)
            assert refused.json()["code"] == "insufficient_funds"
            assert api("POST", "quotes/", {"crypto": "ABAN", "total": total}, by=poor).status_code == 201
        assert (poor.wallet.balance, Order.objects.count()) == (1, 0)

    def test_costs_others_no_statement_and_no_round_trip(self, api, make_shopper, coin, monkeypatch):
        set_limit(100)
        count()
        api("POST", "orders/", {"crypto": "ABAN", "total": "40.00"}, by=make_shopper("0.01"))
        honest = make_shopper()
        with redis_calls(monkeypatch) as seen, CaptureQueriesContext(connection) as captured:
            assert api("POST", "orders/", {"crypto": "ABAN", "total": "40.00"}, by=honest).status_code == 201
        assert len(seen) == 1
        assert len([query for query in captured if query["sql"].startswith(("SELECT", "WITH", "--"))]) <= 3


class TestRefusals:
    def test_are_counted_by_their_cause(self, api, make_shopper, coin):
        def counted(by):
            return REGISTRY.get_sample_value("exchange_orders_without_room_total", {"by": by}) or 0

        set_limit(100)
        set_limit(200, coin=coin)
        count()
        before = {by: counted(by) for by in ("counter", "count", "customer", "age")}

        def order(total):
            body = {"crypto": "ABAN", "total": total}
            return api("POST", "orders/", body, by=make_shopper("500.00")).json()["code"]

        assert order("41.00") == "sales_stopped"
        assert order("101.00") == "sales_stopped"
        with_redis(lambda client: client.hset(headroom.KEY, "left:all", "0"))
        assert order("1.00") == "sales_stopped"
        Headroom.objects.update(counted_at=clock.database_now() - timedelta(hours=1))
        book_fill(
            venue="binance",
            asset="ABAN",
            cost=Decimal(100),
            quantity=Decimal(5),
            reference="test",
            now=clock.database_now(),
        )
        with_redis(lambda client: client.delete(headroom.KEY))
        assert order("1.00") == "sales_stopped"
        assert {by: counted(by) - was for by, was in before.items()} == {
            "counter": 1,
            "count": 1,
            "customer": 1,
            "age": 1,
        }
        assert not Order.objects.exists()


class TestACount:
    def test_is_one_statement_over_open_orders(self, shopper, coin):
        now = clock.database_now()
        with transaction.atomic(), CaptureQueriesContext(connection) as captured:
            count_headroom(payable=Decimal(100), now=now)
        assert len(captured) == 1

    def test_reads_the_prices_once_for_its_beginning_and_its_end(self, coin):
        set_limit(20)
        fill_account("1000")
        with CaptureQueriesContext(connection) as captured:
            count()
        statements = [query["sql"] for query in captured]
        assert len([sql for sql in statements if 'JOIN "trading_coinprice"' in sql]) == 1
        assert len(statements) <= 8
        assert left() == 20
        factor = with_redis(lambda client: client.hget(headroom.KEY, "factor:ABAN"))
        assert Decimal(factor) == load_offer(coin_name="ABAN").price

    def test_leaves_a_coin_to_the_next_one_that_is_put_on_sale_meanwhile(self, api, make_shopper, coin):
        set_limit(100)
        begun = begin_count()
        make_coin("BETA", "4.00")
        with transaction.atomic():
            counted = count_headroom(payable=None, now=clock.database_now())
        publish_count(count=begun, counted=counted)
        buyer = make_shopper("500.00")
        assert api("POST", "orders/", {"crypto": "BETA", "amount": "10"}, by=buyer).status_code == 201
        refused = api("POST", "orders/", {"crypto": "BETA", "amount": "30"}, by=buyer)
        assert refused.json()["code"] == "sales_stopped"
        count()
        assert left() == 60
        assert api("POST", "orders/", {"crypto": "BETA", "amount": "10"}, by=buyer).status_code == 201
        assert left() == 20

    def test_does_not_replace_a_newer_one(self, coin):
        set_limit(20)
        count()
        with transaction.atomic():
            assert count_headroom(payable=Decimal(5), now=clock.database_now() - timedelta(minutes=1)) == []
        assert room() == 20

    def test_replaces_one_from_a_clock_that_was_ahead(self, shopper, coin):
        set_limit(20)
        with transaction.atomic():
            count_headroom(payable=None, now=clock.database_now() + timedelta(hours=1))
        buy(shopper, "12.00")
        with pytest.raises(SalesStopped):
            buy(shopper, "8.01")
        count()
        assert room() == 8

    def test_tells_staff_when_a_fifth_is_left(self, make_shopper, coin):
        set_limit(100)
        count()
        shopper = make_shopper()
        buy(shopper, "79.99")
        count()
        assert ConcernKind.HEADROOM not in {concern.kind for concern in list_to_do(now=clock.now())}
        buy(shopper, "0.01")
        count()
        [concern] = list_to_do(now=clock.now())
        assert (concern.kind, concern.subject) == (ConcernKind.HEADROOM, "all sales are about to stop")
        assert "80.00 USD are sold and not settled, 20.00 more may be sold, of 100.00" in concern.reason
        since = concern.since
        buy(shopper, "20.00")
        count()
        [concern] = list_to_do(now=clock.now())
        assert concern.subject == "all sales have stopped"
        assert Headroom.objects.get(coin=None).near_since == since < concern.since

    def test_tells_staff_of_a_coin(self, make_shopper, coin):
        set_limit(100, coin=coin)
        for _ in range(4):
            count()
            buy(make_shopper(), "20.00")
        count()
        [concern] = list_to_do(now=clock.now())
        assert concern.subject == "sales of ABAN are about to stop"

    def test_tells_staff_when_a_fifth_of_the_account_of_today_is_left_although_all_is_settled(self, coin):
        fill_account("1000")
        count()
        fill_account("201")
        count()
        assert Headroom.objects.get(coin=None).near_since is None
        fill_account("199")
        count()
        [concern] = list_to_do(now=clock.now())
        assert "could pay today" in concern.reason
        fill_account("5000")
        count()
        assert list_to_do(now=clock.now()) == []


class TestQuoting:
    def test_refuses_more_than_may_be_sold(self, shopper, coin):
        set_limit(20)
        count()
        with pytest.raises(SalesStopped):
            make_quote(customer_id=shopper.user.pk, coin_name="ABAN", amount=Decimal("5.01"), total=None)
        make_quote(customer_id=shopper.user.pk, coin_name="ABAN", amount=Decimal(5), total=None)

    @pytest.mark.parametrize("most", ["0", "0.01", "11.99"])
    def test_has_one_code_for_an_order_without_room(self, api, shopper, coin, most):
        """However little is left; the quote stands, and is used when there is room again."""
        quoted = api("POST", "quotes/", {"crypto": "ABAN", "amount": "3"}, by=shopper).json()["quote"]
        set_limit(most)
        count()
        refused = api("POST", "orders/", {"quote": quoted}, by=shopper)
        assert (refused.status_code, refused.json()["code"]) == (503, "sales_stopped")
        assert nothing_happened(shopper)
        set_limit(None)
        count()
        assert api("POST", "orders/", {"quote": quoted}, by=shopper).status_code == 201


class TestTheAdmin:
    PATH = "/admin/trading/saleslimit/add/"

    def test_sets_a_limit_with_a_reason(self, admin_client, admin_user, coin):
        assert (
            admin_client.post(self.PATH, {"coin": coin.pk, "most": "50", "reason": "a thin market"}).status_code == 302
        )
        limit = SalesLimit.objects.get()
        assert (limit.coin, limit.most, limit.created_by, limit.reason) == (coin, 50, admin_user, "a thin market")
        count()
        assert "50.00" in admin_client.get("/admin/trading/headroom/").content.decode()

    def test_asks_for_a_reason(self, admin_client, coin):
        assert "required" in admin_client.post(self.PATH, {"most": "50", "reason": ""}).content.decode()
        assert not SalesLimit.objects.exists()

    @pytest.mark.parametrize("most", ["-1", "NaN", "0.001"])
    def test_refuses_what_is_no_amount(self, admin_client, coin, most):
        assert admin_client.post(self.PATH, {"most": most, "reason": "a test"}).status_code == 200
        assert not SalesLimit.objects.exists()

    def test_needs_the_permission(self, client, coin):
        staff = User.objects.create_user("staff", password="password", is_staff=True)
        staff.user_permissions.add(Permission.objects.get(codename="view_saleslimit"))
        client.force_login(staff)
        assert client.post(self.PATH, {"most": "50", "reason": "x"}).status_code == 403
        assert not SalesLimit.objects.exists()


class TestTheDatabase:
    @pytest.mark.parametrize("change", [lambda rows: rows.update(most=9), lambda rows: rows.delete()])
    def test_refuses_to_change_a_limit_even_to_its_owner(self, coin, change):
        set_limit(5)
        with by_owner(), pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change(SalesLimit.objects.all())
        assert SalesLimit.objects.get().most == 5

    @pytest.mark.parametrize(
        ("model", "fields"),
        [
            (SalesLimit, {"most": -1, "reason": "x"}),
            (SalesLimit, {"most": 1, "reason": ""}),
            (Headroom, {"used": -1}),
            (Headroom, {"used": 0, "room": -1}),
            (Headroom, {"used": 0, "stopped_since": "2026-01-01T00:00Z"}),
        ],
    )
    def test_refuses_senseless_rows(self, coin, now, model, fields):
        more = {"counted_at": now} if model is Headroom else {}
        with pytest.raises(IntegrityError), transaction.atomic():
            model.objects.create(**fields, **more)

    def test_has_one_count_for_all_coins(self, now):
        Headroom.objects.create(used=0, counted_at=now)
        with pytest.raises(IntegrityError, match="one_headroom"), transaction.atomic():
            Headroom.objects.create(used=0, counted_at=now)
