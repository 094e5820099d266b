"""A world whose database can be brought back to an earlier moment, in each of the ways in which that happens."""

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

from exchange_site.stack.binaries import hand_over, postgres_binary, server_user
from exchange_site.stack.processes import as_user
from exchange_site.stack.servers import POSTGRES_OWNER
from tests.faults.world import DATABASE, World
from tests.processes import wait_for


class RestorableWorld(World):
    """A world whose Postgres archives its WAL."""

    def _start_servers(self):
        self.archive = self.folder / "archive"
        self.archive.mkdir(mode=0o755)
        hand_over(self.archive)
        super()._start_servers()

    def _postgres_options(self):
        command = f"test ! -f {self.archive}/%f && cp %p {self.archive}/%f"
        return (*super()._postgres_options(), "-c", "archive_mode=on", "-c", f"archive_command={command}")

    @property
    def data(self):
        return Path(self.postgres.command[2])

    def run_tool(self, name, *arguments):
        """Run one of Postgres' tools as the servers' user, against this world's server."""
        address = {"PGHOST": "127.0.0.1", "PGPORT": str(self.postgres.port), "PGUSER": POSTGRES_OWNER}
        done = subprocess.run(
            [str(postgres_binary(name)), *map(str, arguments)],
            cwd="/",
            env={**os.environ, **address, "PGPASSWORD": self.postgres.password},
            check=False,
            capture_output=True,
            text=True,
            **as_user(server_user()),
        )
        assert done.returncode == 0, done.stderr

    def start_with(self, data):
        """Stop Postgres as a crash does, and start it with another data folder in place of its own."""
        self.stop_postgres_at_once()
        shutil.rmtree(self.data)
        data.rename(self.data)
        self.start_postgres()
        wait_for(lambda: self.ask("SELECT NOT pg_is_in_recovery()") == [(True,)], seconds=60, ignoring=Exception)


@contextmanager
def to_a_moment(world):
    """Restore a base backup, and replay the archived WAL up to the moment at which this context was entered."""
    backup = world.data.with_name("backup")
    backup.mkdir(mode=0o700)
    hand_over(backup)
    world.run_tool("pg_basebackup", "-D", backup, "-X", "none", "-c", "fast", "--no-sync")
    moment = world.ask("SELECT clock_timestamp()::text")[0][0]

    def bring_back():
        world.ask("SELECT pg_switch_wal()")
        wait_for(lambda: not list((world.data / "pg_wal/archive_status").glob("*.ready")), seconds=30)
        settings = {
            "restore_command": f"cp {world.archive}/%f %p",
            "recovery_target_time": moment,
            "recovery_target_action": "promote",
        }
        with (backup / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        (backup / "recovery.signal").touch()
        hand_over(backup / "recovery.signal")
        world.start_with(backup)

    yield bring_back


@contextmanager
def from_a_dump(world):
    """Restore a dump into the same database of the same server, which goes on running."""
    dump = world.archive / "faults.dump"
    world.run_tool("pg_dump", "-Fc", "-d", DATABASE, "-f", dump)
    yield lambda: world.run_tool("pg_restore", "--clean", "--if-exists", "--single-transaction", "-d", DATABASE, dump)
    dump.unlink()


@contextmanager
def from_a_snapshot(world):
    """Set the server's disk back, as a snapshot of it was at one moment."""
    snapshot = world.data.with_name("snapshot")
    with _frozen(world._postgres.pid):
        shutil.copytree(world.data, snapshot, copy_function=shutil.copy2)
    subprocess.run(["chown", "-R", f"--reference={world.data}", str(snapshot)], check=True)
    snapshot.chmod(0o700)
    (snapshot / "postmaster.pid").unlink()
    yield lambda: world.start_with(snapshot)


@contextmanager
def _frozen(server):
    """Freeze a server and its children, so that a copy of its files is of one moment."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    frozen = [server, *map(int, children)]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
