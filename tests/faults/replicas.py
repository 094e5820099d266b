"""A cluster of Postgres servers: a primary, and standbys that receive its WAL through a proxy each."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psycopg

from exchange_site.stack.binaries import hand_over, postgres_binary, server_user
from exchange_site.stack.processes import as_user, free_port
from exchange_site.stack.servers import POSTGRES_OWNER, connect, stop_server
from tests.faults.world import World
from tests.processes import wait_for
from tests.proxy import Proxy

# A standby that lost its primary tries again at once, and the other one need not wait for the next WAL file.
_QUICK = ("-c", "wal_retrieve_retry_interval=200ms", "-c", "wal_keep_size=256MB")


class Node:
    """One Postgres server of a cluster. Its name is also the name under which it receives WAL."""

    def __init__(self, name, server, *, process=None):
        self.name, self.server, self.process = name, server, process
        self.folder = Path(server.command[2])
        self.line = None

    @property
    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def ask(self, query, parameters=()):
        """Run a query over a new connection to this server. It may be the primary or a standby."""
        address = {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": str(self.server.port)}
        with connect({**address, "POSTGRES_PASSWORD": self.server.password}, database="postgres") as line:
            cursor = line.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def copy_from(self, primary):
        """Make this server a new streaming standby of `primary`. Its old data is replaced."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        hand_over(self.folder)
        if self.line is None:
            self.line = Proxy(primary.server.port)
        self.line.lead_to(primary.server.port)
        address = f"host=127.0.0.1 port={self.line.port} user={POSTGRES_OWNER} application_name={self.name}"
        options = ["-d", address, "-D", str(self.folder), "-R", "-X", "stream", "-c", "fast", "--no-sync"]
        subprocess.run(
            [str(postgres_binary("pg_basebackup")), *options],
            cwd="/",
            env={**os.environ, "PGPASSWORD": primary.server.password},
            check=True,
            capture_output=True,
            **as_user(server_user()),
        )
        self.process = self.server.start()
        self.set(synchronous_standby_names="")  # copied from the primary
        primary.wait_for_standby(self)

    def wait_for_standby(self, standby):
        """Wait until the standby receives this server's WAL and has replayed all of it until now."""
        ((end,),) = self.ask("SELECT pg_current_wal_flush_lsn()")
        query = "SELECT replay_lsn >= %s FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'"
        wait_for(lambda: (True,) in self.ask(query, (end, standby.name)), seconds=60)

    def follow(self, primary):
        """Receive WAL from `primary` from now on, as a standby that goes on after a promotion."""
        address = f"host=127.0.0.1 port={primary.server.port} user={POSTGRES_OWNER} application_name={self.name}"
        self.set(primary_conninfo=f"{address} password={primary.server.password}")

    def set(self, **values):
        """Set parameters with ALTER SYSTEM, and let the server read them."""
        for name, value in values.items():
            self.ask(psycopg.sql.SQL("ALTER SYSTEM SET {} = {}").format(psycopg.sql.SQL(name), value))
        self.ask("SELECT pg_reload_conf()")

    def received(self):
        """Return how much WAL this standby has received, in bytes."""
        return self.ask("SELECT pg_last_wal_receive_lsn() - '0/0'::pg_lsn")[0][0]

    def promote(self):
        """Make this standby the primary, and wait until it accepts writes."""
        assert self.ask("SELECT pg_promote()") == [(True,)]

    def freeze(self):
        """Freeze the server and all of its processes, as a host that hangs."""
        self._signal(signal.SIGSTOP)

    def kill(self):
        """Kill the server and all of its processes, frozen ones too: none of them acknowledges anything any more."""
        if self.is_alive:
            self._signal(signal.SIGKILL)
            self.process.wait()
            self._remove_shared_memory()

    def _signal(self, number):
        """Send a signal to the server and to its children, each of which is in a process group of its own."""
        server = self.process.pid
        for pid in (server, *map(int, Path(f"/proc/{server}/task/{server}/children").read_text().split())):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _remove_shared_memory(self):
        """Remove what a killed server leaves in the kernel until the machine restarts."""
        segment = (self.folder / "postmaster.pid").read_text().splitlines()[6].split()[1]
        subprocess.run(["ipcrm", "-m", segment], check=False)


class Cluster:
    """A primary, and servers that can become its standbys. The addresses never change, as in production."""

    def __init__(self, primary, folder, *, standbys):
        self.primary = primary
        self.nodes = [primary, *(self._prepare(name, folder / name) for name in standbys)]

    def _prepare(self, name, folder):
        server, port = self.primary.server, free_port()
        command = [*server.command[:2], str(folder), "-p", str(port), *server.command[5:], *_QUICK]
        node = Node(name, replace(server, command=command, port=port))
        # `is_ready` of the copied server asks the primary.
        node.server = replace(node.server, is_ready=lambda: answers(node))
        return node

    @property
    def addresses(self):
        """Return the variables that name all servers of the cluster."""
        return {
            "POSTGRES_HOST": ",".join("127.0.0.1" for _ in self.nodes),
            "POSTGRES_PORT": ",".join(str(node.server.port) for node in self.nodes),
        }

    @property
    def standbys(self):
        """Return the servers that run and are not the primary."""
        return [node for node in self.nodes if node is not self.primary and node.is_alive]

    def arrange(self, *, standbys):
        """Make new streaming standbys, as many as wanted; stop the other servers. Commits wait for no standby."""
        self.primary.set(synchronous_standby_names="")
        others = [node for node in self.nodes if node is not self.primary]
        for node in others:
            node.kill()
        for node in others[:standbys]:
            node.copy_from(self.primary)

    def promote(self, node):
        node.promote()
        self.primary = node

    def end(self):
        for node in self.nodes:
            if node.is_alive:
                node.kill() if node is not self.primary else stop_server(node.process)
            if node.line:
                node.line.close()


def answers(node):
    try:
        return node.ask("SELECT true") == [(True,)]
    except psycopg.OperationalError:
        return False


class ReplicatedWorld(World):
    """A world whose processes are given the addresses of all Postgres servers, and reach them without a proxy."""

    def _start_servers(self):
        super()._start_servers()
        primary = Node("one", self.postgres, process=self._postgres)
        self.cluster = Cluster(primary, primary.folder.parent, standbys=("two", "three"))
        self._database |= self.cluster.addresses

    def _addresses(self):
        return {**super()._addresses(), **self.cluster.addresses}

    def end(self):
        self.supervisor.end()
        self.cluster.end()
        super().end()
