import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import httpx
import pytest
from rich.console import Console

from exchange_site.stack.demo.run import remove_leftovers, run_demo
from exchange_site.stack.demo.staying import Trickle, may_stay
from exchange_site.stack.processes import PROJECT, free_port, is_free, local_url, wait_until
from exchange_site.stack.refusals import StackRefused
from exchange_site.stack.running import StackAddresses

SECONDS = 300


class Terminal:
    """A program at a terminal: what it prints, and what is typed."""

    def __init__(self, command, **environment):
        self._ours, theirs = pty.openpty()
        # The program's own session has this terminal, so that Ctrl-C reaches it alone.
        self.program = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self._printed = b""
        Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                self._printed += os.read(self._ours, 65536)
            except OSError:  # the program has closed it
                return

    @property
    def printed(self):
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self._printed.decode(errors="replace"))

    def expect(self, text):
        def has_come():
            assert self.program.poll() is None or text in self.printed, self.printed
            return text in self.printed

        wait_until(has_come, seconds=SECONDS, what=text)

    def press_enter(self):
        os.write(self._ours, b"\n")


def environment(folder, **extra):
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("POSTGRES_", "REDIS_", "EXCHANGE_"))
    }
    kept.pop("CI", None)
    return {**kept, "DATA_DIR": str(folder / "data"), "COLUMNS": "160", "TERM": "xterm", **extra}


@contextmanager
def demo_at_a_terminal(folder, **extra):
    terminal = Terminal([sys.executable, "-m", "exchange_site.stack", "demo"], **environment(folder, **extra))
    try:
        yield terminal
    finally:
        if terminal.program.poll() is None:
            terminal.program.send_signal(signal.SIGINT)
            terminal.program.wait(30)


@pytest.mark.timeout(2 * SECONDS)
def test_the_demo_settles_its_orders_reports_them_and_stays_up_until_enter(tmp_path):
    port = free_port()
    with demo_at_a_terminal(tmp_path, PORT=str(port)) as terminal:
        home = f"http://127.0.0.1:{port}/"
        terminal.expect(f"home page: {home}")
        terminal.expect("or when you press Enter")
        terminal.press_enter()
        terminal.expect("to end the demo")
        placed = newest_order(home)
        wait_until(lambda: newest_order(home) > placed, seconds=SECONDS, what="customers go on ordering")
        assert "Your first order" in httpx.get(home).text
        terminal.press_enter()
        assert terminal.program.wait(60) == 0
    assert is_free(port)
    check_figures(terminal.printed)
    for sentence in (
        "You have seen:",
        "The venue refused to sell DOGE, so 1 order was refunded in full.",
        f"guide: {home}guide/",
    ):
        assert sentence in terminal.printed


@pytest.mark.parametrize(
    ("arguments", "at_a_terminal", "in_ci", "stays"),
    [([], True, False, True), (["--exit"], True, False, False), ([], True, True, False), ([], False, False, False)],
)
def test_the_demo_stays_up_only_for_somebody_who_can_end_it(monkeypatch, arguments, at_a_terminal, in_ci, stays):
    for name in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{name}", SimpleNamespace(isatty=lambda: at_a_terminal))
    monkeypatch.delenv("CI", raising=False)
    if in_ci:
        monkeypatch.setenv("CI", "true")
    assert may_stay(arguments) is stays


def test_the_demo_refuses_a_value_of_a_wrong_form_before_anything_starts(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "exchange_site.stack", "demo"],
        cwd=PROJECT,
        env=environment(tmp_path, PORT="eighty"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "as in PORT=8000" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "Starting" not in done.stdout


def test_the_demo_refuses_an_option_that_it_does_not_have():
    with pytest.raises(StackRefused, match="There is no --exti: task demo"):
        run_demo(["--exti"])


def test_an_order_that_the_demo_could_not_place_is_told_once(caplog):
    api = local_url(free_port())
    trickle = Trickle(addresses=StackAddresses(api=api, simulator="", environment={}, owner={}))
    for _ in range(3):
        trickle.place_one()
    [line] = caplog.messages
    assert line.startswith("no order was placed, the next customer tries again: ConnectError: ")


@pytest.fixture
def left(tmp_path, monkeypatch):
    """Make the folder of a demo, with a program of its stack."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    programs = []

    def leave(name):
        folder = tmp_path / f"crypto-exchange-demo-{name}"
        folder.mkdir()
        (folder / "held.lock").touch()
        marked = {**os.environ, "EXCHANGE_STACK": str(folder / "data")}
        program = subprocess.Popen(["sleep", "300"], env=marked)
        programs.append(program)
        return folder, program

    yield leave
    for program in programs:
        program.kill()
        program.wait()


def test_the_next_demo_removes_what_a_killed_one_has_left_and_says_so(left):
    (gone, program), (running, other) = left("killed"), left("running")
    said = Console(record=True, width=300, file=StringIO())
    with (running / "held.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remove_leftovers(said)
    assert (gone.exists(), program.wait(10)) == (False, -signal.SIGTERM)
    assert (running.exists(), other.poll()) == (True, None)
    assert said.export_text().strip() == (
        f"A demo that was killed had left {gone}, and 1 of its processes still ran. All is removed."
    )


def newest_order(home):
    return httpx.get(f"{home}api/v1/sandbox/story/", timeout=30).json()["orders"][0]["id"]


def check_figures(printed):
    for figure in (
        "orders completed",
        "orders refunded",
        "market price / spread / price / fee",
        "20 / 0.00% / 20 / 0.00",
        "fees of completed orders",
        "purchases found by a lookup",
        "The venue has taken this for coins.",
        "spread: The house sells above the market price",
        "Everything is as it must be.",
    ):
        assert figure in printed
    assert re.search(r"orders by a quote\W+1\W", printed)
    # The seeder's price, or the ask that a worker has read: plus 0.5 %, by 0.999.
    for price in (
        r"65,000 / 0.50% / 65,390.3903904|65,013 / 0.50% / 65,403.46846847",
        r"0.12 / 0.50% / 0.12072073|0.120024 / 0.50% / 0.12074487",
    ):
        assert re.search(rf"\W({price}) / 0.00\W".replace(".", r"\."), printed), printed


HOLD_PORT = """
import os, sys
from exchange_site.stack.demo.run import _reserved_port
if sys.argv[1:]:
    os.setuid(int(sys.argv[1]))
with _reserved_port() as port:
    print(port, flush=True)
    sys.stdin.read()
"""


@contextmanager
def reserved(*user, folder, port):
    """The port that a demo of this user takes, and keeps for the `with` block, if it wants `port`."""
    given = {**os.environ, "TMPDIR": str(folder), "PORT": str(port)}
    command = [sys.executable, "-c", HOLD_PORT, *user]
    with subprocess.Popen(
        command, cwd=PROJECT, env=given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as demo:
        yield int(demo.stdout.readline())
        demo.stdin.close()


class TestThePort:
    def test_is_taken_by_one_of_two_demos_at_once(self, tmp_path):
        port = free_port()
        with reserved(folder=tmp_path, port=port) as first, reserved(folder=tmp_path, port=port) as second:
            assert first == port != second
        with reserved(folder=tmp_path, port=port) as third:
            assert third == port

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
    @pytest.mark.parametrize("users", [((), ("65534",)), (("65534",), ())])
    def test_is_taken_by_the_demo_of_one_of_two_users(self, users):
        port = free_port()
        one, other = users
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            Path(folder).chmod(0o1777)
            with (
                reserved(*one, folder=folder, port=port) as first,
                reserved(*other, folder=folder, port=port) as second,
            ):
                assert first == port != second
