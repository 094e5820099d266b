"""Systems that are measured in turns: the rounds, the goals, and the report."""

import argparse
import io
import json
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from rich.console import Console

from exchange_site.stack.processes import PROJECT
from tests.benchmark import beside, report, turns, turns_report
from tests.benchmark.goals import GOALS, Spread, goal_rows
from tests.benchmark.load import BenchmarkFailed
from tests.benchmark.side import running_side
from tests.benchmark.turns import Comparison, Extent, order, read

NAMES = ("ours", "before")
EXTENT = {"rounds": 3, "seconds": 10, "customers": 1000, "earlier": 0}


def turn(rate, *, api=1.0, postgres=0.5, p50_ms=2.0):
    milliseconds = {"API": api, "Postgres": postgres, "Redis": 0.1}
    return {"rate": rate, "p50_ms": p50_ms, "p99_ms": 9.0, "milliseconds": milliseconds}


class FakeSystem:
    """A contender, and a side that settles its orders; it writes down what happens."""

    connection = None

    def __init__(self, name, log):
        self.name, self.log = name, log

    def take_turn(self, measure, *, seconds):
        self.log.append(f"{measure.name} of {self.name} for {seconds}")
        return turn(100.0)

    def wait_until_settled(self):
        self.log.append("settled")

    @contextmanager
    def without_worker(self):
        self.log.append("stopped")
        yield
        self.log.append("started")


class TestRounds:
    @pytest.fixture
    def log(self, monkeypatch):
        monkeypatch.setattr(turns, "tidy", lambda connection: None)
        return []

    @pytest.fixture
    def comparison(self, log):
        systems = [FakeSystem(name, log) for name in NAMES]
        return Comparison(
            contenders=systems,
            settling=systems[:1],
            measures=[
                order(name="order", clients=8, yardstick="frozen"),
                order(name="more", clients=32, yardstick="frozen"),
                read(name="wallet", clients=8, path="/"),
            ],
            yardsticks={
                name: lambda seconds, name=name: log.append(f"{name} for {seconds}") or {"rate": 5.0}
                for name in ("frozen", "other")
            },
        )

    def test_alternate_while_the_worker_is_stopped(self, comparison, log):
        extent = Extent(rounds=2, seconds=7, customers=1)
        schedule = comparison.schedule()
        rounds = list(
            turns.take_rounds(schedule, settled=comparison.settled, extent=extent, console=Console(file=io.StringIO()))
        )
        each = ["frozen"] + [f"{measure} of {name}" for measure in ("order", "more", "wallet") for name in NAMES]
        assert log == [
            *["settled", "stopped", *(f"{turn} for 3" for turn in each), "started"],  # this one only warms
            *["settled", "stopped", *(f"{turn} for 7" for turn in each[::-1]), "started"],
            *["settled", "stopped", *(f"{turn} for 7" for turn in each), "started"],
        ]
        assert len(rounds) == 2
        for taken in rounds:
            assert list(taken) == ["frozen", "order", "more", "wallet"]
            assert taken["frozen"] == {"machine": {"rate": 5.0}}
            assert taken["wallet"].keys() == set(NAMES)


class TestTheChoice:
    def test_is_of_measures_with_a_text_in_their_names(self):
        chosen = beside.choose(beside.BEFORE, ["32", "wallet"])
        assert [measure.name for measure in chosen] == ["large order, 32 clients", "large order, hot wallet", "wallet"]

    def test_is_all_without_a_text(self):
        assert beside.choose(beside.BEFORE, []) == list(beside.BEFORE)

    def test_of_nothing_is_refused(self):
        with pytest.raises(BenchmarkFailed, match="large order, 8 clients; "):
            beside.choose(beside.BEFORE, ["no such"])


class TestTheGoals:
    def rounds(self, *, ours, frozen):
        return [
            {
                "frozen script, 32 clients": {"machine": {"rate": each, "milliseconds": {"Postgres": 1.0}}},
                "large order, 32 clients": {
                    "ours": turn(ours, api=1.8, postgres=0.5),
                    "before": turn(500.0, api=2.0, postgres=2.0),
                },
            }
            for each in frozen
        ]

    @pytest.mark.parametrize(("ours", "verdict"), [(400.0, "missed"), (480.0, "reached"), (1000.0, "aim reached")])
    def test_are_ratios_within_a_round(self, ours, verdict):
        found = {row[0]: row[1:] for row in goal_rows(self.rounds(ours=ours, frozen=[1000.0, 500.0, 2000.0]))}
        ratio = ours / 1000
        spread = f"{ratio:.2f} ({ratio / 2:.2f} to {ratio * 2:.2f})"
        assert found["large order, 32 clients ÷ frozen script, 32 clients"] == (spread, "0.48", "1.00", verdict)

    def test_of_processor_time_are_the_highest_that_is_accepted(self):
        found = {row[0]: row[1:] for row in goal_rows(self.rounds(ours=400.0, frozen=[1000.0]))}
        measure = "large order, 32 clients"
        assert found[f"{measure}: processor ms of Postgres ÷ before"] == (
            "0.25 (0.25 to 0.25)",
            "0.40",
            "0.25",
            "aim reached",
        )
        assert found[f"{measure}: processor ms of API ÷ before"] == ("0.90 (0.90 to 0.90)", "0.80", "0.50", "missed")

    def test_are_of_measures_that_there_are(self):
        measures = {measure.name for measure in (*beside.BEFORE, *beside.REPLACED)} | set(beside.frozen.MEASURES)
        assert {figure.measure for goal in GOALS for figure in (goal.top, goal.bottom)} <= measures

    def test_that_are_compared_with_the_frozen_script_are_measured_next_to_it(self):
        yardsticks = {measure.name: measure.yardstick for measure in beside.BEFORE}
        compared = {
            goal.top.measure: goal.bottom.measure for goal in GOALS if goal.bottom.measure in beside.frozen.MEASURES
        }
        assert compared == {name: yardstick for name, yardstick in yardsticks.items() if yardstick}


class TestTheReport:
    def round(self, ours, replaced):
        sides = {"ours": turn(ours), "replaced": turn(replaced, api=4.0)}
        return {"orders": sides, "wallet": sides}

    @pytest.fixture
    def found(self):
        rounds = [self.round(200.0, 100.0), self.round(900.0, 300.0), self.round(240.0, 96.0)]
        theirs = "the stand-in"
        return {"ours": "abc", "other": "replaced", "theirs": theirs, "cores": 2, "extent": EXTENT, "rounds": rounds}

    def test_compares_rates_of_the_same_round(self, found):
        ratio = turns_report.rates_compared(found["rounds"], measure="orders", other="replaced")
        assert ratio == Spread(middle=2.5, lowest=2.0, highest=3.0)

    @pytest.mark.parametrize("kind", ["replaced", "before"])
    def test_is_kept_and_written_into_its_page(self, found, tmp_path, monkeypatch, kind):
        monkeypatch.setattr(report, "_DOCS", tmp_path)
        (tmp_path / "performance.json").write_text(json.dumps({"cores": 2}))
        (tmp_path / "performance.md").write_text(f"<!-- {kind} -->\nold\n<!-- /{kind} -->\nThe end.\n")
        report.save({kind: found})
        text = (tmp_path / "performance.md").read_text()
        assert "Ours is abc, *replaced* is the stand-in." in text
        assert "- 3 rounds of 10 seconds for each measure and system, 1,000 customers, 2 cores." in text
        assert (
            "| orders | 240 | 100 | 2.50 (2.00 to 3.00) | 2.0 ms, 2.0 ms | 1.60 (1.00 + 0.50 + 0.10) |"
            " 4.60 (4.00 + 0.50 + 0.10) |"
        ) in text
        assert "| orders ÷ replaced | 2.50 (2.00 to 3.00) | 3.00 | 5.00 | missed |" in text
        assert text.endswith(f"<!-- /{kind} -->\nThe end.\n")
        assert json.loads((tmp_path / "performance.json").read_text()) == {"cores": 2, kind: found}


class TestMeasuringBeside:
    @pytest.fixture
    def comparison(self, monkeypatch, tmp_path):
        monkeypatch.setenv("DATA_DIR", str(tmp_path))
        monkeypatch.setattr(turns, "tidy", lambda connection: None)
        systems = [FakeSystem(name, []) for name in NAMES]
        return Comparison(contenders=systems, settling=[], measures=[order(name="order", clients=8)], yardsticks={})

    def test_keeps_the_rounds_before_a_failure(self, comparison, tmp_path):
        ours, _ = comparison.contenders
        turns_left = iter([turn(100.0), turn(100.0)])

        def take_turn(measure, *, seconds):
            try:
                return next(turns_left)
            except StopIteration:
                raise BenchmarkFailed("broken") from None

        ours.take_turn = take_turn
        found = {"ours": "abc", "other": "before", "theirs": "def"}
        shown = io.StringIO()
        with pytest.raises(BenchmarkFailed, match="broken"):
            beside.measure(
                comparison,
                "before",
                found=found,
                extent=Extent(rounds=3, seconds=1, customers=1),
                options=argparse.Namespace(save=False),
                console=Console(file=shown, width=200),
            )
        assert "1.00 (1.00 to 1.00)" in shown.getvalue()
        kept = json.loads((tmp_path / "benchmark" / "results.json").read_text())
        assert len(kept["before"]["rounds"]) == 1


class TestASide:
    @pytest.fixture
    def side(self):
        with TemporaryDirectory(prefix="turns-") as name:
            folder = Path(name)
            folder.chmod(0o755)  # the database server's user must get in
            with running_side(name="ours", tree=PROJECT, folder=folder / "ours") as side:
                yield side

    def test_takes_every_load_of_the_benchmark(self, side):
        side.prepare_customers(count=10, earlier=3)
        side.wait_until_settled()
        orders = side.count_completed()
        assert orders == 10 * 3 + 8 * 200
        contender = turns.side_as_contender(side)
        for measure in beside.BEFORE:
            assert contender.take_turn(measure, seconds=2)["requests"] > 0  # no answer was an error
        side.wait_until_settled()
        assert side.count_completed() > orders
