"""The time by Postgres' clock, on hosts whose own clock is wrong."""

import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from tests.processes import at_once, somebody_waits_for_a_lock, wait_for
from wallets.models import Wallet
from wallets.runtime import clock
from wallets.services.ledger.locking import lock_dollar_wallet

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _measured():
    clock._measure()


@pytest.fixture
def set_host_clock(monkeypatch):
    """Set the clock of this host, as somebody or NTP does: monotonic time goes on as before."""
    real = time.time

    def set_clock(*, ahead):
        monkeypatch.setattr(time, "time", lambda: real() + ahead)

    return set_clock


def is_right(moment):
    return abs(moment - clock.database_now()) < timedelta(seconds=2)


class TestNow:
    def test_agrees_with_postgres(self):
        assert is_right(clock.now())

    @pytest.mark.parametrize("ahead", [65, -300, 86_400])
    def test_does_not_change_when_the_host_s_clock_is_set(self, set_host_clock, ahead):
        set_host_clock(ahead=ahead)
        assert is_right(clock.now())
        assert abs(clock.find_drift() - timedelta(seconds=ahead)) < timedelta(seconds=2)

    def test_is_the_host_s_time_until_the_process_has_connected(self, monkeypatch):
        monkeypatch.setattr(clock, "_last", None)
        assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=2)
        assert clock.find_drift() is None
        assert clock.has_drifted()

    def test_goes_on_from_the_last_measurement_without_a_statement(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            first = clock.now()
            wait_for(lambda: clock.now() > first)


class TestMeasuring:
    def test_happens_when_the_process_connects(self, monkeypatch):
        monkeypatch.setattr(clock, "_last", None)
        connection.close()
        connection.ensure_connection()
        assert clock._last is not None

    def test_is_due_after_a_minute_and_when_the_host_s_clock_was_set(self, monkeypatch, set_host_clock):
        assert not clock._is_due()
        last = clock._last
        monkeypatch.setattr(clock, "_last", replace(last, steady=last.steady - 61, host=last.host - 61))
        assert clock._is_due()
        monkeypatch.setattr(clock, "_last", last)
        set_host_clock(ahead=2)
        assert clock._is_due()

    def test_mends_a_wrong_measurement_when_it_is_due(self, monkeypatch):
        wrong = replace(clock._last, database=clock._last.database - 3600, steady=clock._last.steady - 61)
        monkeypatch.setattr(clock, "_last", wrong)
        clock.measure_if_due()
        assert is_right(clock.now())

    def test_does_not_believe_an_answer_that_came_late(self, monkeypatch):
        before = clock._last
        late = replace(before, database=before.database + 30, round_trip=60.0)
        monkeypatch.setattr(clock, "_ask", lambda: late)
        clock._measure()
        assert clock._last is before

    def test_keeps_the_quickest_of_its_tries(self, monkeypatch):
        answers = [replace(clock._last, round_trip=seconds) for seconds in (0.5, 0.1, 0.3)]
        tried = iter(answers)
        monkeypatch.setattr(clock, "_ask", lambda: next(tried))
        clock._measure()
        assert clock._last is answers[1]

    def test_survives_a_database_that_is_away(self, monkeypatch, caplog):
        monkeypatch.setitem(connection.settings_dict, "PORT", "9")
        monkeypatch.setattr(clock, "_last", None)
        connection.close()
        assert not clock._try_to_measure(warn=True)
        assert not clock._try_to_measure(warn=False)
        assert caplog.text.count("could not be measured") == 1


class TestLockedWallet:
    """Its `now` is the moment at which the lock was obtained, however long that was waited for."""

    @pytest.mark.parametrize("holder", ["changes the wallet", "changes nothing"])
    def test_has_the_time_after_the_wait(self, shopper, holder):
        locked, asked = threading.Event(), threading.Event()

        def hold():
            with transaction.atomic():
                lock_dollar_wallet(principal=shopper.principal)
                if holder == "changes the wallet":
                    Wallet.objects.filter(owner=shopper.user).update(balance=50)
                locked.set()
                assert asked.wait(20)
                wait_for(somebody_waits_for_a_lock)
                time.sleep(0.5)
                return clock.database_now()

        def wait():
            assert locked.wait(20)
            asked.set()
            with transaction.atomic():
                return lock_dollar_wallet(principal=shopper.principal).now

        released, obtained = at_once(2, lambda number: (hold, wait)[number]())
        assert obtained >= released

    def test_has_the_time_of_postgres_on_a_host_with_a_wrong_clock(self, shopper, set_host_clock):
        set_host_clock(ahead=-300)
        with transaction.atomic():
            assert is_right(lock_dollar_wallet(principal=shopper.principal).now)


@pytest.mark.parametrize(
    "source",
    [
        "from django.utils import timezone\n\nnow = timezone.now()\n",
        "from datetime import UTC, datetime\n\nnow = datetime.now(UTC)\n",
        "import time\n\nnow = time.time()\n",
        "from time import time\n\nnow = time()\n",
    ],
)
def test_no_other_module_may_ask_the_host_for_the_time(source):
    ruff = [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--stdin-filename"]
    for name, status in (("trading/services/example.py", 1), ("wallets/runtime/clock.py", 0)):
        done = subprocess.run([*ruff, name, "-"], input=source, text=True, capture_output=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr
