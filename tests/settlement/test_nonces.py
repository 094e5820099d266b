"""Growing numbers of a key: no request is numbered lower than one that has been answered before it."""

import subprocess
import sys
import threading
import time
from datetime import timedelta

from settlement.venues.ccxt import nonces
from settlement.venues.ccxt.nonces import next_number, take_turn
from wallets.runtime import clock

COUNT = """
import sys
import threading
from settlement.venues.ccxt.nonces import take_turn
for _ in range(40):
    with take_turn(key="of-a-test") as number:
        print(number, flush=True)
"""


def test_numbers_grow_within_a_process():
    numbers = [next_number() for _ in range(1000)]
    assert sorted(set(numbers)) == numbers


def test_turns_of_several_threads_are_taken_in_the_order_of_their_numbers():
    seen = []

    def work():
        for _ in range(30):
            with take_turn(key="of-threads") as number:
                seen.append(number)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(seen), sorted(seen)) == (120, seen)


def test_turns_of_several_processes_are_taken_in_the_order_of_their_numbers(tmp_path):
    log = tmp_path / "numbers"
    with log.open("a") as output:
        code = f"import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'exchange_site.settings'\n{COUNT}"
        running = [subprocess.Popen([sys.executable, "-c", code], stdout=output) for _ in range(3)]
        assert [each.wait(60) for each in running] == [0, 0, 0]
    numbers = [int(line) for line in log.read_text().splitlines()]
    assert (len(numbers), sorted(numbers)) == (120, numbers)


def test_numbers_grow_on_a_host_although_two_processes_reckon_the_time_differently(monkeypatch):
    with take_turn(key="of-a-host") as first:
        pass
    behind = clock.now() - timedelta(seconds=1)
    monkeypatch.setattr(nonces, "_last", 0)
    monkeypatch.setattr(nonces.clock, "now", lambda: behind)
    with take_turn(key="of-a-host") as second:
        assert second == first + 1


def test_a_turn_that_takes_long_is_not_waited_for():
    with take_turn(key="held") as first:
        begun = time.monotonic()
        with take_turn(key="held") as second:
            assert 0.5 < time.monotonic() - begun < 3
        assert second > first


def test_keys_do_not_wait_for_each_other():
    with take_turn(key="one"):
        begun = time.monotonic()
        with take_turn(key="other"):
            assert time.monotonic() - begun < 0.5


def test_threads_take_turns_where_no_file_can_be_made(monkeypatch):
    monkeypatch.setattr(nonces, "_file_of", lambda _: "/nowhere/at/all")
    with take_turn(key="no file"):
        begun = time.monotonic()
        with take_turn(key="no file"):
            assert time.monotonic() - begun > 0.5
