"""The whole stack, started for real: killed programs are started again, a stop ends all of them, data is kept."""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from secrets import token_urlsafe

import httpx
import pytest
import yaml

from exchange_site.stack.environment import owner_variables, postgres_variables
from exchange_site.stack.processes import PROJECT, NotInTime, answers, free_port, wait_until
from exchange_site.stack.running import StackAddresses, claim, find_running_stack, running_stack
from exchange_site.stack.servers import connect, prepare_postgres
from exchange_site.stack.supervisor import _Signals
from tests.patience import stretched
from tests.processes import find_lifeline

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find processes"),
    pytest.mark.timeout(400),  # on a busy machine a start takes minutes
]

# The stack must not use the tests' servers. The unusual threshold shows that the environment reaches its programs.
OWN_SERVERS = {"POSTGRES_HOST": "", "REDIS_HOST": "", "EXCHANGE_URL": ""}
ENVIRONMENT = {**OWN_SERVERS, "ORDER_AGGREGATION_THRESHOLD": "11.00", "WORKER_STANDSTILL_SECONDS": "8"}
PROGRAMS = {
    "api": "-m exchange_site.serve",
    "worker": "procrastinate worker",
    "simulator": "exchange_site.simulator",
    "postgres": "/postgres -D",
    "redis": "valkey-server",
}


STEPS = ["PostgreSQL and Redis", "migrations", "coins, prices and an administrator", "API", "worker"]
STOP_WITH = "Stop it with Ctrl-C"


@pytest.fixture
def folder() -> Iterator[Path]:
    with new_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def running() -> Iterator[StackAddresses]:
    with new_folder() as folder, running_stack(folder, environment=ENVIRONMENT) as addresses:
        yield addresses


@contextmanager
def new_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="stack-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for pid in processes(folder):  # there are some only after a failed test
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder)


def data_dir(addresses: StackAddresses) -> Path:
    return Path(addresses.environment["DATA_DIR"])


def processes(folder: Path, program: str = "") -> dict[int, str]:
    """Return the ids and command lines of all processes of the stack in `folder`.

    Postgres and Redis overwrite their environment with a title, so they are recognised by their working folder.
    """
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            variables = (process / "environ").read_bytes().split(b"\0")
            place = (process / "cwd").readlink()
        except OSError:  # the process has ended, or belongs to another user
            continue
        known = f"DATA_DIR={folder}".encode() in variables or str(folder) in command
        if command and program in command and (known or place.is_relative_to(folder)):
            found[int(process.name)] = command
    return found


def main_process(folder: Path, name: str) -> int | None:
    """Return the pid of the program's process that is a child of supervisord."""
    supervisor = int((folder / "dev.pid").read_text())
    return next((pid for pid in processes(folder, PROGRAMS[name]) if parent(pid) == supervisor), None)


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def is_ready(addresses: StackAddresses) -> bool:
    return answers(f"{addresses.api}/health/ready/")


def within(seconds: float, condition: Callable[[], object]) -> bool:
    try:
        wait_until(condition, seconds=stretched(seconds))
    except NotInTime:
        return False
    return True


def start(folder: Path, **environment: str) -> "subprocess.Popen[str]":
    """Start `task dev` with only the settings that the documentation asks for."""
    inherited = {name: value for name, value in os.environ.items() if name != "SIMULATOR_PORT"}
    return subprocess.Popen(
        [sys.executable, "-m", "exchange_site.stack", "dev"],
        cwd=PROJECT,
        env={**inherited, **OWN_SERVERS, "DATA_DIR": str(folder), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def unanswered_request(addresses: StackAddresses) -> Iterator[None]:
    """Let the exchange simulator answer no question about prices, while one of ours and one of the worker's are open."""
    faults = f"{addresses.simulator}/control/faults"
    httpx.put(faults, json=[{"on": "ticker", "action": "delay", "wait": 60}]).raise_for_status()
    host, port = addresses.simulator.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET /api/v3/ticker/bookTicker?symbol=BTCUSDT HTTP/1.1\r\nHost: venue\r\n\r\n")
        assert within(60, lambda: httpx.get(faults).json()[0]["applied"] > 1)
        yield


def query(addresses: StackAddresses, statement: str) -> list[tuple[object, ...]]:
    with connect({**addresses.environment, **addresses.owner}) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


class TestRunning:
    def test_has_all_programs_and_answers(self, running: StackAddresses) -> None:
        assert is_ready(running)
        missing = {name for name in PROGRAMS if main_process(data_dir(running), name) is None}
        assert not missing

    def test_passes_the_callers_environment_to_its_programs(self, running: StackAddresses) -> None:
        for name in ("api", "worker", "simulator"):
            pid = main_process(data_dir(running), name)
            assert b"ORDER_AGGREGATION_THRESHOLD=11.00" in Path(f"/proc/{pid}/environ").read_bytes()

    def test_lets_web_and_worker_log_in_as_the_applications_role_only(self, running: StackAddresses) -> None:
        for name in ("api", "worker", "simulator"):
            variables = Path(f"/proc/{main_process(data_dir(running), name)}/environ").read_bytes()
            assert b"POSTGRES_USER=crypto_exchange_app" in variables
            assert b"POSTGRES_OWNER" not in variables
            assert running.owner["POSTGRES_OWNER_PASSWORD"].encode() not in variables
        others = "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert within(20, lambda: query(running, others) == [("crypto_exchange_app",)])

    def test_is_found_by_its_folder(self, running: StackAddresses, folder: Path) -> None:
        assert find_running_stack(data_dir(running)) == running
        assert find_running_stack(folder) is None

    def test_writes_its_secrets_to_files_of_its_owner_only(self, running: StackAddresses) -> None:
        for name in ("stack.env", "owner.env", "supervisord.conf"):
            assert (data_dir(running) / name).stat().st_mode & 0o077 == 0

    def test_lends_its_database_to_management_commands(self, running: StackAddresses) -> None:
        question = "from wallets.models import User; print(User.objects.filter(username='admin').count())"
        asked = subprocess.run(
            [sys.executable, "-m", "exchange_site.stack", "manage", "shell", "-v", "0", "-c", question],
            cwd=PROJECT,
            env={
                **{n: v for n, v in os.environ.items() if not n.startswith(("POSTGRES_", "REDIS_"))},
                "DATA_DIR": str(data_dir(running)),
            },
            capture_output=True,
            text=True,
            check=True,
        )
        assert asked.stdout.split() == ["1"]

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_leaves_it_to_a_management_command_when_it_ends(
        self, running: StackAddresses, number: signal.Signals
    ) -> None:
        """Ctrl-C reaches both processes; SIGTERM is sent to the first one only."""
        ending = f"import signal, time; signal.signal({number}, lambda *_: (time.sleep(1), print('ended'), exit(3)))"
        command = subprocess.Popen(
            [sys.executable, "-m", "exchange_site.stack", "manage", "shell", "-v", "0"],
            cwd=PROJECT,
            env={**os.environ, "DATA_DIR": str(data_dir(running))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert command.stdin
        assert command.stdout
        with command:
            command.stdin.write(f"{ending}; print('begun', flush=True); signal.pause()\n")
            command.stdin.close()
            assert command.stdout.readline() == "begun\n"
            (os.killpg if number == signal.SIGINT else os.kill)(command.pid, number)
            assert (command.stdout.read(), command.wait(60)) == ("ended\n", 3)

    def test_ends_its_servers_when_a_command_is_told_to_end(self, folder: Path) -> None:
        code = "import time; print('begun', flush=True); time.sleep(600)"
        command = subprocess.Popen(
            [sys.executable, "-m", "exchange_site.stack", "manage", "shell", "-v", "0", "-c", code],
            cwd=PROJECT,
            env={**os.environ, **OWN_SERVERS, "DATA_DIR": str(folder)},
            stdout=subprocess.PIPE,
            text=True,
        )
        with command:
            assert command.stdout
            assert command.stdout.readline() == "begun\n"
            assert processes(folder, PROGRAMS["postgres"])
            command.terminate()
        assert not processes(folder)


class TestKilled:
    @pytest.mark.parametrize("name", PROGRAMS)
    def test_a_program_is_started_again_within_five_seconds(self, running: StackAddresses, name: str) -> None:
        killed = main_process(data_dir(running), name)
        assert killed
        os.kill(killed, signal.SIGKILL)
        assert within(5, lambda: main_process(data_dir(running), name) not in {killed, None})
        assert within(60, lambda: is_ready(running))

    def test_a_frozen_worker_is_ended_and_another_started(self, running: StackAddresses) -> None:
        folder = data_dir(running)
        assert within(15, lambda: (pid := main_process(folder, "worker")) and find_lifeline(pid))
        frozen = main_process(folder, "worker")
        assert frozen
        os.kill(frozen, signal.SIGSTOP)
        assert within(40, lambda: main_process(folder, "worker") not in {frozen, None})
        assert f"worker {frozen} has been frozen" in (folder / "stack.log").read_text()

    def test_a_worker_process_of_the_api_is_started_again_within_five_seconds(self, running: StackAddresses) -> None:
        folder = data_dir(running)
        master = main_process(folder, "api")

        def children() -> set[int]:
            return {pid for pid in processes(folder, PROGRAMS["api"]) if parent(pid) == master}

        assert within(5, lambda: len(children()) == 2)
        killed = min(children())
        os.kill(killed, signal.SIGKILL)
        assert within(5, lambda: len(children() - {killed}) == 2)
        assert is_ready(running)

    def test_the_worker_processes_of_a_killed_api_end(self, running: StackAddresses) -> None:
        folder = data_dir(running)
        orphans = set(processes(folder, PROGRAMS["api"]))
        killed = main_process(folder, "api")
        assert killed
        os.kill(killed, signal.SIGKILL)
        assert within(20, lambda: not orphans & set(processes(folder, PROGRAMS["api"])))
        assert within(60, lambda: is_ready(running))


class TestRefused:
    def test_a_second_start_on_the_same_folder(self, running: StackAddresses) -> None:
        pid = (data_dir(running) / "dev.pid").read_text().strip()
        second = start(data_dir(running), PORT=str(free_port()))
        output, _ = second.communicate(timeout=60)
        assert second.returncode == 1
        assert "running" in output
        assert pid in output
        assert within(60, lambda: is_ready(running))

    def test_a_taken_port(self, running: StackAddresses, folder: Path) -> None:
        port = running.environment["PORT"]
        second = start(folder, PORT=port)
        output, _ = second.communicate(timeout=60)
        assert second.returncode == 1
        assert f"Port {port} is taken by the stack on {data_dir(running)} (pid " in output
        assert re.search(r"PORT=\d+ task dev", output)
        assert not processes(folder)

    def test_a_start_whose_data_cannot_be_prepared(self, folder: Path) -> None:
        """The seeder refuses to run without DEBUG. Then the stack ends, and does not try again."""
        secrets = {name: token_urlsafe(40) for name in ("SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEYS")}
        stack = start(folder, PORT=str(free_port()), DEBUG="False", HOUSE_LOSS_PER_DAY="500.00", **secrets)
        output, _ = stack.communicate(timeout=250)  # all migrations run first
        assert stack.returncode == 1
        assert "The stack did not start" in output
        assert "DEBUG is off" in output
        assert within(30, lambda: not processes(folder))

    def test_a_command_while_another_one_uses_the_folder(self, folder: Path) -> None:
        with claim(folder):
            second = start(folder, PORT=str(free_port()))
            output, _ = second.communicate(timeout=60)
        assert second.returncode == 1
        assert "Another command" in output


@contextmanager
def first_start(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a stack on a new folder, wait until it is ready or has failed, and stop it at the end."""
    stack = start(folder, PORT=str(free_port()))
    try:
        within(200, lambda: stack.poll() is not None or find_running_stack(folder))
        yield stack
    finally:
        stack.terminate()
        stack.wait(60)
        assert stack.stdout is not None
        stack.stdout.close()


@pytest.fixture
def taken_simulator_port() -> Iterator[None]:
    """Take the simulator's default port, as a first stack would."""
    with ExitStack() as opened:
        with suppress(OSError):
            opened.enter_context(socket.create_server(("127.0.0.1", 9100)))
        yield


def test_a_stack_ends_at_once_if_the_command_that_started_it_has_ended_already(folder: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    command = [sys.executable, "-m", "exchange_site.stack", "--with-parent", str(ended.pid), "dev"]
    done = subprocess.run(command, cwd=PROJECT, env={**os.environ, "DATA_DIR": str(folder)}, timeout=60, check=False)
    assert done.returncode == -signal.SIGTERM
    assert list(folder.iterdir()) == []


def test_the_supervisors_loop_wakes_for_a_signal() -> None:
    """Else it would see the end of each program up to a second late, and a stop takes several."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    signals = _Signals()
    try:
        assert not select.select([signals.fileno()], [], [], 0)[0]
        signal.raise_signal(signal.SIGUSR1)
        assert select.select([signals.fileno()], [], [], 60)[0]
        signals.handle_read_event()
        assert not select.select([signals.fileno()], [], [], 0)[0]
    finally:
        signal.set_wakeup_fd(-1)
        signals.close()
        signals._waking.close()
        signal.signal(signal.SIGUSR1, before)


class TestSideBySide:
    @pytest.mark.usefixtures("taken_simulator_port")
    def test_a_second_stack_needs_only_another_folder_and_port(self, folder: Path) -> None:
        with first_start(folder) as second:
            assert second.poll() is None, second.communicate()[0]


class TestFirstStart:
    def test_says_how_far_it_is_and_ends_with_a_banner_whose_first_link_answers(self, folder: Path) -> None:
        with first_start(folder) as stack:
            assert stack.stdout is not None
            lines = list(takewhile(lambda line: not line.startswith(STOP_WITH), stack.stdout))
            link = next(line.split()[-1] for line in lines if "home page" in line)
            assert answers(link)
        steps = [line.strip() for line in lines if line.startswith("  ")]
        assert [step for step in STEPS if any(line.startswith(step) for line in steps)] == STEPS
        assert not [line for line in lines if re.search("CRIT|WARN|overcommit|FATAL", line)]
        banner = lines.index("The exchange is running.\n")
        assert all(line.startswith("  ") for line in lines[banner + 1 :])


class TestStopped:
    def test_no_process_is_left_ten_seconds_after_the_signal_also_of_a_venue_that_hangs(
        self, running: StackAddresses
    ) -> None:
        folder = data_dir(running)
        query(running, "CREATE TABLE kept AS SELECT 7 AS number")
        with unanswered_request(running):
            os.kill(int((folder / "dev.pid").read_text()), signal.SIGTERM)
            assert within(10, lambda: not processes(folder)), processes(folder)
        # On a busy machine others may be killed, which end a second or so before their time is over.
        assert "killing 'simulator'" not in (folder / "stack.log").read_text()
        assert find_running_stack(folder) is None

    def test_it_starts_again_with_its_data_also_if_they_are_of_a_version_without_the_role(
        self, running: StackAddresses
    ) -> None:
        folder = data_dir(running)
        server = prepare_postgres(folder)
        variables = {**postgres_variables(server), **owner_variables(server)}
        with server.running(), connect(variables) as connection:
            for statement in ("DROP OWNED BY crypto_exchange_app", "DROP ROLE crypto_exchange_app"):
                connection.execute(statement)
        with running_stack(folder, environment=ENVIRONMENT) as again:
            assert is_ready(again)
            assert query(again, "SELECT number FROM kept") == [(7,)]
        assert not processes(folder)

    def test_of_two_starts_at_once_one_is_refused_and_the_other_runs(self, running: StackAddresses) -> None:
        folder = data_dir(running)
        stacks = [start(folder, PORT=str(free_port())) for _ in range(2)]
        assert within(200, lambda: find_running_stack(folder) and any(stack.poll() is not None for stack in stacks))
        refused, other = sorted(stacks, key=lambda stack: stack.poll() is None)
        try:
            assert refused.returncode == 1
            last = refused.communicate()[0].splitlines()[-1]
            assert re.fullmatch(r"(Another command|A stack) .*DATA_DIR=\S+ PORT=\d+ task dev", last)
            assert other.poll() is None
        finally:
            for stack in stacks:
                stack.terminate()
            other.communicate(timeout=60)

    def test_it_ends_with_the_command_that_started_it_when_that_is_killed(self, running: StackAddresses) -> None:
        folder = data_dir(running)
        holder = (
            "import os, pathlib, signal; from exchange_site.stack.running import running_stack\n"
            f"with running_stack(pathlib.Path({str(folder)!r}), environment={{}}):\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        killed = subprocess.run(
            [sys.executable, "-c", holder], cwd=PROJECT, env={**os.environ, **ENVIRONMENT}, check=False
        )
        assert killed.returncode == -signal.SIGKILL
        assert within(15, lambda: not processes(folder)), processes(folder)

    @pytest.mark.skipif(shutil.which("task") is None, reason="go-task is not installed")
    def test_it_ends_with_task_when_that_is_killed(self, running: StackAddresses, tmp_path: Path) -> None:
        folder = data_dir(running)
        ours = yaml.safe_load((PROJECT / "Taskfile.yml").read_text())
        dev = {**ours["tasks"]["dev"], "dir": str(PROJECT), "deps": []}
        tasks = {"version": "3", "vars": {**ours["vars"], "PYTHON": sys.executable}, "tasks": {"dev": dev}}
        (tmp_path / "Taskfile.yml").write_text(yaml.safe_dump(tasks))
        task = subprocess.Popen(
            ["task", "dev"],
            cwd=tmp_path,
            env={**os.environ, **ENVIRONMENT, "DATA_DIR": str(folder), "PORT": str(free_port())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert within(200, lambda: task.poll() is not None or find_running_stack(folder))
        assert find_running_stack(folder)
        task.kill()
        task.wait()
        assert within(20, lambda: not processes(folder)), processes(folder)

    def test_it_starts_also_if_what_prepares_it_is_killed(self, running: StackAddresses) -> None:
        folder = data_dir(running)
        stack = start(folder, PORT=str(free_port()))
        assert within(60, lambda: processes(folder, "exchange_site.stack prepare"))
        os.kill(next(iter(processes(folder, "exchange_site.stack prepare"))), signal.SIGKILL)
        assert within(200, lambda: stack.poll() is not None or find_running_stack(folder))
        assert is_ready(find_running_stack(folder))
        stack.terminate()
        assert "exited: prepare (terminated by SIGKILL" in stack.communicate(timeout=60)[0]

    def test_it_goes_on_when_nobody_reads_its_output_any_more(self, running: StackAddresses) -> None:
        folder = data_dir(running)
        stack = start(folder, PORT=str(free_port()))
        assert within(200, lambda: stack.poll() is not None or find_running_stack(folder))
        stack.stdout.close()
        killed = main_process(folder, "api")
        os.kill(killed, signal.SIGKILL)
        assert within(20, lambda: main_process(folder, "api") not in {killed, None})
        assert within(60, lambda: is_ready(find_running_stack(folder)))
        stack.send_signal(signal.SIGINT)
        assert stack.wait(60) == 0
        assert not processes(folder)

    def test_its_programs_end_when_its_supervisor_is_killed(self, running: StackAddresses) -> None:
        folder, port = data_dir(running), str(free_port())
        first = start(folder, PORT=port)
        assert within(200, lambda: first.poll() is not None or find_running_stack(folder))
        assert main_process(folder, "postgres")
        os.kill(first.pid, signal.SIGKILL)
        first.communicate()
        assert within(20, lambda: not processes(folder)), processes(folder)

    def test_it_starts_again_after_its_supervisor_was_killed(self, running: StackAddresses) -> None:
        """A frozen program does not end by itself."""
        folder, port = data_dir(running), str(free_port())
        first = start(folder, PORT=port)
        assert within(200, lambda: first.poll() is not None or find_running_stack(folder))
        frozen = main_process(folder, "simulator")
        assert frozen
        os.kill(frozen, signal.SIGSTOP)
        os.kill(first.pid, signal.SIGKILL)
        first.communicate()
        with running_stack(folder, environment={**ENVIRONMENT, "PORT": port}) as again:
            assert frozen not in processes(folder)
            assert "A stack that was killed had left" in (folder / "stack.log").read_text()
            assert query(again, "SELECT number FROM kept") == [(7,)]
        assert not processes(folder)
