"""The parts of the benchmark; above all, pgbench runs the same statements as placing an order."""

import io
import json
import os
import statistics
import time
from collections import Counter
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import SimpleNamespace
from typing import ClassVar

import httpx
import pytest
from django.db import connection
from rich.console import Console

from exchange_site.stack.processes import PROJECT
from exchange_site.stack.servers import connect
from settlement.verification import verify_everything
from tests.benchmark import growth, history, report
from tests.benchmark.customers import open_accounts
from tests.benchmark.flood import read_beside_sign_ins
from tests.benchmark.history import write_settled_orders
from tests.benchmark.limit import Statement, renderer, run_pgbench, spread_ids, write_script, written
from tests.benchmark.load import BenchmarkFailed, Call, put_load
from tests.benchmark.results import keep
from tests.benchmark.servers import memory_mib, running_copy, running_stack
from tests.benchmark.settling import Completion, measure_completion
from tests.benchmark.steady import place_steadily
from tests.configure import configure
from tests.conftest import make_coin
from trading.models import Order
from wallets.models import Transaction, User, Wallet


@pytest.fixture
def customers(db, tmp_path):
    make_coin("ABAN", "4.00")
    spread_ids()
    return open_accounts(count=5, folder=tmp_path)


@pytest.fixture
def environment():
    database = connection.settings_dict
    return {
        **os.environ,
        "POSTGRES_HOST": str(database["HOST"]),
        "POSTGRES_PORT": str(database["PORT"]),
        "POSTGRES_USER": database["USER"],
        "POSTGRES_PASSWORD": database["PASSWORD"],
        "POSTGRES_DB": database["NAME"],
    }


@pytest.mark.django_db(transaction=True)
class TestTheLimit:
    def test_places_orders_that_differ_from_real_ones_only_in_ids_and_times(self, customers, environment, tmp_path):
        script = write_script(customers=customers, coin="ABAN", into=tmp_path / "order.sql")
        run_pgbench(script=script, environment=environment, clients=2, transactions=20)
        real, *played = Order.objects.order_by("id")
        assert len(played) == 40
        own = {"id", "customer_id", "created_at", "price_at"}
        fields = {field.attname for field in Order._meta.concrete_fields} - own
        assert {tuple(str(getattr(order, name)) for name in sorted(fields)) for order in [real, *played]} == {
            tuple(str(getattr(real, name)) for name in sorted(fields))
        }
        assert len({order.customer_id for order in played}) > 1
        assert verify_everything() == []

    def test_runs_the_three_statements_of_an_order(self, customers, tmp_path):
        script = write_script(customers=customers, coin="ABAN", into=tmp_path / "order.sql").read_text()
        body = script[script.index("BEGIN;") : script.index("COMMIT;")].splitlines()[1:]
        assert [line.split()[0] for line in body] == ["WITH", "SELECT", "WITH"]
        assert "FOR NO KEY UPDATE" in body[0]

    @pytest.mark.parametrize("most", [1, 100, 10_000, 10_999, 100_005, 1_000_000])
    def test_takes_no_other_number_for_an_id(self, customers, tmp_path, settings, most):
        configure(settings, "RISK", max_orders=most)
        script = write_script(customers=customers, coin="ABAN", into=tmp_path / "order.sql").read_text()
        assert f"LIMIT {most + 1})" in script
        assert script.count(":customer::bigint") == script.count(":customer") > 1
        ids = [customers.spare, Order.objects.get().pk, Wallet.objects.get(owner_id=customers.spare, asset="USD").pk]
        assert min(ids) > 10**12
        assert not any(str(each) in script for each in ids)

    def test_refuses_a_variable_where_a_number_belongs(self):
        statement = Statement(sql="SELECT 1 FROM trading_order LIMIT %(most)s", values={"most": 7})
        assert written(statement, str) == "SELECT 1 FROM trading_order LIMIT 7;"
        with pytest.raises(BenchmarkFailed, match="LIMIT :customer"):
            written(statement, lambda value: ":customer::bigint")

    def test_refuses_the_id_of_the_recorded_order(self, customers, tmp_path):
        write_script(customers=customers, coin="ABAN", into=tmp_path / "order.sql")
        order = Order.objects.get()
        render = renderer(order=order, now=order.created_at)
        assert render([order.customer_id, 1]) == "ARRAY[:customer::bigint, 1]"
        with pytest.raises(BenchmarkFailed, match="id of the recorded order"):
            render([1, order.pk])


@pytest.mark.django_db(transaction=True)
class TestTheCustomers:
    def test_get_new_tokens_when_they_are_there_already(self, customers, tmp_path):
        count, tokens = User.objects.count(), customers.tokens.read_text()
        assert open_accounts(count=5, folder=tmp_path) == customers
        assert User.objects.count() == count
        again = customers.tokens.read_text()
        assert again != tokens
        assert len(set(again.split())) == 5
        assert set(customers.readers.read_text().split()) <= set(again.split())


class Recorder(BaseHTTPRequestHandler):
    """Answers as the API does, every third sign-in with `busy`, and keeps the requests."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer leaves in one piece
    asked: ClassVar[list[tuple[str, str, float]]] = []

    def do_GET(self):
        self.answer(200)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.asked.append((self.headers.get("Authorization", ""), body, time.monotonic()))
        busy = "login" in self.path and len(self.asked) % 3 == 0
        self.answer(503 if busy else 200 if "login" in self.path else 201)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@pytest.fixture
def api():
    Recorder.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class TestTheLoad:
    @pytest.fixture
    def tokens(self, tmp_path):
        (tmp_path / "tokens").write_text("".join(f"t{number}\n" for number in range(50)))
        return tmp_path / "tokens"

    def test_takes_customers_and_bodies_in_turn(self, api, tokens):
        call = Call(method="POST", path="/", bodies=("one", "two", "three"), tokens=tokens)
        assert put_load(call=call, url=api, clients=4, seconds=1).requests > 150
        asked = Counter(token for token, _, _ in Recorder.asked)
        assert set(asked) == {f"Bearer t{number}" for number in range(50)}
        for first in (0, 1):  # each of wrk's two threads has every other token, and a speed of its own
            times = [asked[f"Bearer t{number}"] for number in range(first, 50, 2)]
            assert max(times) - min(times) < 10
        bodies = Counter(body for _, body, _ in Recorder.asked)
        assert set(bodies) == {"one", "two", "three"}
        assert max(bodies.values()) - min(bodies.values()) < 15

    def test_of_a_hot_wallet_stays_with_one_customer_for_a_while(self, api, tokens):
        put_load(
            call=Call(method="POST", path="/", bodies=("one",), tokens=tokens, streak=40), url=api, clients=4, seconds=1
        )
        customers = [token for token, _, _ in Recorder.asked]
        changes = sum(one != other for one, other in pairwise(customers))
        assert len(customers) > 100
        assert changes < len(customers) / 40 * 8  # four clients change at nearly the same moment

    def test_that_is_steady_can_be_scattered(self, api):
        for scattered in (False, True):
            Recorder.asked.clear()
            place_steadily(url=api, tokens=["t"], body="{}", orders=30, rate=30, scattered=scattered)
            times = sorted(moment for _, _, moment in Recorder.asked)
            gaps = [later - earlier for earlier, later in pairwise(times)]
            assert len(times) == 30
            assert (statistics.pstdev(gaps) > 0.008) == scattered

    def test_beside_sign_ins_says_how_many_succeed(self, api):
        call = Call(method="GET", path="/")
        names = [f"name{number}" for number in range(3)]
        found = read_beside_sign_ins(call=call, url=api, clients=2, seconds=1, usernames=names, password="right")
        assert found["requests"] > 10
        assert found["sign_ins"]["rate"] > 1
        assert found["sign_ins"]["busy_share"] == pytest.approx(1 / 3, abs=0.1)
        assert {json.loads(body)["username"] for _, body, _ in Recorder.asked} == set(names)


@pytest.mark.django_db(transaction=True)
class TestTheTimeToCompletion:
    def test_is_that_between_the_times_of_the_database(self, coin, now):
        sum(write_settled_orders(orders=50, now=now))
        place = partial(sum, write_settled_orders(orders=200, now=now))  # of four customers, in 1, 2, 3 and 4 seconds
        assert measure_completion(stack=None, place=place) == Completion(
            orders=200, median_seconds=2.5, p99_seconds=4.0, most_seconds=4.0
        )

    def test_means_nothing_without_orders(self, coin):
        with pytest.raises(BenchmarkFailed, match="0 of 0"):
            measure_completion(stack=None, place=lambda: None)


@pytest.fixture
def stack():
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # else the user of the database server could not enter it
        with running_stack(folder) as stack:
            yield stack


class TestTheStack:
    def test_has_a_second_one_on_a_copy_of_its_database(self, stack):
        stack.start_web(processes=1)
        with running_copy(stack, name="grown") as copy:
            for one in (stack, copy):
                one.start_web(processes=1)
                [pid] = one.web_processes()
                assert memory_mib(pid) > 20
            answer = httpx.post(
                f"{copy.url}/api/v1/accounts/auth/register/",
                json={"username": "alice", "password": "password-of-alice"},
            )
            assert answer.status_code == 201
            assert [self.count_users(one) for one in (stack, copy)] == [0, 1]
            self.assert_that_they_share_only_postgres(stack, copy)
        with running_copy(stack, name="grown") as again:
            assert self.count_users(again) == 1

    def count_users(self, stack):
        with connect(stack.environment) as connection:
            return connection.execute("SELECT count(*) FROM wallets_user").fetchone()[0]

    def assert_that_they_share_only_postgres(self, stack, copy):
        for name in ("PORT", "REDIS_PORT", "EXCHANGE_URL", "POSTGRES_DB"):
            assert stack.environment[name] != copy.environment[name]
        httpx.put(f"{copy.venue}/control/prices", json={"ABANUSDT": "123.00"}).raise_for_status()
        prices = [
            httpx.get(f"{one.venue}/api/v3/ticker/bookTicker", params={"symbol": "ABANUSDT"}).json()["bidPrice"]
            for one in (stack, copy)
        ]
        assert prices[0] != prices[1]

    def test_stops_its_workers_for_a_while_and_revives_them(self, stack):
        stack.start_workers(count=1)
        with stack.without_workers():
            assert stack.workers == []
        [worker] = stack.workers
        worker.kill()
        worker.wait()
        stack.revive_workers()
        assert stack.workers[0].poll() is None
        assert "had ended with -9" in stack.revived[0]


@pytest.mark.django_db(transaction=True)
class TestTheHistory:
    def test_has_settled_orders_that_balance(self, coin, now):
        for orders, count in ((50, 50), (120, 150)):
            assert sum(write_settled_orders(orders=orders, now=now)) == count
        assert set(Order.objects.values_list("state", flat=True)) == {"completed"}
        assert Order.objects.count() == 200
        assert Transaction.objects.filter(kind="delivery").count() == Order.objects.count()
        assert verify_everything() == []

    def test_is_written_in_pieces(self, coin, monkeypatch):
        bench = SimpleNamespace(console=Console(file=io.StringIO()))
        monkeypatch.setattr(history, "_CUSTOMERS_AT_ONCE", 1)
        monkeypatch.setattr(growth, "_WRITE_SECONDS", 0)
        for there in (50, 100):
            with pytest.raises(BenchmarkFailed, match=f"{there} of 150 orders are written. Repeat"):
                growth.write_history(bench, orders=150)
            assert Order.objects.count() == there
        for _ in range(2):
            growth.write_history(bench, orders=150)
            assert Order.objects.count() == 150

    def test_needs_a_running_stack(self, monkeypatch, tmp_path, capsys):
        monkeypatch.setenv("DATA_DIR", str(tmp_path))
        assert history.main(["--orders", "50"]) == 1
        assert f"No stack runs on {tmp_path}" in capsys.readouterr().err


MACHINE = {"cores": "2", "python": "3.11.7", "postgres": "18.4", "revision": "abc"}


class TestTheReport:
    ROUNDS = [{"rate": 100.0, "p50_ms": 2.0, "p99_ms": 9.0, "requests": 500}] * 2
    ORDERS = {
        "machine": MACHINE,
        "rounds": {
            "frozen script, 32 clients": [{"rate": 200.0}, {"rate": 400.0}],
            "large order, 32 clients": ROUNDS,
        },
        "window": [10.0, 31.4],
    }
    SETTLING = {
        "machine": MACHINE,
        "rounds": {
            "placed alone": ROUNDS,
            "placed and settled": [{"placed": ROUNDS[0], "settled_rate": 90.0, "open_before": 0, "open_after": 3}] * 2,
        },
        "completion": {
            "2 orders a second": [
                {"orders": 100, "median_seconds": 0.2, "p99_seconds": 0.54, "most_seconds": 0.6},
                {"orders": 100, "median_seconds": 0.3, "p99_seconds": 0.74, "most_seconds": 0.9},
                {"orders": 100, "median_seconds": 0.1, "p99_seconds": 0.44, "most_seconds": 0.5},
            ],
            "20 orders a second": [{"orders": 9, "median_seconds": 0.3, "p99_seconds": 0.6, "most_seconds": 0.7}],
        },
        "backlog": {"orders": 20_000, "seconds": 4.0, "purchases": 4, "other_coin_seconds": 0.5},
        "memory": [{"web": 60.0, "worker": 120.0}, {"web": 61.0, "worker": 121.0}],
    }

    @pytest.fixture
    def page(self, tmp_path, monkeypatch):
        monkeypatch.setattr(report, "_DOCS", tmp_path)
        marks = "".join(f"<!-- {name} -->\nold\n<!-- /{name} -->\n" for name in ("rates", "chart", "more"))
        (tmp_path / "performance.md").write_text(f"# Performance\n{marks}The end.\n")
        return tmp_path / "performance.md"

    def test_compares_measures_of_the_same_round(self, page):
        report.save({"orders": self.ORDERS, "settling": self.SETTLING})
        text = page.read_text()
        assert (
            "| large order, 32 clients | 100 | frozen script, 32 clients | 0.38 (0.25 to 0.50) | 0.48 | 1.00 | missed |"
            " 2.0 ms, 9.0 ms |"
        ) in text
        assert "**Orders** (2 cores, Python 3.11.7, PostgreSQL 18.4, revision abc)" in text
        assert "10 orders in the hour of the risk rules at first, and 31 at the end" in text
        assert "5,000 orders/s in 4 purchases" in text
        assert (
            "2 orders a second: 0.20 s (0.10 to 0.30; must 0.25, aim 0.10: reached) at the median, 0.54 s (0.44 to 0.74; "
            "must 0.50, aim 0.30: missed) at the 99th percentile, 0.90 s at most, of 300 orders."
        ) in text
        assert "20 orders a second: 0.30 s (0.30 to 0.30) at the median" in text
        assert "| placed and settled | 100 | placed alone | 1.00 (1.00 to 1.00) | 0.85 | 1.00 | aim reached |" in text
        assert "old" not in text.split("<!-- more -->")[0]
        assert text.endswith("The end.\n")

    def test_shows_what_a_failed_run_has_measured(self):
        rounds = {"wallet": self.ROUNDS, "empty operation": self.ROUNDS}
        shown = io.StringIO()
        report.show({"machine": MACHINE, "rounds": rounds}, console=Console(file=shown, width=200))
        assert "1.00 (1.00 to 1.00)" in shown.getvalue()

    def test_tells_what_sign_ins_leave(self, page):
        flood = {"checked_rate": 9.6, "busy_share": 0.97, "honest": 20, "served": 19, "generator_share": 0.3}
        flooded = [{**self.ROUNDS[0], "rate": 60.0, "flood": flood}] * 2
        beside = [{**self.ROUNDS[0], "rate": 30.0, "sign_ins": {"rate": 5.25, "busy_share": 0.5}}] * 2
        rounds = {
            "wallet": self.ROUNDS,
            "wallet, 8 sign in beside it": beside,
            "wallet, strangers sign in beside it": flooded,
        }
        report.save({"reads": {"machine": MACHINE, "rounds": rounds}})
        text = page.read_text()
        assert "| wallet, strangers sign in beside it | 60 | wallet | 0.60 (0.60 to 0.60) |" in text
        assert "10 passwords were checked a second, 97% of the attempts were refused as `busy`" in text
        assert "38 of 40 honest sign-ins succeeded within three tries" in text
        assert "used 30% of the processors" in text
        assert "| wallet, 8 sign in beside it | 30 | wallet | 0.30 (0.30 to 0.30) |" in text
        assert "5.2 sign-ins succeeded a second, and 50% of the attempts were refused as `busy`" in text

    def test_compares_a_long_history_with_none(self, page):
        grown = {"large order, 8 clients": [{**self.ROUNDS[0], "rate": 95.0}]}
        without = {"large order, 8 clients": [self.ROUNDS[0]]}
        for orders in (5_000_000, 1_000_000):
            piece = {"machine": MACHINE, "orders": orders, "rounds": grown, "without": without}
            report.save({"growth": {str(orders): piece}})
        text = page.read_text()
        assert text.index("With 1,000,000 orders of history") < text.index("With 5,000,000 orders of history")
        assert (
            "| large order, 8 clients | 95 | 100 without | 0.95 (0.95 to 0.95) | 0.90 | 1.00 | reached | 2.0 ms, 9.0 ms |"
            in text
        )

    def test_keeps_the_figures_of_other_runs(self, page):
        report.save({"orders": self.ORDERS})
        report.save({"processes": {"machine": MACHINE, "processes": {"1 web processes, 1 workers": {}}}})
        kept = json.loads((page.parent / "performance.json").read_text())
        assert set(kept) == {"orders", "processes"}

    def test_can_be_made_of_the_figures_that_are_kept(self):
        figures = json.loads((PROJECT / "docs" / "performance.json").read_text())
        assert {"rates", "chart", "more"} <= dict(report.render_parts(figures)).keys()

    def test_is_kept_from_round_to_round(self, tmp_path, monkeypatch):
        monkeypatch.setenv("DATA_DIR", str(tmp_path))
        keep({"orders": {"rounds": 1}})
        keep({"growth": {"50": {"orders": 50}}})
        file = keep({"orders": {"rounds": 2}, "growth": {"100": {"orders": 100}}})
        assert json.loads(file.read_text()) == {
            "orders": {"rounds": 2},
            "growth": {"50": {"orders": 50}, "100": {"orders": 100}},
        }
