"""The measure of processor time: its reader, its turns, its arithmetic, its yardstick."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

from exchange_site.stack.processes import PROJECT
from tests.benchmark import cost, cost_report, frozen, report
from tests.benchmark.load import BenchmarkFailed
from tests.benchmark.processor_time import read_seconds
from tests.benchmark.revision import checked_out, choose_revision, describe
from tests.benchmark.side import PARTS, running_side
from tests.benchmark.steady import place_steadily
from tests.benchmark.still_postgres import running_postgres

# Works by itself, has a child that ended and one that lives on, and says how much it and the first one took.
BUSY = """
import resource, subprocess, sys, time
spin = "import time\\nwhile time.process_time() < 0.4: pass\\n"
exec(spin)
subprocess.run([sys.executable, "-c", spin], check=True)
living = subprocess.Popen(
    [sys.executable, "-c", spin + "print(time.process_time(), flush=True)\\ninput()"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
)
living_seconds = float(living.stdout.readline())
ended = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.process_time() + ended.ru_utime + ended.ru_stime + living_seconds, flush=True)
input()
living.communicate("\\n")
print("ended", flush=True)
input()
"""


@pytest.fixture(scope="class")
def folder():
    with TemporaryDirectory(prefix="cost-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the database server's user must get in
        yield folder


@pytest.fixture(scope="class")
def postgres(folder):
    with running_postgres(folder) as postgres:
        frozen.create_tables(postgres.environment)
        yield postgres


class TestTheProcessorTime:
    # Half of what one spin takes: less would be the interpreters' own starts and ends, which a busy machine makes dear;
    # a child's time that is lost, or counted twice, is a whole spin.
    TOLERANCE = 0.2

    @pytest.fixture
    def busy(self):
        with subprocess.Popen(
            [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            yield process
            process.kill()

    def test_is_that_of_a_process_and_of_its_children_alive_or_ended(self, busy):
        told = float(busy.stdout.readline())
        assert told > 1.2
        assert read_seconds(pid=busy.pid) == pytest.approx(told, abs=self.TOLERANCE)

    def test_of_a_child_stays_when_it_ends(self, busy):
        busy.stdout.readline()
        before = read_seconds(pid=busy.pid)
        busy.stdin.write("\n")
        busy.stdin.flush()
        assert busy.stdout.readline() == "ended\n"
        assert read_seconds(pid=busy.pid) == pytest.approx(before, abs=self.TOLERANCE)

    def test_of_nobody_is_refused(self, busy):
        busy.kill()
        busy.wait()
        with pytest.raises(BenchmarkFailed, match=str(busy.pid)):
            read_seconds(pid=busy.pid)


class TestTheFrozenScript:
    @pytest.fixture
    def ask(self, postgres):
        frozen.copy_tables(postgres.environment)
        frozen.play(postgres.environment, transactions=25)
        with closing(postgres.connect(database=frozen.COPY)) as connection:
            yield lambda question: connection.execute(question).fetchall()

    def test_moves_the_charge_of_each_order_from_its_customer_to_the_house(self, ask):
        assert ask("SELECT state, count(*), sum(total_price) FROM trading_order GROUP BY 1") == [("pending", 200, 2400)]
        assert ask("SELECT status::text, args, count(*) FROM procrastinate_jobs GROUP BY 1, 2") == [
            ("todo", {"coin_id": 1}, 200)
        ]
        assert ask(
            "SELECT destination_id, count(DISTINCT order_id), sum(amount) FROM wallets_transaction "
            "WHERE kind = 'purchase' GROUP BY 1"
        ) == [(2, 200, 2400)]
        assert ask("SELECT sum(balance) FROM wallets_wallet WHERE role = 'customer'") == [(300 * 100_000_000 - 2400,)]

    def test_keeps_every_balance_the_sum_of_its_movements(self, ask):
        wrong = """
            SELECT id FROM wallets_wallet wallet WHERE role = 'customer' AND balance <> (
                SELECT sum(CASE WHEN destination_id = wallet.id THEN amount ELSE -amount END)
                FROM wallets_transaction WHERE wallet.id IN (source_id, destination_id)
            )
        """
        assert ask(wrong) == []

    def test_begins_each_time_with_the_same_tables(self, postgres):
        for _ in range(2):
            pace = frozen.measure(environment=postgres.environment, pid=postgres.pid, seconds=1)
            assert pace.rate > 10
            assert 0.01 < pace.postgres_ms < 100
            with closing(postgres.connect(database=frozen.COPY)) as connection:
                first, orders = connection.execute("SELECT min(id), count(*) FROM trading_order").fetchone()
            assert first == 1
            assert orders > 10

    def test_differs_for_a_hot_wallet_only_in_its_one_customer(self, postgres):
        scripts = [frozen.write_script(hot=hot).splitlines() for hot in (False, True)]
        assert [lines for lines in zip(*scripts, strict=True) if len(set(lines)) == 2] == [
            ("\\set n random(0, 299)", "\\set n 0")
        ]
        frozen.copy_tables(postgres.environment)
        frozen.play(postgres.environment, transactions=25, clients=4, hot=True)
        with closing(postgres.connect(database=frozen.COPY)) as connection:
            customers = connection.execute("SELECT customer_id, count(*) FROM trading_order GROUP BY 1").fetchall()
        assert customers == [(10001, 100)]

    def test_says_that_it_is_frozen(self):
        files = sorted((PROJECT / "tests" / "benchmark" / "frozen").iterdir())
        assert [file.name for file in files] == ["order.sql", "schema.sql", "seed.sql"]
        assert all(file.read_text().startswith("-- FROZEN") for file in files)


class TestARound:
    EXTENT = cost.Extent(rounds=1, turns=4, orders=10, rate=100, customers=1, frozen_seconds=1, seconds=1)

    def side(self, name, counts):
        return SimpleNamespace(name=name, connection=None, count_completed=iter(counts).__next__)

    @pytest.fixture
    def turns(self, monkeypatch):
        taken = []

        def take_turn(sides, *, orders, rate):
            taken.append([side.name for side in sides])
            return {side.name: {"API": 0.01 * (n + len(taken)), "Redis": 0.002} for n, side in enumerate(sides)}

        monkeypatch.setattr(cost, "take_turn", take_turn)
        monkeypatch.setattr(cost, "tidy", lambda connection: None)
        return taken

    @pytest.mark.parametrize("number", [0, 1])
    def test_is_the_sum_of_turns_that_both_begin_as_often(self, turns, number):
        sides = [self.side(name, [100, 140]) for name in ("ours", "theirs")]
        taken = cost.take_round(*sides, extent=self.EXTENT, number=number)
        orders = [["ours", "theirs"], ["theirs", "ours"]]
        assert turns == [orders[(number + turn) % 2] for turn in range(4)]
        # Whoever is second in a turn took 10 ms more of the API, and each was twice.
        milliseconds = {"API": pytest.approx((10 + 20 + 30 + 40 + 2 * 10) / 40), "Redis": pytest.approx(4 * 2 / 40)}
        assert taken == {"ours": milliseconds, "theirs": milliseconds}

    def test_means_nothing_when_an_order_was_not_settled(self, turns):
        with pytest.raises(BenchmarkFailed, match="theirs: not all of 40 orders"):
            cost.take_round(self.side("ours", [0, 40]), self.side("theirs", [0, 39]), extent=self.EXTENT, number=0)


class TestTheReport:
    ROUNDS = [
        {
            "ours": {"API": 2.0, "Redis": 0.5},
            "theirs": {"API": 1.0, "Redis": 0.25},
            "frozen": {"rate": 1000.0, "postgres_ms": 1.0},
        },
        {
            "ours": {"API": 3.0, "Redis": 1.0},
            "theirs": {"API": 6.0, "Redis": 1.0},
            "frozen": {"rate": 3000.0, "postgres_ms": 0.5},
        },
        {
            "ours": {"API": 1.0, "Redis": 1.0},
            "theirs": {"API": 1.0, "Redis": 1.0},
            "frozen": {"rate": 2000.0, "postgres_ms": 0.7},
        },
    ]
    EXTENT = {"turns": 10, "orders": 100, "rate": 200.0}

    def test_compares_what_was_measured_in_the_same_round(self):
        api, redis, total = cost_report.compare(self.ROUNDS)
        assert api == cost_report.Comparison(part="API", ours_ms=2.0, theirs_ms=1.0, ratio=1.0, lowest=0.5, highest=2.0)
        assert (redis.part, redis.ratio) == ("Redis", 1.0)
        assert total == cost_report.Comparison(
            part="total", ours_ms=2.5, theirs_ms=2.0, ratio=1.0, lowest=pytest.approx(4 / 7), highest=2.0
        )

    def test_is_kept_beside_other_figures(self, tmp_path, monkeypatch):
        monkeypatch.setattr(report, "_DOCS", tmp_path)
        (tmp_path / "performance.json").write_text(
            '{"machine": {"cores": "2", "python": "3", "postgres": "18", "revision": "old"}}'
        )
        (tmp_path / "performance.md").write_text("# Performance\n<!-- cost -->\nold\n<!-- /cost -->\nThe end.\n")
        report.save({"cost": {"ours": "abc", "theirs": "def", "extent": self.EXTENT, "rounds": self.ROUNDS}})
        text = (tmp_path / "performance.md").read_text()
        assert "Ours is abc, theirs def." in text
        assert "| API | 2.00 ms | 1.00 ms | 1.000 | 0.500 to 2.000 |" in text
        assert "The frozen script: 2,000 orders a second (1,000 to 3,000)." in text
        assert text.endswith("The end.\n")


class TestARevision:
    @pytest.fixture
    def repository(self, tmp_path):
        repository = tmp_path / "repository"
        repository.mkdir()
        self.git(repository, "init", "--quiet")
        for number in (1, 2):
            (repository / "file").write_text(f"{number}\n")
            self.git(repository, "add", "file")
            self.git(repository, "-c", "user.name=Nobody", "-c", "user.email=", "commit", "--quiet", "-m", f"{number}")
        return repository

    def git(self, repository, *arguments):
        return subprocess.run(["git", *arguments], cwd=repository, check=True, capture_output=True, text=True).stdout

    def test_is_the_parent_unless_something_is_not_committed(self, repository):
        assert choose_revision(of=repository) == "HEAD^"
        (repository / "file").write_text("3\n")
        assert choose_revision(of=repository) == "HEAD"
        assert describe(repository).endswith("-dirty")

    def test_is_there_for_a_while_and_leaves_nothing_behind(self, repository, tmp_path):
        with checked_out("HEAD^", of=repository, into=tmp_path / "tree"):
            assert (tmp_path / "tree" / "file").read_text() == "1\n"
            assert (repository / "file").read_text() == "2\n"
            assert describe(tmp_path / "tree") == self.git(repository, "rev-parse", "--short", "HEAD^").strip()
        assert not (tmp_path / "tree").exists()
        assert len(self.git(repository, "worktree", "list").splitlines()) == 1

    @pytest.mark.parametrize("name", ["nowhere", "--help", "HEAD:file"])
    def test_must_be_one(self, repository, tmp_path, name):
        with pytest.raises(BenchmarkFailed), checked_out(name, of=repository, into=tmp_path / "tree"):
            pass
        assert not (tmp_path / "tree").exists()


class TestASide:
    def test_settles_what_is_placed_and_says_what_it_took(self, folder):
        with running_side(name="ours", tree=PROJECT, folder=folder / "ours") as side:
            side.open_accounts(count=2)
            assert len(set(side.tokens)) == 2
            with pytest.raises(BenchmarkFailed, match="401"):
                place_steadily(url=side.url, tokens=["forged"], body="{}", orders=1, rate=100)
            used = cost.take_turn([side], orders=20, rate=100)["ours"]
            assert side.count_completed() == 20
        assert used.keys() == set(PARTS)
        assert all(0 < seconds < 20 for seconds in used.values())
