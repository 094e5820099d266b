"""Orders that are placed together, in one database transaction, and what each would have got alone."""

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import NoneType

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.configure import configure
from tests.conftest import make_coin
from tests.processes import at_once, somebody_waits_for_a_lock, wait_for
from tests.trading.test_orders import order_request_of
from tests.wallets.test_lost_connections import backend, end_session
from trading import jobs, pools
from trading.exceptions import QuoteUsed, SalesStopped, UnknownCoin
from trading.models import Order, OrderState, Review, SalesLimit
from trading.quotes import read_quote, sign_quote
from trading.services import placing, placing_together
from trading.services.asked_orders import ALONE, PASSED_OVER, AskedOrder, Counters, OrderRequest
from trading.services.cancelling import cancel_order
from trading.services.headroom import count_headroom
from trading.services.placing import place_order
from trading.services.placing_together import place_alone, place_group
from trading.services.quoting import make_quote
from wallets.exceptions import AccountFrozen, DomainError, IdempotencyKeyReused, InsufficientFunds, TokenInvalid
from wallets.models import Transaction, Wallet
from wallets.runtime.allowances import Outcome
from wallets.runtime.lost_connections import CommitUnknown
from wallets.selectors.accounts import Principal
from wallets.services.ledger.locking import lock_dollar_wallet
from wallets.verification import verify_balances

pytestmark = pytest.mark.django_db


def asked(shopper, amount=None, *, total=None, coin_name="ABAN", key=None, **more):
    request = order_request_of(amount=amount, total=total, coin_name=coin_name, key=key)
    return AskedOrder(
        **{"buyer": shopper.principal, "order_request": request, "quote": None, "counters": Counters(), **more}
    )


_PATIENCE = timedelta(seconds=1)


def together(*group):
    return place_group(group=group, patience=_PATIENCE)


def limit_sales(coin, most, *, now):
    """Set a sales limit that has just been counted."""
    SalesLimit.objects.create(coin=coin, most=Decimal(most), reason="a test")
    count_headroom(payable=None, now=now)


def ledger_is_sound():
    return not verify_balances()


class TestAGroup:
    def test_places_each_order_and_charges_its_wallet(self, make_shopper, coin):
        first, second = make_shopper(), make_shopper("50.00")
        judgements = together(asked(first, 3), asked(second, 5), asked(first, 4))
        orders = [judgement.placed.order for judgement in judgements]
        assert [order.pk for order in orders] == sorted(Order.objects.values_list("pk", flat=True))
        assert [(order.customer_id, order.charge) for order in Order.objects.order_by("pk")] == [
            (first.user.pk, 12),
            (second.user.pk, 20),
            (first.user.pk, 16),
        ]
        assert (first.wallet.balance, second.wallet.balance) == (72, 30)
        movements = Transaction.objects.filter(kind="purchase").order_by("pk")
        assert [(movement.order_id, movement.reference) for movement in movements] == [
            (order.pk, f"order:{order.pk}:charge") for order in orders
        ]
        assert [movement.balance_after for movement in movements] == [88, 30, 72]
        assert ledger_is_sound()

    def test_takes_three_statements_whatever_its_size(self, make_shopper, coin):
        group = [asked(make_shopper(), 3, key=f"key-{number}") for number in range(8)]
        with CaptureQueriesContext(connection) as captured:
            together(*group)
        inner = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
        assert len([query for query in captured if not query["sql"].startswith(inner)]) == 3
        assert Order.objects.count() == 8

    def test_enqueues_one_claim_a_coin(self, make_shopper, coin):
        other = make_coin("ETH", "20.00")
        together(*(asked(make_shopper(), 3, coin_name=name) for name in ("ABAN", "ETH", "ABAN", "ETH")))
        jobs = ProcrastinateJob.objects.order_by("pk")
        assert sorted(job.args["coin_id"] for job in jobs) == sorted([coin.pk, other.pk])

    def test_writes_the_rows_that_orders_alone_would_write(self, make_shopper, coin, now):
        sharing, alone = make_shopper(), make_shopper()
        requests = [{"amount": 3}, {"total": "2.00", "counters": Counters(pool_total=Decimal(3))}, {"amount": 4}]
        together(*(asked(sharing, key=f"k{number}", **each) for number, each in enumerate(requests)))
        jobs = list(ProcrastinateJob.objects.values())
        for number, each in enumerate(requests):
            place_alone(asked=asked(alone, key=f"k{number}", **each), now=None)

        def rows(model, shopper):
            own = {"id", "customer_id", "order_id", "source_id", "destination_id", "reference"}
            times = {"created_at", "price_at", "settle_by"}
            return [
                {name: value is None if name in times else value for name, value in row.items() if name not in own}
                for row in model.objects.filter(customer=shopper.user).order_by("pk").values()
            ]

        assert rows(Order, sharing) == rows(Order, alone)
        assert rows(Transaction, sharing) == rows(Transaction, alone)
        assert len(rows(Order, sharing)) == 3
        [job] = jobs
        other = ProcrastinateJob.objects.exclude(pk=job["id"]).values().first()
        assert {**other, "id": job["id"], "scheduled_at": job["scheduled_at"]} == job

    def test_refuses_a_refused_order_only(self, make_shopper, coin):
        frozen, poor, rich = make_shopper(), make_shopper("1.00"), make_shopper()
        Wallet.objects.filter(owner=frozen.user).update(frozen=True)
        revoked = replace(rich.principal, token_version=7)
        group = [asked(frozen, 3), asked(poor, 3), asked(rich, 3, coin_name="NONE"), asked(rich, 3)]
        judgements = together(*group, asked(rich, 3, buyer=revoked))
        assert [type(judgement.refusal) for judgement in judgements] == [
            AccountFrozen,
            InsufficientFunds,
            UnknownCoin,
            type(None),
            TokenInvalid,
        ]
        assert [judgement.customer_id for judgement in judgements[:2]] == [frozen.user.pk, poor.user.pk]
        assert [order.customer_id for order in Order.objects.all()] == [rich.user.pk]
        assert (frozen.wallet.balance, poor.wallet.balance, rich.wallet.balance) == (100, 1, 88)

    def test_judges_orders_of_one_wallet_by_what_those_before_have_left(self, shopper, coin):
        judgements = together(*(asked(shopper, amount) for amount in (20, 6, 5, 1)))
        assert [bool(judgement.placed) for judgement in judgements] == [True, False, True, False]
        assert judgements[1].refusal.balance == 20
        assert shopper.wallet.balance == 0

    def test_counts_those_before_as_recent_orders(self, shopper, coin, settings):
        configure(settings, "RISK", max_orders=2)
        judgements = together(*(asked(shopper, 3) for _ in range(3)))
        assert judgements[2] is ALONE
        assert Order.objects.count() == 2
        assert not Review.objects.exists()

    def test_places_orders_of_a_coin_with_a_sales_limit(self, make_shopper, coin, now):
        """Each customer gets a fifth of it, orders before and earlier ones included; those of other coins do not count."""
        limit_sales(coin, "100.00", now=now)
        make_coin("ETH", "4.00")
        greedy, other = make_shopper(), make_shopper()
        place_alone(asked=asked(greedy, 1), now=None)
        group = [
            asked(greedy, 3),
            asked(greedy, 3, coin_name="ETH"),
            asked(other, 5),
            asked(greedy, 2),
            asked(greedy, 1),
        ]
        with CaptureQueriesContext(connection) as captured:
            judgements = together(*group)
        assert len([query for query in captured if query["sql"].startswith(("SELECT", "WITH"))]) == 3
        assert [type(judgement.refusal) for judgement in judgements] == [
            NoneType,
            NoneType,
            NoneType,
            SalesStopped,
            NoneType,
        ]
        assert (greedy.wallet.balance, other.wallet.balance) == (100 - 4 - 12 - 12 - 4, 80)
        assert [type(each.refusal) for each in together(asked(other, 1), asked(greedy, 1))] == [SalesStopped] * 2

    def test_counts_no_order_of_a_limited_coin_that_is_old_or_cancelled(self, make_shopper, coin, now):
        shopper = make_shopper()
        assert place_alone(asked=asked(shopper, 2), now=now - timedelta(days=8)).placed
        cancelled = place_alone(asked=asked(shopper, 2), now=None).placed.order
        cancel_order(customer=shopper.principal, order_id=cancelled.pk)
        limit_sales(coin, "100.00", now=now)
        assert all(judgement.placed for judgement in together(asked(shopper, 3), asked(shopper, 2)))

    def test_leaves_a_repeated_key_to_be_found(self, shopper, coin):
        judgements = together(asked(shopper, 3, key="k"), asked(shopper, 3, key="k"), asked(shopper, 3))
        assert judgements[1] is ALONE
        found = place_alone(asked=asked(shopper, 3, key="k"), now=None)
        assert found.placed.replayed
        assert found.placed.order.pk == judgements[0].placed.order.pk
        other = place_alone(asked=asked(shopper, 4, key="k"), now=None)
        assert isinstance(other.refusal, IdempotencyKeyReused)
        assert Order.objects.count() == 2

    def test_lets_customers_have_the_same_key(self, make_shopper, coin):
        judgements = together(*(asked(make_shopper(), 3, key="k") for _ in range(3)))
        assert all(judgement.placed for judgement in judgements)

    def test_leaves_a_repeated_quote_to_be_refused(self, shopper, coin):
        quote = make_quote(customer_id=shopper.user.pk, coin_name="ABAN", amount=Decimal(3), total=None)
        request = OrderRequest(coin_name="ABAN", quote=sign_quote(quote))
        by_quote = asked(shopper, order_request=request, quote=read_quote(sign_quote(quote)))
        judgements = together(by_quote, by_quote)
        assert (bool(judgements[0].placed), judgements[1]) == (True, ALONE)
        again = place_alone(asked=by_quote, now=None)
        assert isinstance(again.refusal, QuoteUsed)
        assert Order.objects.count() == 1

    def test_takes_the_dollars_of_an_order_later(self, make_shopper, coin):
        later = Counters(taking=Outcome.LATER)
        judgements = together(asked(make_shopper(), 3, counters=later), asked(make_shopper(), 3))
        assert (judgements[0].has_funds, judgements[0].placed) == (True, None)
        assert Order.objects.count() == 1

    def test_leaves_a_caller_without_a_wallet_to_be_refused_alone(self, shopper, coin):
        nobody = Principal(user_id=shopper.user.pk + 1000, token_version=0)
        judgements = together(asked(shopper, 3, buyer=nobody), asked(shopper, 3))
        assert (judgements[0], bool(judgements[1].placed)) == (PASSED_OVER, True)
        with pytest.raises(TokenInvalid):
            place_alone(asked=asked(shopper, 3, buyer=nobody), now=None)


@pytest.fixture
def gathered(monkeypatch):
    """Let orders gather: yield a function that runs calls at once, so that all but the first are one group."""
    sizes = []

    def gather(calls):
        first_is_at_work, others_wait = threading.Event(), threading.Event()

        def judge(group):
            sizes.append(len(group))
            if len(sizes) == 1:
                first_is_at_work.set()
                assert others_wait.wait(30)
            return really(group)

        group = placing._group
        really = group._carry_out
        monkeypatch.setattr(group, "_carry_out", judge)

        def call(number):
            if number:
                assert first_is_at_work.wait(30)
                if number == len(calls):
                    wait_for(lambda: len(group._waiting) == len(calls) - 1)
                    others_wait.set()
                    return None
            return calls[number]()

        return at_once(len(calls) + 1, call)[:-1], sizes

    return gather


@pytest.mark.django_db(transaction=True)
class TestOrdersThatGather:
    """Through the front door, in threads of their own."""

    def place(self, shopper, amount=3, **more):
        def call():
            try:
                return place_order(buyer=shopper.principal, order_request=order_request_of(amount=amount, **more))
            except DomainError as error:
                return error

        return call

    def test_are_placed_together(self, make_shopper, coin, gathered):
        shoppers = [make_shopper() for _ in range(5)]
        placed, sizes = gathered([self.place(each) for each in shoppers])
        assert sizes == [1, 4]
        assert {each.order.customer_id for each in placed} == {each.user.pk for each in shoppers}
        assert len({order.created_at for order in Order.objects.all()}) == 2
        assert ledger_is_sound()

    def test_have_one_effect_under_one_key(self, shopper, coin, gathered):
        placed, sizes = gathered([self.place(shopper), *(self.place(shopper, key="k") for _ in range(4))])
        assert sizes == [1, 4]
        assert len({each.order.pk for each in placed}) == 2
        assert sum(each.replayed for each in placed) == 3
        assert shopper.wallet.balance == 76

    def test_are_held_one_by_one(self, make_shopper, coin, gathered, settings):
        configure(settings, "RISK", max_value=Decimal(30))
        shopper, other = make_shopper(), make_shopper()
        placed, sizes = gathered([self.place(other), self.place(shopper, 5), self.place(shopper, 5), self.place(other)])
        assert sizes == [1, 3]
        assert sorted(each.order.state for each in placed) == ["held", "pending", "pending", "pending"]
        assert Review.objects.get().order.customer_id == shopper.user.pk

    def test_do_not_wait_long_for_a_lock_of_one(self, make_shopper, coin, gathered):
        """The orders of the others are placed while the one still waits."""
        locked, unlock = threading.Event(), threading.Event()
        busy, others = make_shopper(), [make_shopper() for _ in range(3)]

        def hold():
            with transaction.atomic():
                lock_dollar_wallet(principal=busy.principal)
                locked.set()
                assert unlock.wait(30)
            connection.close()

        holder = threading.Thread(target=hold)
        holder.start()
        assert locked.wait(30)

        def unlock_when_others_are_placed():
            wait_for(lambda: Order.objects.count() == 3)
            wait_for(somebody_waits_for_a_lock)
            unlock.set()
            connection.close()

        watcher = threading.Thread(target=unlock_when_others_are_placed)
        watcher.start()
        placed, sizes = gathered([self.place(others[0]), self.place(busy), *map(self.place, others[1:])])
        for thread in (holder, watcher):
            thread.join(30)
        assert sizes == [1, 3]
        assert all(each.order.state == OrderState.PENDING for each in placed)
        assert busy.wallet.balance == 88

    def test_are_not_placed_twice_if_the_answer_to_their_commit_is_lost(
        self, make_shopper, coin, gathered, monkeypatch
    ):
        """Only the one with a key is tried again, and finds itself."""

        def lose(**given):
            judgements = place_group(**given)
            if len(given["group"]) > 1:
                raise CommitUnknown("lost") from psycopg.OperationalError("the connection is closed")
            return judgements

        monkeypatch.setattr(placing, "place_group", lose)
        first, keyed, other = make_shopper(), make_shopper(), make_shopper()

        def place_and_fail(shopper):
            def call():
                with pytest.raises(CommitUnknown) as caught:
                    place_order(buyer=shopper.principal, order_request=order_request_of(amount=3))
                return caught.value

            return call

        calls = [self.place(first), self.place(keyed, key="k"), place_and_fail(other), place_and_fail(other)]
        found, sizes = gathered(calls)
        assert sizes == [1, 3]
        assert found[1].replayed
        assert found[2] is not found[3]
        assert Order.objects.count() == 4
        assert (first.wallet.balance, keyed.wallet.balance, other.wallet.balance) == (88, 88, 76)

    def test_are_not_tried_alone_if_they_have_waited_long_for_a_connection_that_is_lost(
        self, shopper, coin, monkeypatch
    ):
        def lose(**given):
            raise OperationalError("lost") from psycopg.OperationalError("the connection is closed")

        monkeypatch.setattr(placing, "place_group", lose)
        monkeypatch.setattr(placing, "_LONG_WAIT", timedelta(0))
        with pytest.raises(OperationalError, match="lost"):
            place_order(buyer=shopper.principal, order_request=order_request_of(amount=3))
        assert not Order.objects.exists()
        assert shopper.wallet.balance == 100

    @pytest.mark.parametrize("losses", [1, 2])
    def test_stand_although_the_claim_of_the_pool_that_they_fill_is_not_requested(
        self, shopper, coin, monkeypatch, losses
    ):
        """Another thread's connection has placed it; its own may have been lost long ago, and is tried once more."""
        ends = [end_session] * losses

        def add(**given):
            return really_add(coin_name=given["coin_name"], amount=Decimal(10))  # others have filled it meanwhile

        def defer(**given):
            if ends:
                ends.pop()(backend())
            really_defer(**given)

        really_add, really_defer = pools.add, jobs.defer_job
        monkeypatch.setattr(pools, "add", add)
        monkeypatch.setattr(jobs, "defer_job", defer)
        pools.rewrite(totals={"ABAN": Decimal(0)})
        placed = self.place(shopper, 1)()
        assert placed.order.pk == Order.objects.get().pk
        assert shopper.wallet.balance == 96
        assert not ends
        assert ProcrastinateJob.objects.count() == (1 if losses == 1 else 0)

    def test_leave_the_connection_as_it_was(self, make_shopper, coin):
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            before = cursor.fetchone()
            together(asked(make_shopper(), 3), asked(make_shopper("1.00"), 3))
            together(asked(make_shopper(), 3))
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == before

    def test_are_placed_alone_after_a_group_that_failed(self, make_shopper, coin, gathered, monkeypatch):
        failures = []

        def write(drafts):
            really(drafts)
            if len(drafts) > 1:
                failures.append(len(drafts))
                raise RuntimeError("what was written is rolled back")

        really = placing_together._write
        monkeypatch.setattr(placing_together, "_write", write)
        shoppers = [make_shopper() for _ in range(4)]
        placed, sizes = gathered(list(map(self.place, shoppers)))
        assert (sizes, failures) == ([1, 3], [3])
        assert len({each.order.pk for each in placed}) == 4
        assert [each.wallet.balance for each in shoppers] == [88] * 4
