"""`task dev` with a mistake: one sentence says what is wrong and what to do, the exit code is 1, and nothing is started."""

import errno
import io
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from supervisor.options import ServerOptions

from exchange_site.stack import refusals
from exchange_site.stack.__main__ import _end_cleanly, _run, print_what_the_terminal_can_show, set_umask
from exchange_site.stack.binaries import reachable_home
from exchange_site.stack.environment import (
    api_port,
    data_dir,
    leave_out_foreign_variables,
    prepare_environment,
    refuse_wrong_values,
    simulator_port,
)
from exchange_site.stack.ports import describe_holder, ensure_listens, find_free_port, refuse_taken_port
from exchange_site.stack.prepare import refuse_database_of_another_project, wait_for_other_postgres
from exchange_site.stack.processes import PROJECT, NotInTime, free_port, is_free
from exchange_site.stack.refusals import StackRefused, explain_os_error, open_folder
from exchange_site.stack.running import OWNER_FILE
from exchange_site.stack.servers import Server, ServerFailed, connect, create_database, prepare_postgres
from exchange_site.stack.supervisor import _SUPERVISORD, _configure, _once, _server_program
from tests.stack.disks import small_disk


def dev(folder: Path, *options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    own = {"POSTGRES_HOST": "", "REDIS_HOST": "", "EXCHANGE_URL": "", "PORT": str(free_port()), "DATA_DIR": str(folder)}
    inherited = {name: value for name, value in os.environ.items() if name != "SIMULATOR_PORT"}
    return subprocess.run(
        [sys.executable, "-m", "exchange_site.stack", "dev", *options],
        cwd=PROJECT,
        env={**inherited, **own, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def assert_refused(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """Check that there is one sentence, with these words."""
    assert done.returncode == 1, done.stdout + done.stderr
    said = done.stderr.strip().splitlines()
    said = said[1:] if said[0] == "The configuration is refused:" else said
    assert len(said) == 1, said
    for word in words:
        assert word in said[0]


@contextmanager
def idle_process(code="input()"):
    """A process that runs code, which reads a line at its end, until the end of the `with` block."""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.communicate("\n")


class TestATakenPort:
    @pytest.mark.parametrize("name", ["PORT", "SIMULATOR_PORT"])
    def test_is_named_with_the_process_that_has_it_and_a_free_one(self, tmp_path, name):
        with ExitStack() as taken:
            port = taken.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            if is_free(port + 1):
                taken.enter_context(socket.create_server(("127.0.0.1", port + 1)))
            done = dev(tmp_path / "data", **{name: str(port)})
            assert_refused(done, f"Port {port} is taken by", f"(pid {os.getpid()})")
            offered = int(re.search(rf"{name}=(\d+) task dev", done.stderr)[1])
            assert offered > port + 1
            assert is_free(offered)
        assert not (tmp_path / "data" / "postgres").exists()

    def test_of_the_simulator_may_not_be_that_of_the_api(self, tmp_path):
        port = str(free_port())
        done = dev(tmp_path / "data", PORT=port, SIMULATOR_PORT=port)
        assert_refused(done, f"PORT and SIMULATOR_PORT are both {port}", "SIMULATOR_PORT=")
        assert not (tmp_path / "data" / "postgres").exists()

    def test_of_another_user_is_not_named(self, monkeypatch):
        monkeypatch.setattr("psutil.net_connections", lambda kind: [])
        assert describe_holder(8000) == "a process of another user"

    def test_by_another_process_since_it_was_free_is_no_start(self):
        with socket.create_server(("127.0.0.1", 0)) as taken, idle_process() as other:
            port = taken.getsockname()[1]
            ensure_listens(os.getpid(), port=port)
            for pid in (other.pid, 0):  # 0: it does not run
                with pytest.raises(NotInTime, match=rf"^port {port} is taken by .*\(pid {os.getpid()}\)$"):
                    ensure_listens(pid, port=port)

    def test_may_be_open_in_a_child_of_the_process(self):
        code = "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
        with idle_process(code) as child:
            ensure_listens(os.getpid(), port=int(child.stdout.readline()))

    def test_that_only_root_may_open_is_taken_by_nobody(self, monkeypatch):
        really_bind = socket.socket.bind

        def bind(self, address):
            if address[1] < 1024:
                raise PermissionError
            really_bind(self, address)

        monkeypatch.setattr(socket.socket, "bind", bind)
        with pytest.raises(StackRefused, match=r"^Port 80 may be opened by root alone\. .* PORT=\d{4} task dev$"):
            refuse_taken_port(name="PORT", port=80)

    def test_the_last_port_of_all_has_a_free_one_too(self):
        assert 1024 <= find_free_port(after=65_535) < 65_535


class TestAValueOfAWrongForm:
    @pytest.mark.parametrize(
        ("name", "value", "example"),
        [
            ("PORT", "eighty", "as in PORT=8000"),
            ("SIMULATOR_PORT", "70000", "as in SIMULATOR_PORT=9100"),
            ("DEBUG", "maybe", "as in DEBUG=True"),
            ("RATE_LIMIT_USER", "many", "as in RATE_LIMIT_USER="),
            ("ORDER_AGGREGATION_THRESHOLD", "ten", "as in ORDER_AGGREGATION_THRESHOLD=10.00"),
            ("HOUSE_LOSS_PER_DAY", "some", "as in HOUSE_LOSS_PER_DAY=1000.00"),
            ("LOGLEVEL", "loud", "'INFO'"),
        ],
    )
    def test_is_refused_with_an_example_before_anything_starts(self, tmp_path, name, value, example):
        done = dev(tmp_path / "data", **{name: value})
        assert_refused(done, f"{name}: ", example)
        assert not (tmp_path / "data").exists()

    @pytest.mark.parametrize("name", ["SECRET_KEY", "JWT_SECRET_KEY"])
    def test_is_refused_if_it_is_an_empty_secret(self, tmp_path, name):
        assert_refused(dev(tmp_path / "data", **{name: ""}), f"{name} must not be empty")
        assert not (tmp_path / "data").exists()

    def test_all_of_them_are_named_at_once(self, tmp_path):
        done = dev(tmp_path / "data", PORT="eighty", DEBUG="maybe")
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 3

    def test_a_secret_has_no_example(self, tmp_path):
        done = dev(tmp_path / "data", DEBUG="False")
        assert done.returncode == 1
        assert "SECRET_KEY" in done.stderr
        assert "SECRET_KEY=" not in done.stderr


class TestLowLimits:
    @pytest.mark.parametrize(("option", "words"), [("n", "256 open files"), ("u", "150 processes")])
    def test_are_named_with_what_the_stack_needs(self, tmp_path, option, words):
        code = f"ulimit -{option} {words.split()[0]}; exec {sys.executable} -m exchange_site.stack dev"
        environment = {**os.environ, "DATA_DIR": str(tmp_path / "data"), "PORT": str(free_port())}
        command = ["bash", "-c", code]
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert_refused(done, f"This shell allows {words}, and the stack needs", f"`ulimit -{option}`")
        assert not (tmp_path / "data").exists()


class TestTheUmask:
    @pytest.mark.parametrize(("given", "of_root", "of_others"), [(0o077, 0o022, 0o077), (0, 0o022, 0o022)])
    @pytest.mark.parametrize("is_root", [True, False])
    def test_lets_nobody_else_write_and_the_servers_user_in(self, monkeypatch, given, of_root, of_others, is_root):
        monkeypatch.setattr("exchange_site.stack.__main__.server_user", lambda: "nobody" if is_root else None)
        before = os.umask(given)
        try:
            assert set_umask() == given
            assert os.umask(given) == (of_root if is_root else of_others)
        finally:
            os.umask(before)

    def test_of_the_shell_is_that_of_the_commands(self, tmp_path):
        """A dump of the data is as hidden as the shell wants it."""
        code = (
            f'umask 077; exec {sys.executable} -m exchange_site.stack manage shell -c \'open("{tmp_path}/dump", "w")\''
        )
        own = {
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": "1",
            "REDIS_HOST": "127.0.0.1",
            "DATA_DIR": str(tmp_path / "data"),
        }
        subprocess.run(
            ["bash", "-c", code], cwd=PROJECT, env={**os.environ, **own}, capture_output=True, check=False, timeout=60
        )
        assert (tmp_path / "dump").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "data").stat().st_mode & 0o022 == 0


class TestALocaleWithoutAllCharacters:
    def test_gets_question_marks(self, monkeypatch):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
        print_what_the_terminal_can_show()
        sys.stdout.write("ü • …")
        sys.stdout.flush()
        assert raw.getvalue() == b"\xfc ? ?"


class TestAnUnusualValue:
    def test_of_a_folder_that_is_empty_is_the_usual_one(self, monkeypatch):
        monkeypatch.setenv("DATA_DIR", "")
        assert data_dir() == Path.cwd().resolve() / ".data"

    def test_of_a_folder_that_no_shell_has_expanded_is_below_the_home_folder(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("DATA_DIR", "~/exchange")
        assert data_dir() == tmp_path / "exchange"
        monkeypatch.setenv("DATA_DIR", "~nobody-has-this-name/exchange")
        assert data_dir() == Path.cwd().resolve() / "~nobody-has-this-name/exchange"

    @pytest.mark.parametrize("text", [" 8177", "8177 ", "08177", "8_177"])
    def test_of_a_port_becomes_the_one_that_addresses_have(self, monkeypatch, text):
        for name, value in {"PORT": text, "SIMULATOR_PORT": text, "EXCHANGE_URL": ""}.items():
            monkeypatch.setenv(name, value)
        assert (api_port(), simulator_port()) == (8177, 8177)

    def test_of_the_port_leaves_another_one_to_the_simulator(self, monkeypatch, tmp_path):
        named = {
            "POSTGRES_HOST": "there",
            "REDIS_HOST": "there",
            "PORT": " 9100",
            "SIMULATOR_PORT": "",
            "EXCHANGE_URL": "",
        }
        for name, value in named.items():
            monkeypatch.setenv(name, value)
        environment = prepare_environment(tmp_path)[1]
        assert environment["PORT"] == "9100"
        assert environment["SIMULATOR_PORT"] != "9100"
        assert environment["EXCHANGE_URL"] == f"http://127.0.0.1:{environment['SIMULATOR_PORT']}"

    def test_of_another_program_does_not_lead_past_the_stacks_servers(self, monkeypatch):
        foreign = {"PGSSLMODE": "require", "PGSERVICE": "none", "DJANGO_SETTINGS_MODULE": "their.settings"}
        for name, value in (
            foreign | {"http_proxy": "http://proxy:3128", "NO_PROXY": "intranet", "no_proxy": ""}
        ).items():
            monkeypatch.setenv(name, value)
        leave_out_foreign_variables()
        assert "PGSSLMODE" not in os.environ
        assert "PGSERVICE" not in os.environ
        assert os.environ["DJANGO_SETTINGS_MODULE"] == "exchange_site.settings"
        assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "intranet,127.0.0.1,localhost"
        assert urllib.request.proxy_bypass("127.0.0.1:8000")

    def test_of_a_folder_is_what_supervisord_and_redis_read(self, tmp_path, monkeypatch):
        """In the names of logs supervisord replaces variables twice; if it cannot, it prints the environment."""
        folder = tmp_path / "100%s of 'a\" and \\ é"
        folder.mkdir()
        monkeypatch.setenv("DATA_DIR", str(folder))
        monkeypatch.setenv("SUPERVISOR_SOCKET", str(tmp_path / "supervisor.sock"))
        log = folder / "redis.log"
        server = Server(name="Redis", command=["redis", str(folder)], port=1, password="", is_ready=bool, log=log)
        file = folder / "supervisord.conf"
        file.write_text(_configure(folder, [server], {"SIMULATOR_PORT": "9100"}))
        options = ServerOptions()
        options.realize(["--nodaemon", "-c", str(file)])
        programs = {
            program.name: program for group in options.process_group_configs for program in group.process_configs
        }
        assert programs["redis"].stdout_logfile == str(log)
        assert shlex.split(programs["redis"].command) == ["redis", str(folder)]
        assert str(folder / "simulator.sqlite") in shlex.split(programs["simulator"].command)


class TestAnOption:
    def test_is_refused_because_variables_say_what_is_to_be_different(self, tmp_path):
        assert_refused(dev(tmp_path / "data", "--port"), "There is no --port", "PORT=8001 task dev")
        assert not (tmp_path / "data").exists()


class TestCtrlC:
    @pytest.mark.timeout(120)
    def test_at_the_first_line_ends_the_start_without_a_traceback(self, tmp_path):
        with subprocess.Popen(
            [sys.executable, "-m", "exchange_site.stack", "dev"],
            cwd=PROJECT,
            env={**os.environ, "DATA_DIR": str(tmp_path / "data"), "POSTGRES_HOST": "", "REDIS_HOST": ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout.readline().startswith("Starting the exchange on ")
            process.send_signal(signal.SIGINT)
            assert process.communicate()[1] == ""
        assert process.returncode == 130


class TestNoOutput:
    def test_costs_a_sentence_of_what_is_wrong_and_no_traceback(self, tmp_path):
        (tmp_path / "data").write_text("a file")
        done = subprocess.run(
            ["sh", "-c", '"$0" -m exchange_site.stack dev >&- <&-', sys.executable],
            cwd=PROJECT,
            env={**os.environ, "DATA_DIR": str(tmp_path / "data")},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 1
        assert done.stderr.startswith("DATA_DIR cannot be")
        assert done.stderr.count("\n") == 1

    def test_is_no_number_for_a_file_even_if_one_has_got_it_already(self):
        code = (
            "import os; from exchange_site.stack.__main__ import open_closed_streams\n"
            "nothing, other = (os.open(name, os.O_RDWR) for name in ('/dev/null', '/dev/zero'))\n"
            "assert (nothing, other) == (0, 1)\n"
            "open_closed_streams()\n"
            "for number in (0, 1):\n"
            "    assert os.path.sameopenfile(number, os.open('/dev/null', os.O_RDWR)), number\n"
            "    assert os.get_inheritable(number), number\n"
        )
        done = subprocess.run(
            ["sh", "-c", '"$0" -c "$1" >&- <&-', sys.executable, code],
            cwd=PROJECT,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")


class TestASignalWhileACommandStarts:
    def test_reaches_the_command(self, monkeypatch):
        really_start = subprocess.Popen

        def start(command, **options):
            child = really_start([sys.executable, "-c", "import time; time.sleep(600)"], **options)
            children.append(child)
            os.kill(os.getpid(), signal.SIGTERM)
            return child

        children, numbers = [], (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.getsignal(number) for number in numbers}
        monkeypatch.setattr(subprocess, "Popen", start)
        try:
            _end_cleanly()
            assert _run(["migrate"], {}, umask=0o022) == -signal.SIGTERM
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            for child in children:
                child.kill()
                child.wait()


class TestOutputThatCannotBeOpenedByItsName:
    """After `su` or `sudo` the terminal, or the pipe, is another user's; a socket has no name at all."""

    @pytest.fixture(params=["pipe", "socket"])
    def ends(self, request):
        if request.param == "socket":
            ours, theirs = (end.detach() for end in socket.socketpair())
        else:
            if os.geteuid() == 0:
                pytest.skip("root may open every pipe by its name")
            ours, theirs = os.pipe()
            os.fchmod(theirs, 0)
        yield ours, theirs
        os.close(ours)

    @pytest.mark.timeout(120)
    def test_has_what_the_programs_print(self, ends, tmp_path):
        ours, theirs = ends
        file = tmp_path / "supervisord.conf"
        own = {"DATA_DIR": str(tmp_path), "SUPERVISOR_SOCKET": str(tmp_path / "supervisor.sock")}
        general = _SUPERVISORD.format(pid_file=tmp_path / "dev.pid", user="user=root" if os.geteuid() == 0 else "")
        server = Server(
            name="Redis", command=["sleep", "600"], port=1, password="", is_ready=bool, log=tmp_path / "redis.log"
        )
        server_program = _server_program(server, user=None)  # its output goes to a file
        file.write_text(general + server_program + _once("prepare", ["/bin/echo", "Everything", "runs."], priority=20))
        command = [sys.executable, "-W", "ignore", "-m", "exchange_site.stack", "supervise", str(file)]
        with subprocess.Popen(
            command, cwd=PROJECT, env={**os.environ, **own}, stdout=theirs, stderr=subprocess.DEVNULL
        ) as process:
            os.close(theirs)
            try:
                assert select.select([ours], [], [], 100)[0], "nothing was printed"
                assert os.read(ours, 1000) == b"Everything runs.\n"
            finally:
                process.terminate()


class TestAProgramThatIsKilledEachTimeItPreparesTheServers:
    @pytest.mark.timeout(120)
    def test_is_started_a_few_times_and_not_for_ever(self, tmp_path):
        file, starts = tmp_path / "supervisord.conf", tmp_path / "starts"
        own = {"DATA_DIR": str(tmp_path), "SUPERVISOR_SOCKET": str(tmp_path / "supervisor.sock")}
        general = _SUPERVISORD.format(pid_file=tmp_path / "dev.pid", user="user=root" if os.geteuid() == 0 else "")
        killed = ["/bin/sh", "-c", f"echo >>{starts}; kill -9 $$"]
        file.write_text(general + _once("prepare", killed, priority=20))
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "exchange_site.stack", "supervise", str(file)],
            cwd=PROJECT,
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (1, "The stack did not start: prepare was killed 4 times\n")
        assert starts.read_text() == "\n" * 4


class TestDataOfWhichAPartWasDeleted:
    @pytest.fixture
    def data(self, tmp_path):
        prepare_postgres(tmp_path / "data")
        return tmp_path / "data"

    @pytest.mark.parametrize(
        "part", ["postgres/PG_VERSION", "postgres/base", "postgres/global/pg_control", "postgres.password"]
    )
    def test_are_refused_with_the_name_of_the_part(self, data, tmp_path, part):
        lost, kept = reachable_home(data) / part, tmp_path / "kept"
        lost.rename(kept)
        try:
            assert_refused(dev(data), "The data in", f"are not whole: {part} is missing", "DATA_DIR=.data2 task dev")
        finally:
            kept.rename(lost)

    @pytest.mark.timeout(240)
    def test_are_tried_a_few_times_and_not_for_minutes_if_the_server_ends_each_time(self, data):
        control = reachable_home(data) / "postgres/global/pg_control"
        whole = control.read_bytes()
        control.write_bytes(bytes(len(whole)))
        try:
            done = dev(data)
        finally:
            control.write_bytes(whole)
        assert done.returncode == 1
        assert re.search(
            r"^The stack did not start: postgresql has ended each time it was started\. \S", done.stdout, re.MULTILINE
        )


class TestAnotherPostgres:
    def test_may_be_named_with_its_password_in_a_url(self, monkeypatch):
        for name in [name for name in os.environ if name.startswith(("POSTGRES_", "REDIS_"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("DATABASE_URL", "postgres://me:secret@there/shop")
        monkeypatch.setenv("REDIS_URL", "redis://:secret@there")
        refuse_wrong_values()

    def test_must_not_have_two_passwords(self, monkeypatch):
        monkeypatch.setenv("DATABASE_URL", "postgres://me:secret@there/shop")
        monkeypatch.setenv("POSTGRES_PASSWORD", "another")
        with pytest.raises(SystemExit, match="DATABASE_URL and POSTGRES_PASSWORD contradict each other"):
            refuse_wrong_values()

    def test_that_cannot_be_used_is_named_with_the_reason(self, tmp_path, monkeypatch):
        (tmp_path / OWNER_FILE).touch()
        for name, value in {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": str(free_port())}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(
            NotInTime, match=r"on 127.0.0.1, which POSTGRES_HOST or DATABASE_URL names, cannot be used: .*refused"
        ):
            wait_for_other_postgres(tmp_path, seconds=0)

    def test_is_not_used_if_it_belongs_to_something_else(self, tmp_path, monkeypatch):
        """Of several projects in one shell, each may read DATABASE_URL."""
        (tmp_path / OWNER_FILE).touch()
        monkeypatch.setenv("POSTGRES_DB", f"shop_{os.getpid()}")
        create_database(os.environ)
        try:
            refuse_database_of_another_project(tmp_path)
            with connect(os.environ) as database:
                database.execute("CREATE TABLE django_migrations (); CREATE SCHEMA shop; CREATE TABLE shop.customer ()")
            with pytest.raises(
                StackRefused, match=r"which POSTGRES_HOST or DATABASE_URL names, .* has a table shop\.cust"
            ):
                refuse_database_of_another_project(tmp_path)
            with connect(os.environ) as database:
                database.execute("CREATE TABLE wallets_wallet ()")
            refuse_database_of_another_project(tmp_path)
        finally:
            with connect(os.environ, database="postgres") as server:
                server.execute(f"DROP DATABASE shop_{os.getpid()}")


class TestAFolderThatCannotBeMade:
    def test_below_a_file(self, tmp_path):
        (tmp_path / "file").write_text("a file")
        assert_refused(dev(tmp_path / "file" / "data"), "DATA_DIR cannot be", "a part of it is a file", "DATA_DIR=")

    def test_where_a_file_is(self, tmp_path):
        (tmp_path / "data").write_text("a file")
        assert_refused(dev(tmp_path / "data"), "DATA_DIR cannot be", "it is a file and no folder")
        assert (tmp_path / "data").read_text() == "a file"

    def test_with_a_name_that_is_too_long(self, tmp_path):
        assert_refused(dev(tmp_path / ("x" * 300)), "DATA_DIR cannot be", "its name is too long")

    def test_with_a_name_that_cannot_be_printed(self, tmp_path):
        assert_refused(dev(tmp_path / "two\nlines"), "DATA_DIR cannot be", "cannot be printed", r"two\nlines")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("name", ["a #1", "a ;1"])
    def test_with_a_name_that_supervisord_reads_as_a_comment(self, tmp_path, name):
        assert_refused(dev(tmp_path / name), "DATA_DIR cannot be", name, "as a comment")
        assert not list(tmp_path.iterdir())

    def test_behind_a_link_that_leads_back_to_itself(self, tmp_path):
        (tmp_path / "data").symlink_to(tmp_path / "data")
        assert_refused(dev(tmp_path / "data"), "DATA_DIR cannot be", "no folder")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_below_a_folder_of_somebody_else(self):
        assert_refused(dev(Path("/usr/exchange")), "DATA_DIR cannot be", "you may not write there")

    @pytest.mark.skipif(not Path("/sys/kernel").exists(), reason="needs Linux's /sys")
    def test_where_nobody_may_write(self):
        done = dev(Path("/sys/kernel/exchange"))
        assert_refused(done, "DATA_DIR cannot be /sys/kernel/exchange, because")

    @pytest.mark.parametrize(
        ("number", "reason"), [(errno.EACCES, "you may not write there"), (errno.EROFS, "its file system is read-only")]
    )
    def test_for_other_reasons(self, number, reason):
        error = OSError(number, os.strerror(number), "/data/exchange")
        assert reason in explain_os_error(error, Path("/data/exchange"))

    def test_other_errors_are_told_as_they_are(self):
        error = OSError(errno.EACCES, os.strerror(errno.EACCES), "/usr/bin/postgres")
        assert "/usr/bin/postgres" in explain_os_error(error, Path("/data/exchange"))


class TestAFullDisk:
    def test_is_noticed_before_anything_is_written(self):
        with small_disk(megabytes=20) as disk:
            assert_refused(dev(disk / "data"), f"The disk of {disk / 'data'} is full", "MB are free", "DATA_DIR=")
            assert list((disk / "data").iterdir()) == []

    def test_is_refused_also_where_no_small_disk_can_be_made(self, tmp_path, monkeypatch):
        monkeypatch.setattr(refusals.shutil, "disk_usage", lambda place: SimpleNamespace(free=3 * 1024 * 1024))
        with pytest.raises(StackRefused, match="is full: 3 MB are free"):
            open_folder(tmp_path / "data")

    def test_while_the_cluster_is_made_leaves_no_half_of_it(self):
        with small_disk(megabytes=30) as disk:
            with pytest.raises(ServerFailed, match="is full"):
                prepare_postgres(disk / "data", durable=False)
            assert not (disk / "data" / "postgres").exists()


class TestACutOffStart:
    def test_while_the_cluster_is_made_leaves_no_half_of_it(self, tmp_path, monkeypatch):
        def be_cut_off(*_, **__):
            raise KeyboardInterrupt

        home = reachable_home(make_folder(tmp_path / "data"))
        with monkeypatch.context() as cut, pytest.raises(KeyboardInterrupt):
            cut.setattr("exchange_site.stack.servers.subprocess.run", be_cut_off)
            prepare_postgres(tmp_path / "data", durable=False)
        assert not (home / "postgres").exists()
        prepare_postgres(tmp_path / "data", durable=False)
        assert (home / "postgres" / "PG_VERSION").exists()
        assert not (home / "postgres.unfinished").exists()


def make_folder(folder):
    folder.mkdir()
    return folder


class TestDataOfAnother:
    def test_version_are_not_opened(self):
        with small_disk(megabytes=5) as disk:
            (disk / "postgres").mkdir()
            (disk / "postgres" / "PG_VERSION").write_text("16\n")
            with pytest.raises(StackRefused, match=r"are of PostgreSQL 16, and this is PostgreSQL 18"):
                prepare_postgres(disk)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_user_are_not_opened(self):
        with small_disk(megabytes=5) as disk:
            (disk / "postgres").mkdir()
            (disk / "postgres" / "PG_VERSION").write_text("18\n")
            os.chown(disk / "postgres", 12345, 12345)
            with pytest.raises(StackRefused, match="belong to the user with the id 12345"):
                prepare_postgres(disk)
