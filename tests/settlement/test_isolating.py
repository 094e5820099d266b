"""The trouble of one coin, job or row stops nothing else, is counted, and is named on the to-do page."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from model_bakery import baker
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from prometheus_client import REGISTRY
from psycopg.errors import QueryCanceled

from exchange_site.metrics.endpoint import render
from exchange_site.stack.processes import free_port
from settlement.clock import database_now
from settlement.models import Attempt, BatchState, FailingItem
from settlement.rescuing import rescue
from settlement.services import sweeping
from settlement.services.claiming import claim_waiting_orders
from settlement.services.isolating import ItemFailed, run_each
from settlement.services.price_feed import refresh_prices
from settlement.services.reconciling import closing
from settlement.services.reconciling.comparing import reconcile
from settlement.services.sweeping import sweep
from settlement.to_do import readers
from settlement.to_do.concerns import ConcernKind
from settlement.to_do.readers import list_to_do
from settlement.venues.ccxt.markets import markets
from settlement.venues.protocol import VenueAway
from settlement.verification import verify_everything
from tests.conftest import make_coin
from tests.owner import run_as_owner
from tests.processes import wait_for
from tests.settlement.conftest import batches, new_venue, states
from trading.models import Coin, CoinPrice, Order
from trading.pools import read_counters
from trading.services.coins import put_on_sale, save_coin
from wallets.runtime.redis_store import with_redis

pytestmark = pytest.mark.django_db(transaction=True)


def failures(what):
    return REGISTRY.get_sample_value("exchange_items_failed_total", {"what": what}) or 0


def named(kind, now):
    return {concern.subject: concern.reason for concern in list_to_do(now=now) if concern.kind == kind}


def sell_at_the_venues_price(*names):
    for name in names:
        coin = put_on_sale(name=name)
        coin.fixed_price = None
        save_coin(coin=coin)


class TestRunEach:
    def test_goes_on_after_an_item_that_fails_and_names_it(self, now, caplog):
        before, done = failures("numbers"), []

        def run(number):
            if number == 2:
                raise ZeroDivisionError("two")
            done.append(number)

        assert run_each(what="numbers", items=[1, 2, 3], run=run, now=now) == {"2"}
        assert (done, failures("numbers")) == ([1, 3], before + 1)
        assert named(ConcernKind.FAILING, now) == {"numbers: 2": "ZeroDivisionError: two (1 ×)"}
        assert "numbers of 2 failed" in caplog.text
        assert "Traceback" in caplog.text

    def test_rolls_back_the_item_alone(self, coin, now):
        def rename(title):
            with transaction.atomic():
                Coin.objects.update(title=title)
                if title == "second":
                    Coin.objects.update(step=0)

        run_each(what="titles", items=["first", "second"], run=rename, now=now)
        assert Coin.objects.get().title == "first"

    def test_goes_on_when_an_item_has_lost_the_connection(self, coin, now):
        done = []

        def run(item):
            if item == "bad":
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            done.append(Coin.objects.count())

        assert run_each(what="lines", items=["bad", "good"], run=run, now=now) == {"bad"}
        assert done == [1]

    @pytest.mark.parametrize("words", ["a\0b", "a\ud800b", "x" * 500])
    def test_names_an_item_whatever_its_words(self, now, words, monkeypatch):
        def run(_):
            raise ValueError(words)

        # pytest-xdist cannot pass on a captured line with half a character.
        monkeypatch.setattr("settlement.services.isolating.logger.disabled", True)
        assert len(run_each(what="words", items=[words, "b"], run=run, now=now)) == 2
        assert FailingItem.objects.count() == 2

    def test_tries_an_item_less_and_less_often_until_it_succeeds(self, now):
        tried, works = [], []

        def run(_):
            tried.append(True)
            if not works:
                raise ValueError

        for second in range(20):
            run_each(what="x", items=["y"], run=run, now=now + timedelta(seconds=second))
        assert len(tried) == 4, "after 0, 2, 6 and 14 seconds"
        works.append(True)
        run_each(what="x", items=["y"], run=run, now=now + timedelta(seconds=60))
        assert not FailingItem.objects.exists()

    def test_tries_an_expected_failure_again_at_once(self, now):
        def run(_):
            raise ItemFailed("no price")

        for _ in range(3):
            run_each(what="x", items=["y"], run=run, now=now)
        assert FailingItem.objects.get().times == 3


class TestPrices:
    @pytest.fixture
    def market(self, simulator, venue):
        """Four coins at the venue's price, besides ABAN."""
        simulator.set_prices(ABAN="4.00", BETA="5.00", GAMA="6.00", DELT="7.00")
        sell_at_the_venues_price("ABAN", "BETA", "GAMA", "DELT")
        return simulator

    def test_of_other_coins_are_read_when_one_is_in_trouble(self, market, now):
        refresh_prices(venues=[new_venue()], now=now)
        market.set_status(BETA="BREAK")
        market.delist("GAMA")
        market.set_prices(ABAN="4.10", DELT="10000000000000")
        venue, later = new_venue(), now + timedelta(seconds=61)
        before = failures("price")
        refresh_prices(venues=[venue], now=later)  # with the old list, as a running worker has it
        assert CoinPrice.objects.get(coin__name="ABAN").value == Decimal("4.10")
        assert failures("price") > before
        markets.forget()
        refresh_prices(venues=[venue], now=later)
        why = named(ConcernKind.SUSPENDED, later)
        assert sorted(why) == ["BETA", "DELT", "GAMA"]
        assert "BREAK" in why["BETA"]
        assert "does not list it" in why["GAMA"]
        assert "cannot be used" in why["DELT"]

    def test_of_a_closed_market_are_not_recorded_and_orders_are_refused(self, market, now, api, shopper):
        refresh_prices(venues=[new_venue()], now=now - timedelta(seconds=61))
        market.set_status(ABAN="BREAK")
        markets.forget()
        refresh_prices(venues=[new_venue()], now=now)
        answer = api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper)
        assert (answer.status_code, answer.json()["code"]) == (503, "price_unavailable")
        assert not Order.objects.exists()
        market.set_status(ABAN="TRADING")
        markets.forget()
        refresh_prices(venues=[new_venue()], now=now)
        assert api("POST", "orders/", {"crypto": "ABAN", "amount": "3"}, by=shopper).status_code == 201

    @pytest.mark.parametrize("price", ["0.0000000000000009", "1000000000000"])
    def test_that_do_not_fit_are_dropped(self, market, now, price):
        market.set_prices(BETA=price)
        refresh_prices(venues=[new_venue()], now=now)
        assert set(CoinPrice.objects.values_list("coin__name", flat=True)) == {"ABAN", "GAMA", "DELT"}
        assert FailingItem.objects.get().item == "BETA"

    def test_of_a_coin_that_was_listed_later_are_read(self, market, now):
        venue = new_venue()
        refresh_prices(venues=[venue], now=now)
        sell_at_the_venues_price("NEWC")
        market.set_prices(NEWC="9.00")
        markets.of(venue._client)._loaded_at -= 31  # as old as a list may be
        refresh_prices(venues=[venue], now=now)
        assert CoinPrice.objects.get(coin__name="NEWC").value == 9


class TestSweep:
    def test_goes_on_when_one_of_its_parts_fails(self, place, now, settings, monkeypatch):
        def fail(**_):
            raise DatabaseError("no")

        for part in ("start_waiting_orders", "nudge_stalled_attempts", "resume_idle_batches", "recheck_attempts"):
            monkeypatch.setattr(sweeping, part, fail)
        place("6.00")
        with_redis(lambda client: client.flushall())
        sweep(now=now)
        assert read_counters(coin_names=["ABAN"]) == {"ABAN": Decimal("6.00")}
        assert set(named(ConcernKind.FAILING, now)) == {
            f"sweep: {part}" for part in ("orders", "attempts", "batches", "rechecks")
        }

    def test_starts_the_orders_of_other_coins(self, place, now, settings, monkeypatch):
        make_coin("BETA", "4.00")
        place("60.00")
        place("12.00", crypto="BETA")
        ProcrastinateJob.objects.all()._raw_delete("default")
        read = sweeping.read_waiting_orders

        def fail_for_the_first(*, coin_id):
            if coin_id == Coin.objects.get(name="ABAN").pk:
                raise ValueError("strange orders")
            return read(coin_id=coin_id)

        monkeypatch.setattr(sweeping, "read_waiting_orders", fail_for_the_first)
        sweep(now=now + settings.SETTLEMENT.sweep_after)
        [job] = ProcrastinateJob.objects.all()
        assert job.args == {"coin_id": Coin.objects.get(name="BETA").pk}
        assert list(named(ConcernKind.FAILING, now)) == ["waiting orders: ABAN"]

    def test_resumes_other_batches(self, place, claim, now, settings, monkeypatch):
        make_coin("BETA", "4.00")
        place("60.00")
        place("12.00", crypto="BETA")
        for coin in Coin.objects.all():
            claim_waiting_orders(coin_id=coin.pk, now=now)
        run_as_owner("DELETE FROM settlement_attempt")
        first, second = batches()
        resume = sweeping.resume_batch

        def fail_for_the_first(*, batch_id):
            if batch_id == first.pk:
                raise ValueError("a bad batch")
            return resume(batch_id=batch_id)

        monkeypatch.setattr(sweeping, "resume_batch", fail_for_the_first)
        sweep(now=now + settings.SETTLEMENT.sweep_after)
        assert list(Attempt.objects.values_list("batch_id", flat=True)) == [second.pk]
        assert list(named(ConcernKind.FAILING, now)) == [f"idle batches: batch {first.pk}"]


class TestRescue:
    """A worker that died leaves jobs behind. Each is run again by itself."""

    @pytest.fixture
    def stalled(self, coin):
        """Two jobs of a dead worker: the first has a twin that waits under the same queueing lock."""
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id"
            )
            [worker] = cursor.fetchone()
            for task, lock, status, owner in (
                ("settlement.sweep", "sweep", "doing", worker),
                ("settlement.sweep", "sweep", "todo", None),
                ("settlement.claim_waiting_orders", None, "doing", worker),
            ):
                cursor.execute(
                    "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, status, worker_id, args)"
                    " VALUES ('ops', %s, %s, %s::procrastinate_job_status, %s, '{}')",
                    [task, lock, status, owner],
                )

    def rescue_all(self):
        async def run():
            connector = app.connector.get_worker_connector()
            with app.replace_connector(connector) as worker:
                async with worker.open_async():
                    jobs = worker.job_manager
                    for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=60):
                        await rescue(job, jobs=jobs)

        asyncio.run(run())

    def statuses(self):
        return list(ProcrastinateJob.objects.order_by("id").values_list("status", flat=True))

    def test_runs_other_jobs_when_one_cannot_wait_twice(self, stalled, now):
        before = failures("rescue")
        self.rescue_all()
        assert self.statuses() == ["failed", "todo", "todo"]
        assert failures("rescue") == before + 1
        assert len(named(ConcernKind.JOB, now)) == 1

    def test_runs_a_job_now_by_the_clock_of_postgres(self, stalled, monkeypatch):
        monkeypatch.setattr("procrastinate.utils.utcnow", lambda: datetime.now(UTC) + timedelta(hours=1))
        self.rescue_all()
        claim = ProcrastinateJob.objects.get(task_name="settlement.claim_waiting_orders")
        assert claim.status == "todo"
        assert claim.scheduled_at <= database_now()

    def test_gives_up_a_job_that_keeps_killing_its_workers(self, stalled, settings):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'settlement.sweep'")
            cursor.execute("UPDATE procrastinate_jobs SET attempts = %s", [2 * settings.JOBS.max_attempts])
        self.rescue_all()
        assert self.statuses() == ["failed"]


class TestReconciliation:
    def test_goes_on_when_one_coin_fails(self, place, settle, venue, simulator, now, monkeypatch):
        make_coin("BETA", "4.00")
        simulator.set_prices(BETA="4.00")
        place("60.00")
        settle()
        long_ago = now - timedelta(minutes=10)
        Attempt.objects.update(executed="14", commission=0, ended_at=long_ago)  # for reconciliation to find
        listed = venue.list_purchases

        def fail_for_beta(*, coin, since):
            if coin == "BETA":
                raise ValueError("a strange list")
            return listed(coin=coin, since=since)

        monkeypatch.setattr(venue, "list_purchases", fail_for_beta)
        result = reconcile(venue=venue, since=now - timedelta(days=1), now=now + timedelta(minutes=1))
        assert result.unasked == ["BETA"]
        assert {finding.kind for finding in result.findings} >= {"differs"}
        assert "reconciliation: BETA" in named(ConcernKind.FAILING, now)

    def test_says_so_when_the_ledger_cannot_be_checked(self, coin, venue, now, monkeypatch):
        def fail():
            raise ValueError("a strange ledger")

        monkeypatch.setattr(closing, "verify_everything", fail)
        assert "ledger" in reconcile(venue=venue, since=now - timedelta(days=1), now=now).unasked

    def test_of_a_venue_that_repeats_a_page_ends(self, simulator, venue, place, settle, now, monkeypatch):
        place("60.00")
        settle()
        ask, pages = venue._wire.ask, []

        def repeat(call):
            """Answer each question for orders with the first page that had any."""
            pages.append(ask(call))
            return next((page for page in pages if page), [])

        monkeypatch.setattr(venue._wire, "ask", repeat)
        with pytest.raises(VenueAway, match="same page"):
            venue.list_purchases(coin="ABAN", since=now - timedelta(hours=1))


class TestWatching:
    def test_names_a_kind_that_cannot_be_read_and_shows_the_others(self, coin, now, monkeypatch):
        def fail(_):
            raise ValueError("strange rows")

        monkeypatch.setitem(readers._READERS, ConcernKind.PARKED, fail)
        failing = baker.make(FailingItem)
        assert named(ConcernKind.PARKED, now) == {"unreadable rows": "these rows cannot be read: ValueError"}
        assert list(named(ConcernKind.FAILING, now)) == [str(failing)]

    def test_names_a_kind_whose_statement_takes_too_long_and_shows_the_others(self, coin, now, monkeypatch):
        def strange_statement(_):
            raise OperationalError("canceling statement due to statement timeout") from QueryCanceled()

        monkeypatch.setitem(readers._READERS, ConcernKind.PARKED, strange_statement)
        failing = baker.make(FailingItem)
        assert named(ConcernKind.PARKED, now) == {"unreadable rows": "these rows cannot be read: OperationalError"}
        assert list(named(ConcernKind.FAILING, now)) == [str(failing)]

    def test_measures_the_other_gauges_when_one_fails(self, coin, monkeypatch):
        def fail():
            raise ValueError("strange pools")

        monkeypatch.setattr("exchange_site.metrics.gauges.sum_pools", fail)
        text = render("")[0].decode()
        assert "exchange_database_up 1.0" in text
        assert 'exchange_batches{state="parked"}' in text
        assert "exchange_pool_usd{" not in text

    def test_shows_items_that_fail_in_the_admin(self, admin_client):
        row = baker.make(FailingItem, what="x", item="y")
        page = admin_client.get("/admin/attention/").content.decode()
        assert "x: y" in page
        assert admin_client.get(f"/admin/settlement/failingitem/{row.pk}/change/").status_code == 200


def test_a_worker_sells_all_other_coins_beside_every_kind_of_trouble(
    simulator, make_worker, make_api_process, make_shopper, now, settings
):
    """One coin in BREAK, one taken off the venue, one whose price does not fit, and a job that cannot be rescued."""
    simulator.set_prices(GOOD="4.00", FINE="5.00", BREK="6.00", GONE="7.00", HUGE="8.00")
    sell_at_the_venues_price("GOOD", "FINE", "BREK", "GONE", "HUGE")
    simulator.set_status(BREK="BREAK")
    simulator.set_prices(HUGE="99999999999999")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id"
        )
        [dead] = cursor.fetchone()
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, status, worker_id, args)"
            " VALUES ('elsewhere', 'x', 'twin', 'doing', %s, '{}'), ('elsewhere', 'x', 'twin', 'todo', NULL, '{}')",
            [dead],
        )
    port = free_port()
    make_worker(
        EXCHANGE_URL=simulator.url,
        PRICE_REFRESH_CRON="* * * * * *",
        RESCUE_CRON="* * * * * *",
        EXCHANGE_MARKETS_MAX_AGE_SECONDS="1",
        WORKER_METRICS_PORT=str(port),
        METRICS_NETWORKS="127.0.0.1",
    )
    wait_for(lambda: CoinPrice.objects.filter(coin__name="GONE").exists(), seconds=60)
    simulator.delist("GONE")
    wait_for(lambda: FailingItem.objects.filter(item="GONE").exists(), seconds=60)
    url, shopper = make_api_process(), make_shopper("500.00")

    def buy(coin):
        body = {"crypto": coin, "total": "20.00"}
        return httpx.post(f"{url}orders/", json=body, headers=shopper.headers).status_code

    for coin in itertools.chain.from_iterable([("GOOD", "FINE")] * 3):
        assert buy(coin) == 201
    wait_for(lambda: states() == ["completed"] * 6, seconds=60)
    assert {buy(coin) for coin in ("BREK", "HUGE")} == {503}
    wait_for(lambda: ProcrastinateJob.objects.filter(status="failed").exists(), seconds=60)
    assert all(batch.state == BatchState.SETTLED for batch in batches())
    later = now + settings.PRICES.max_age + timedelta(minutes=10)
    assert {"BREK", "GONE", "HUGE"} <= set(named(ConcernKind.SUSPENDED, later))
    assert any("'x'" in subject or ", x " in subject for subject in named(ConcernKind.JOB, later))
    assert 'exchange_items_failed_total{what="price"}' in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert verify_everything() == []
