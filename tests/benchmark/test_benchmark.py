"""The parts of the benchmark; above all, pgbench runs the same statements as placing an order."""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from django.db import connection

from exchange_site.stack.servers import connect
from settlement.verification import verify_everything
from tests.benchmark import history, report
from tests.benchmark.customers import open_accounts
from tests.benchmark.history import write_settled_orders
from tests.benchmark.limit import run_pgbench, spread_ids, write_script
from tests.benchmark.servers import memory_mib, running_stack
from tests.conftest import make_coin
from trading.models import Order
from wallets.models import Transaction


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
    @pytest.mark.parametrize("hot", [False, True])
    def test_places_orders_that_differ_from_real_ones_only_in_ids_and_times(
        self, customers, environment, tmp_path, hot
    ):
        script = write_script(customers=customers, coin="ABAN", hot=hot, into=tmp_path / "order.sql")
        run_pgbench(script=script, environment=environment, clients=2, transactions=20)
        real, *played = Order.objects.order_by("id")
        assert len(played) == 40
        own = {"id", "customer_id", "created_at", "price_at"}
        fields = {field.attname for field in Order._meta.concrete_fields} - own
        assert {tuple(str(getattr(order, name)) for name in sorted(fields)) for order in [real, *played]} == {
            tuple(str(getattr(real, name)) for name in sorted(fields))
        }
        assert (len({order.customer_id for order in played}) == 1) == hot
        assert verify_everything() == []

    def test_runs_the_three_statements_of_an_order(self, customers, tmp_path):
        script = write_script(customers=customers, coin="ABAN", hot=False, into=tmp_path / "order.sql").read_text()
        body = script[script.index("BEGIN;") : script.index("COMMIT;")].splitlines()[1:]
        assert [line.split()[0] for line in body] == ["WITH", "SELECT", "WITH"]
        assert "FOR NO KEY UPDATE" in body[0]


@pytest.fixture
def stack():
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # else the user of the database server could not enter it
        with running_stack(folder) as stack:
            yield stack


class TestTheStack:
    @pytest.fixture
    def copy(self, stack):
        stack.start_web(processes=1)
        copy = stack.copy("grown")
        yield copy
        copy.end()

    def test_has_a_second_api_on_a_copy_of_its_database(self, stack, copy):
        for one in (stack, copy):
            one.start_web(processes=1)
            [pid] = one.web_processes()
            assert memory_mib(pid) > 20
        answer = httpx.post(
            f"{copy.url}/api/v1/accounts/auth/register/", json={"username": "alice", "password": "password-of-alice"}
        )
        assert answer.status_code == 201
        assert [self.count_users(one) for one in (stack, copy)] == [0, 1]

    def count_users(self, stack):
        with connect(stack.environment) as connection:
            return connection.execute("SELECT count(*) FROM wallets_user").fetchone()[0]

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
        for orders, written in ((50, 50), (120, 150)):
            assert sum(write_settled_orders(orders=orders, now=now)) == written
        assert set(Order.objects.values_list("state", flat=True)) == {"completed"}
        assert Order.objects.count() == 200
        assert Transaction.objects.filter(kind="delivery").count() == Order.objects.count()
        assert verify_everything() == []

    def test_needs_a_running_stack(self, monkeypatch, tmp_path, capsys):
        monkeypatch.setenv("DATA_DIR", str(tmp_path))
        assert history.main(["--orders", "50"]) == 1
        assert f"No stack runs on {tmp_path}" in capsys.readouterr().err


class TestTheReport:
    ROUNDS = [{"rate": 100.0, "p50_ms": 2.0, "p99_ms": 9.0, "requests": 500}] * 2
    FOUND = {
        "machine": {"cores": "2", "python": "3.11.7", "postgres": "18.4", "revision": "abc"},
        "main": {
            "rounds": {
                "pgbench, 8 clients": [{"rate": 200.0}, {"rate": 400.0}],
                "large order, 8 clients": ROUNDS,
                "placed alone": ROUNDS,
                "wallet": ROUNDS,
                "placed and settled": [{"placed": ROUNDS[0], "settled_rate": 90.0, "open_before": 0, "open_after": 3}]
                * 2,
            },
            "backlog": {"orders": 20_000, "seconds": 4.0, "purchases": 4, "other_coin_seconds": 0.5},
            "memory": [{"web": 60.0, "worker": 120.0}, {"web": 61.0, "worker": 121.0}],
        },
    }

    @pytest.fixture
    def page(self, tmp_path, monkeypatch):
        monkeypatch.setattr(report, "_DOCS", tmp_path)
        marks = "".join(f"<!-- {name} -->\nold\n<!-- /{name} -->\n" for name in ("machine", "rates", "chart", "more"))
        (tmp_path / "performance.md").write_text(f"# Performance\n{marks}The end.\n")
        return tmp_path / "performance.md"

    def test_compares_measures_of_the_same_round(self, page):
        report.save(self.FOUND)
        text = page.read_text()
        assert "| large order, 8 clients | 100 | pgbench, 8 clients | 0.38 (0.25 to 0.50) | 2.0 ms, 9.0 ms |" in text
        assert "5,000 orders/s in 4 purchases" in text
        assert "old" not in text.split("<!-- more -->")[0]
        assert text.endswith("The end.\n")

    def test_tells_what_a_flood_of_sign_ins_leaves(self, page):
        flood = {"checked_rate": 9.6, "busy_share": 0.97, "honest": 20, "served": 19, "generator_share": 0.3}
        flooded = [{**self.ROUNDS[0], "rate": 60.0, "flood": flood}] * 2
        rounds = {**self.FOUND["main"]["rounds"], "wallet, sign-ins beside it": flooded}
        report.save({**self.FOUND, "main": {**self.FOUND["main"], "rounds": rounds}})
        text = page.read_text()
        assert "| wallet, sign-ins beside it | 60 | wallet | 0.60 (0.60 to 0.60) |" in text
        assert "10 passwords were checked a second, 97% of the attempts were refused as `busy`" in text
        assert "38 of 40 honest sign-ins succeeded within three tries" in text
        assert "used 30% of the processors" in text

    def test_compares_a_long_history_with_none(self, page):
        grown = {"large order, 8 clients": [{**self.ROUNDS[0], "rate": 95.0}]}
        without = {"large order, 8 clients": [self.ROUNDS[0]]}
        report.save({**self.FOUND, "growth": [{"orders": 5_000_000, "rounds": grown, "without": without}]})
        text = page.read_text()
        assert "With 5,000,000 orders of history" in text
        assert "| large order, 8 clients | 95 | 100 without | 0.95 (0.95 to 0.95) | 2.0 ms, 9.0 ms |" in text

    def test_keeps_the_figures_of_other_runs(self, page):
        report.save(self.FOUND)
        report.save({"machine": self.FOUND["machine"], "processes": []})
        kept = json.loads((page.parent / "performance.json").read_text())
        assert set(kept) == {"machine", "main", "processes"}
