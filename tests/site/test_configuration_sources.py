"""Values from DATABASE_URL, REDIS_URL and files of secrets; processes that use them."""

import os
import subprocess
import tempfile
from pathlib import Path

import httpx
import pytest
from django.conf import settings
from django.db import connection
from psycopg import sql
from pydantic import ValidationError

from exchange_site.configuration import SECRETS, Configuration
from exchange_site.configuration.objections import read_objections
from exchange_site.stack.binaries import postgres_binary
from exchange_site.stack.environment import owner_variables, postgres_variables
from exchange_site.stack.processes import PROJECT, free_port, manage
from exchange_site.stack.servers import POSTGRES_OWNER, connect, prepare_postgres
from tests.conftest import process_environment
from tests.processes import wait_for


def refused(environment):
    """Return the sentences with which an environment is refused, or nothing."""
    try:
        Configuration.read(environment)
    except ValidationError as error:
        return [each.sentence.replace("hidden", "SHOWN") for each in read_objections(error)]
    return []


class TestDatabaseUrl:
    def test_stands_for_all_of_its_parts(self):
        url = "postgresql://sh%40p:p%2Fa%3Fs%23s@db-1:5433,[fd00::5],db-3:5435/shop%20db?sslmode=require"
        postgres = Configuration.read({"DATABASE_URL": url}).postgres
        assert (postgres.user, postgres.password, postgres.name) == ("sh@p", "p/a?s#s", "shop db")
        assert (postgres.hosts, postgres.ports) == (["db-1", "fd00::5", "db-3"], [5433, 5432, 5435])
        assert postgres.sslmode == "require"

    def test_leaves_what_it_does_not_name_to_the_other_variables(self):
        given = {"POSTGRES_PASSWORD": "p@ss", "POSTGRES_PORT": "6000", "POSTGRES_DB": "shop"}
        postgres = Configuration.read({"DATABASE_URL": "postgres://me@db", **given}).postgres
        assert (postgres.user, postgres.password, postgres.hosts) == ("me", "p@ss", ["db"])
        assert (postgres.ports, postgres.name, postgres.sslmode) == ([6000], "shop", "prefer")

    def test_may_name_the_folder_of_a_unix_socket(self):
        assert Configuration.read({"DATABASE_URL": "postgres://me@%2Frun%2Fpg/shop"}).postgres.hosts == ["/run/pg"]

    @pytest.mark.parametrize(
        "url",
        [
            "mysql://me:hidden@db/shop", "postgis://me:hidden@db/shop", "db/shop", "hidden", "postgres:me:hidden@db",
            "postgres://me:hidden@/shop", "postgres:///shop", "postgres://me:hid/den@db/shop", "postgres://me:hidden#@db",
            "postgres://me:hidden@db:port/shop", "postgres://me:hidden@db/shop?pool=hidden", "postgres://me:hi?hidden=den@db",
            "postgres://me:hidden@db/shop?sslmode=require&sslmode=disable", "postgres://me:hidden@db,/shop",
            "postgres://me:hidden@db/shop?target_session_attrs=any", "postgres://me:hidden@db/shop?application_name=x",
        ],
    )  # fmt: skip
    def test_of_another_form_is_refused_with_one_sentence_without_the_value(self, url):
        [sentence] = refused({"DATABASE_URL": url})
        assert sentence.startswith("DATABASE_URL m")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("POSTGRES_HOST", "other"), ("POSTGRES_PORT", "5433"), ("POSTGRES_USER", "other"), ("POSTGRES_DB", "other"),
            ("POSTGRES_PASSWORD", "other-hidden"), ("POSTGRES_SSLMODE", "disable"),
        ],
    )  # fmt: skip
    def test_must_not_contradict_another_variable(self, name, value):
        url = "postgres://me:hidden@db:5432/shop?sslmode=require"
        [sentence] = refused({"DATABASE_URL": url, name: value})
        assert sentence.startswith(f"DATABASE_URL and {name} contradict each other")

    def test_may_repeat_the_other_variables(self):
        same = {"POSTGRES_HOST": "a, b", "POSTGRES_PORT": "5432", "POSTGRES_USER": "me", "POSTGRES_SSLMODE": ""}
        assert refused({"DATABASE_URL": "postgres://me@a:5432,b:5432/shop", **same}) == []


class TestRedisUrl:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("redis://cache", {"host": "cache", "port": 6379, "db": 0, "username": None, "password": None}),
            ("redis://:p%40ss@cache:6380/3", {"port": 6380, "db": 3, "username": None, "password": "p@ss"}),
            ("rediss://shop:pass@[fd00::5]:6380", {"host": "fd00::5", "username": "shop", "ssl": True}),
        ],
    )
    def test_stands_for_all_of_its_parts(self, url, expected):
        address = Configuration.read({"REDIS_URL": url}).redis.address()
        assert address == {**address, **expected}
        assert ("ssl" in address) == url.startswith("rediss")

    @pytest.mark.parametrize(
        "url",
        [
            "http://cache", "cache:6379", "unix:///run/redis", "redis://", "redis://:hidden@cache/zero",
            "redis://:hidden@cache/0?ssl_cert_reqs=none", "redis://:hidden@cache:port", "redis://:hidden@a,b",
        ],
    )  # fmt: skip
    def test_of_another_form_is_refused_with_one_sentence_without_the_value(self, url):
        [sentence] = refused({"REDIS_URL": url})
        assert sentence.startswith("REDIS_URL m")

    @pytest.mark.parametrize(
        ("name", "value"),
        [("REDIS_HOST", "other"), ("REDIS_PASSWORD", "other"), ("REDIS_TLS", "True"), ("REDIS_DB", "1")],
    )
    def test_must_not_contradict_another_variable(self, name, value):
        sentences = refused({"REDIS_URL": "redis://shop:hidden@cache/0", name: value})
        assert [each.split(" contradict")[0] for each in sentences] == [f"REDIS_URL and {name}"]


# Secrets that have a form of their own, and what they need beside them.
OF_A_FORM = {
    "DATABASE_URL": "postgres://me:hidden@db",
    "REDIS_URL": "redis://:hidden@db",
    "SENTRY_DSN": "https://hidden@tracker.example/1",
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=hidden",
}


class TestSecretsFromFiles:
    @pytest.fixture
    def file(self, tmp_path):
        return tmp_path / "secret"

    @pytest.mark.parametrize("name", SECRETS)
    @pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
    def test_are_read_for_every_secret_without_the_last_newline(self, name, ending, file):
        value = OF_A_FORM.get(name, " hidden-1 ")
        file.write_bytes((value + ending).encode())
        of_file = Configuration.read({f"{name}_FILE": str(file), "EXCHANGE_SANDBOX": "True", name: ""})
        assert of_file == Configuration.read({name: value, "EXCHANGE_SANDBOX": "True"})

    def test_lose_one_newline_alone(self, file):
        file.write_text("hidden\n\n")
        assert Configuration.read({"SECRET_KEY_FILE": str(file)}).django.secret_key == "hidden\n"

    @pytest.mark.parametrize("content", [None, b"", b"\n", b"  \n", b"\xff\xfehidden", 70_000 * b"h"])
    def test_that_cannot_be_used_are_refused_with_one_sentence(self, content, file):
        if content is not None:
            file.write_bytes(content)
        [sentence] = refused({"POSTGRES_PASSWORD_FILE": str(file)})
        assert sentence.startswith("POSTGRES_PASSWORD_FILE names a file that ")

    @pytest.mark.parametrize("path", ["/", "/nowhere/secret", "a\0b"])
    def test_that_are_no_files_are_refused_with_one_sentence(self, path):
        [sentence] = refused({"REDIS_PASSWORD_FILE": path})
        assert sentence == "REDIS_PASSWORD_FILE names a file that cannot be read as text."

    def test_must_not_be_given_twice(self, file):
        file.write_text("hidden-1")
        [sentence] = refused({"METRICS_TOKEN_FILE": str(file), "METRICS_TOKEN": "hidden-2"})
        assert sentence == "METRICS_TOKEN and METRICS_TOKEN_FILE must not both be set."

    def test_are_judged_in_production_like_others(self, file):
        file.write_text(f"{32 * 's'}\n")
        sentences = refused({"DEBUG": "False", "SECRET_KEY_FILE": str(file)})
        assert sentences[0].startswith("SECRET_KEY must be set to a secret")


def ask(api):
    """Return the states that a process reports of its servers."""
    return httpx.get(api.replace("/api/v1/", "/health/ready/"), timeout=30).json()


def count_workers():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_workers")
        return cursor.fetchone()[0]


def without_stores():
    """Return empty values for the variables that name the tests' servers."""
    return {name: "" for name in os.environ if name.startswith(("POSTGRES_", "REDIS_"))} | {"POSTGRES_POOL_SIZE": "0"}


@pytest.fixture
def database():
    given = settings.DATABASES["default"]
    return {**given, "NAME": connection.settings_dict["NAME"], "REDIS": settings.REDIS}


class TestAProcess:
    def test_reads_urls_and_files_and_passes_over_a_dead_host(self, make_api_process, database, shopper, tmp_path):
        user, password = database["USER"], database["PASSWORD"]
        hosts = f"127.0.0.1:{free_port()},127.0.0.1:{database['PORT']}"
        url, redis_password = tmp_path / "url", tmp_path / "redis-password"
        url.write_text(f"postgres://{user}:{password}@{hosts}/{database['NAME']}\n")
        redis_password.write_text(f"{database['REDIS'].password}\n")
        stores = {
            "DATABASE_URL_FILE": str(url),
            "REDIS_URL": f"redis://127.0.0.1:{database['REDIS'].port}/1",
            "REDIS_PASSWORD_FILE": str(redis_password),
        }
        api = make_api_process(**{**without_stores(), "POSTGRES_USER": "", "POSTGRES_DB": "", **stores})
        assert ask(api) == {"status": "ok", "postgres": "ok", "redis": "ok", "clock": "ok"}
        deposited = httpx.patch(
            f"{api}accounts/wallet/deposit/", json={"amount": "5"}, headers=shopper.headers, timeout=30
        )
        assert deposited.status_code == 200
        assert shopper.wallet.balance == 105

    def test_takes_the_host_that_accepts_writes(self, make_api_process, database, shopper, read_only_postgres):
        ports = f"{read_only_postgres},{database['PORT']}"
        api = make_api_process(POSTGRES_HOST="127.0.0.1,127.0.0.1", POSTGRES_PORT=ports)
        answer = httpx.patch(
            f"{api}accounts/wallet/deposit/", json={"amount": "5"}, headers=shopper.headers, timeout=30
        )
        assert answer.status_code == 200
        assert ask(api)["postgres"] == "ok"

    def test_takes_it_as_a_worker_too(self, make_worker, simulator, database, read_only_postgres):
        make_worker(
            POSTGRES_HOST="127.0.0.1,127.0.0.1",
            POSTGRES_PORT=f"{read_only_postgres},{database['PORT']}",
            POSTGRES_POOL_SIZE="2",
            EXCHANGE_URL=simulator.url,
        )
        wait_for(count_workers, seconds=60)

    @pytest.mark.django_db(transaction=True)
    def test_opens_psql_on_a_host_that_answers(self, database):
        ports = {"POSTGRES_HOST": "127.0.0.1,127.0.0.1", "POSTGRES_PORT": f"{free_port()},{database['PORT']}"}
        environment = process_environment(**ports)
        environment["PATH"] = f"{postgres_binary('psql').parent}:{environment['PATH']}"
        command = manage("dbshell", "--", "-Atc", "SELECT current_database()")
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.stdout.strip(), done.returncode) == (database["NAME"], 0), done.stderr

    def test_does_not_connect_to_a_database_that_refuses_writes(self, make_api_process, shopper, read_only_postgres):
        api = make_api_process(POSTGRES_PORT=str(read_only_postgres))
        answer = httpx.get(f"{api}accounts/wallet/", headers=shopper.headers, timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert ask(api)["postgres"] == "read_only"


@pytest.fixture
def read_only_postgres(database):
    """Return the port of a Postgres with the tests' user and database, which accepts no writes."""
    name, user, password = (sql.Identifier(database["NAME"]), database["USER"], sql.Literal(database["PASSWORD"]))
    with tempfile.TemporaryDirectory(prefix="read-only-") as folder:
        Path(folder).chmod(0o755)  # else the user who runs the servers could not enter it
        server = prepare_postgres(Path(folder), durable=False)
        owner = {**postgres_variables(server), **owner_variables(server)}
        with server.running(), connect(owner, database="postgres") as asked:
            asked.execute(sql.SQL("CREATE DATABASE {}").format(name))
            asked.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
            if user != POSTGRES_OWNER:
                asked.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(user)))
            asked.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), password))
            yield server.port
