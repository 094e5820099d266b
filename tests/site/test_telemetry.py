"""The error tracker and the traces: one trace from a request to the venue, and nothing personal in either."""

import ast
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, nullcontext
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace
from unittest.mock import Mock

import httpx
import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from procrastinate.contrib.django.models import ProcrastinateJob
from pydantic import ValidationError

from exchange_site.configuration import Configuration, reporting
from exchange_site.stack.processes import API, PROJECT, WORKER, free_port, local_url, start, wait_for_answer
from exchange_site.telemetry import facts
from exchange_site.telemetry.requests import RequestSpan
from exchange_site.version import VERSION
from tests.conftest import make_coin, process_environment
from tests.processes import stopped, wait_for
from tests.receivers import receiving
from tests.secrecy import secrets_in
from trading.models import Order
from wallets.runtime import tracing
from wallets.runtime.jobs import defer_job
from wallets.web.waiting_answers import WaitingAnswer, Watched

ROOMS = ("exchange_site", "settlement", "trading", "wallets")
IBAN = "DE89370400440532013000"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiIsIm4iOjF9.dGhpcy1pcy1hLXNpZ25hdHVyZQ"


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


def run_python(code, *, logs=subprocess.PIPE, **environment):
    """Run code in a process of the project whose Django is set up, and return what it prints.

    Its lines are read from standard input: since Python 3.13 a traceback has the lines of an argument `-c` too, and an
    error brings its lines of code along.
    """
    begun = "import django; django.setup()\nfrom exchange_site import telemetry\n"
    given = process_environment(DJANGO_SETTINGS_MODULE="exchange_site.settings", **environment)
    done = subprocess.run(
        [sys.executable, "-c", "import sys; exec(sys.stdin.read())"],
        input=begun + code,
        cwd=PROJECT,
        env=given,
        stdout=subprocess.PIPE,
        stderr=logs,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.django_db(transaction=True)
class TestTrace:
    @pytest.fixture
    def told(self, receiver, simulator):
        """What a receiver was sent about a customer whose order has been settled: its spans and all its text."""
        make_coin("ABAN", "4.00")
        simulator.set_prices(ABAN="4.00")
        port = free_port()
        environment = process_environment(
            PORT=str(port),
            WEB_WORKERS="1",
            EXCHANGE_URL=simulator.url,
            SENTRY_DSN=receiver.dsn,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_EXPORTER_OTLP_HEADERS="x-api-key=of-the-collector",
        )
        with ExitStack() as stack:
            for command in (API, WORKER):
                stack.enter_context(stopped(start(command, environment=environment)))
            self.buy(f"{local_url(port)}/api/v1/")
        return receiver

    def buy(self, url):
        wait_for_answer(f"{url}exchanges/crypto-currencies/", seconds=60)
        person = {"username": "alice.smith", "password": "correct horse battery", "email": "alice@example.org"}
        with httpx.Client(base_url=url, timeout=20) as client:
            tokens = client.post("accounts/auth/register/", json=person).json()
            client.headers["Authorization"] = f"Bearer {tokens['access']}"
            client.patch("accounts/wallet/deposit/", json={"amount": "87.65"})
            order = {"crypto": "ABAN", "total": "43.21"}
            given = {
                "Idempotency-Key": "my-key",
                "X-Request-ID": "alice.smith",
                "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
            }
            assert client.post("orders/", json=order, headers=given).status_code == 201
            assert client.get("orders/?private=alice").status_code == 422
        self.secrets = [tokens["access"], tokens["refresh"], *person.values(), "my-key", "87.65", "43.21", "private"]
        wait_for(lambda: Order.objects.filter(state="completed").exists(), seconds=40)

    def test_goes_from_the_request_over_its_jobs_to_the_venue(self, told):
        spans = told.spans()
        by_id = {span["id"]: span for span in spans}
        [request] = [span for span in spans if span["name"] == "POST /api/v1/orders/"]
        [purchase] = [span for span in spans if span["name"].endswith(" buy")]
        path = [purchase]
        while path[-1]["parent"]:
            path.append(by_id[path[-1]["parent"]])
        assert [span["name"] for span in path[1:]] == [
            "settlement.settle_batch",
            "enqueue settlement.settle_batch",
            "settlement.claim_waiting_orders",
            "enqueue settlement.claim_waiting_orders",
            "POST /api/v1/orders/",
        ]
        assert path[-1] is request
        assert {span["trace"] for span in path} == {request["trace"]} != {"a" * 32}
        order = Order.objects.get()
        assert request["facts"] == {
            "http.request.method": "POST",
            "http.route": "/api/v1/orders/",
            "http.response.status_code": 201,
            "order_id": order.pk,
        }
        assert purchase["facts"] == {"call": "buy", "venue": "binance", "outcome": "executed"}
        assert path[1]["facts"]["batch_id"] == order.batch_id
        assert purchase["resource"] == {"service.name": "crypto-exchange", "service.version": VERSION}
        self.ensure_nothing_personal_left(told)

    def ensure_nothing_personal_left(self, told):
        written = told.text()
        assert "of-the-collector" in written
        assert [secret for secret in self.secrets if secret in written] == []
        assert secrets_in(written) == set()
        assert "127.0.0.1" not in "".join(str(span) for span in told.spans())
        named = {name for span in told.spans() for name in span["facts"]}
        assert named <= {*facts.NAMES.values(), "error.type"}
        assert not [span for span in told.spans() if "health" in span["name"] or "metrics" in span["name"]]

    def test_is_in_the_jobs_lock_and_not_in_its_arguments(self, coin, shopper, api, receiver, monkeypatch):
        """A worker of the release before calls the task with the arguments alone."""
        from opentelemetry.sdk.trace import TracerProvider

        from exchange_site.telemetry.traces import OpenTelemetryTracer

        monkeypatch.setattr(tracing._Held, "tracer", OpenTelemetryTracer(TracerProvider()))
        with tracing.span("request", method="POST") as span:
            for _ in range(2):
                assert api("POST", "orders/", {"crypto": "ABAN", "total": "20"}, by=shopper).status_code == 201
            defer_job(task="settlement.settle_batch", queue="settlement", batch_id=1)
        jobs = list(ProcrastinateJob.objects.order_by("id"))
        assert [job.args for job in jobs] == [{"coin_id": coin.pk}, {"coin_id": coin.pk}, {"batch_id": 1}]
        assert {job.lock.split("-")[0] for job in jobs} == {"trace:00"}
        assert {job.lock.split("-")[1] for job in jobs} == {span.trace_id}
        assert len({job.lock for job in jobs}) == 3  # equal locks would make one job wait for the other

    def test_leaves_the_jobs_lock_empty_where_nothing_is_traced(self, coin, shopper, api):
        assert api("POST", "orders/", {"crypto": "ABAN", "total": "20"}, by=shopper).status_code == 201
        defer_job(task="settlement.settle_batch", queue="settlement", batch_id=1)
        assert [job.lock for job in ProcrastinateJob.objects.all()] == [None, None]

    def test_keeps_no_process_from_ending_while_the_collector_is_silent(self, transactional_db):
        port = free_port()
        with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
            environment = process_environment(
                PORT=str(port),
                WEB_WORKERS="1",
                OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}",
            )
            with stopped(start(API, environment=environment)) as process:
                wait_for_answer(f"{local_url(port)}/health/", seconds=60, by=process)
                for _ in range(20):
                    assert httpx.get(f"{local_url(port)}/api/v1/exchanges/crypto-currencies/").status_code == 200
                begun = time.monotonic()
                process.terminate()
                process.wait(timeout=30)
        assert time.monotonic() - begun < 15


class TestRequest:
    def test_that_waits_says_so_instead_of_a_status(self, monkeypatch):
        watched = Watched(read=dict, key=1, seen="pending", seconds=20, customer_id=1)
        noted = self.note(WaitingAnswer(watched, usages=[]), monkeypatch)
        assert (noted["outcome"], "status" in noted) == ("waits", False)

    def test_that_is_answered_says_its_status(self, monkeypatch):
        noted = self.note(HttpResponse(status=409), monkeypatch)
        assert (noted["status"], "outcome" in noted) == (409, False)

    def note(self, response, monkeypatch):
        """Return the facts that the span of a request with this answer has."""
        span = Mock(trace_id="a" * 32)
        tracer = SimpleNamespace(begin=lambda *_, **__: nullcontext(span))
        monkeypatch.setattr(tracing._Held, "tracer", tracer)
        RequestSpan(lambda request: response)(RequestFactory().get("/api/v1/orders/1/"))
        return span.note.call_args.kwargs


@pytest.mark.django_db(transaction=True)
class TestError:
    CODE = f"""
import logging
from django.db import IntegrityError, transaction
from wallets.models import User
from wallets.runtime.log_context import log_context
telemetry.begin()
password = "correct horse battery"
with log_context(request_id="0f8fad5bd9cb469fa16570867728950e", order_id=7, customer_id=4711, name="alice"):
    try:
        User.objects.create_user("alice.smith")
        User.objects.create_user("alice.smith")
    except IntegrityError as error:
        try:
            raise ValueError("the account {IBAN} of alice, {TOKEN}") from error
        except ValueError:
            logging.getLogger("wallets.made_up").exception("payout %s to %s failed", 12, "{IBAN}")
    logging.getLogger("library").error("a request with {TOKEN}")
    logging.getLogger("wallets.made_up").warning("no error")
"""

    @pytest.fixture
    def told(self, receiver):
        # Its log shows the secrets, which is what it is about.
        run_python(self.CODE, logs=subprocess.DEVNULL, SENTRY_DSN=receiver.dsn, SENTRY_ENVIRONMENT="staging")
        return receiver

    def test_arrives_with_its_type_its_code_and_the_ids(self, told):
        ours, other = told.events()
        assert ours["logentry"] == {"message": "payout %s to %s failed"}
        types = [each["type"] for each in ours["exception"]["values"]]
        assert types[-1] == "ValueError"
        assert {"UniqueViolation", "IntegrityError"} <= set(types)
        frames = ours["exception"]["values"][0]["stacktrace"]["frames"]
        assert any(frame["function"] == "_execute" and frame["context_line"].strip() for frame in frames)
        assert ours["tags"] == {"request_id": "0f8fad5bd9cb469fa16570867728950e", "order_id": "7"}
        assert (ours["level"], ours["logger"], ours["environment"]) == ("error", "wallets.made_up", "staging")
        assert ours["release"] == f"crypto-exchange@{VERSION}"
        assert other["logentry"] == {"message": "an error of library"}

    def test_brings_no_value_along(self, told):
        allowed = {"event_id", "timestamp", "level", "platform", "logger", "release", "environment", "logentry"}
        for event in told.events():
            assert event.keys() <= allowed | {"exception", "tags", "contexts"}
            for each in event.get("exception", {}).get("values", []):
                assert each.keys() == {"type", "module", "mechanism", "stacktrace"}
                assert not [frame for frame in each["stacktrace"]["frames"] if "vars" in frame or "abs_path" in frame]
        written = told.text()
        assert secrets_in(written) == set()
        assert [word for word in ("alice", "4711", "correct horse", IBAN, TOKEN) if word in written] == []

    def test_of_a_request_brings_no_body_and_no_header(self, receiver, make_shopper):
        """The answer of a crashed operation: Django's test client would raise, so a real server is asked."""
        shopper = make_shopper("100.00")
        port = free_port()
        environment = process_environment(PORT=str(port), WEB_WORKERS="1", SENTRY_DSN=receiver.dsn, REDIS_PORT="1")
        with stopped(start(API, environment=environment)) as process:
            wait_for_answer(f"{local_url(port)}/health/", seconds=60, by=process)
            headers = {**shopper.headers, "X-Request-ID": "secret-of-alice"}
            broken = {"username": "alice.smith", "password": "\ud800".encode("utf-16", "surrogatepass").hex()}
            httpx.post(f"{local_url(port)}/api/v1/accounts/auth/login/", json=broken, headers=headers)
        written = receiver.text()
        assert shopper.tokens.access not in written
        assert "alice" not in written


class TestProcess:
    def test_imports_neither_package_where_nothing_is_configured(self, db):
        ours = ("sentry_sdk", "opentelemetry.exporter", "opentelemetry.sdk.trace", "exchange_site.telemetry.")
        code = (  # redis-py imports other parts of OpenTelemetry where it finds them
            "telemetry.begin()\nimport sys, exchange_site.wsgi\nimport settlement.tasks\n"
            f"print([name for name in sys.modules if name.startswith({ours})])"
        )
        assert run_python(code).strip() == "[]"

    def test_has_no_middleware_of_traces_where_nothing_is_configured(self, settings):
        assert not [name for name in settings.MIDDLEWARE if "telemetry" in name]

    @pytest.mark.parametrize(
        ("variable", "value", "package"),
        [
            ("SENTRY_DSN", "https://key@errors.example.org/1", "sentry-sdk"),
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "https://collector.example.org:4318",
                "opentelemetry-exporter-otlp-proto-http",
            ),
        ],
    )
    def test_does_not_start_without_the_package_that_a_variable_needs(self, variable, value, package, monkeypatch):
        def missing(name):
            raise PackageNotFoundError(name)

        assert Configuration.read({variable: value})
        monkeypatch.setattr(reporting, "distribution", missing)
        with pytest.raises(ValidationError, match=f"{variable} needs the package {package}: install requirements-obs"):
            Configuration.read({variable: value})
        assert Configuration.read({variable: ""})


class TestFacts:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("customer_id", 7),
            ("username", "alice"),
            ("request_id", "alice.smith"),
            ("request_id", 7),
            ("order_id", IBAN),
            ("order_id", Order),
            ("venue", "two words"),
            ("route", "x" * 101),
            ("outcome", "alice@example.org"),
            ("batch_id", 1 << 63),
        ],
    )
    def test_stay_here_unless_they_are_listed_and_have_their_form(self, name, value):
        assert list(facts.keep_listed({name: value})) == []

    def test_leave_if_they_are_listed(self):
        given = {"order_id": 7, "venue": "binance", "request_id": "0f8fad5b-d9cb-469f-a165-70867728950e"}
        assert dict(facts.keep_listed(given)) == given


class TestLogMessages:
    def test_are_constants_in_the_code(self):
        """An event carries a line's message as it stands in the code, so no value may be formatted into it."""
        modules = [path for room in ROOMS for path in (PROJECT / room).rglob("*.py")]
        calls = [(path, node) for path in modules for node in ast.walk(ast.parse(path.read_text())) if logs(node)]
        assert len(calls) > 30
        assert [f"{path}:{node.lineno}" for path, node in calls if not isinstance(node.args[0], ast.Constant)] == []


def logs(node):
    """Say whether a node calls a logger, at a level of which the error tracker is told."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"error", "exception", "critical"}
        and "log" in ast.unparse(node.func.value)
    )
