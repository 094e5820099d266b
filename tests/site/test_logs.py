"""Logs in production: JSON lines with ids and without secrets."""

import json
import os
import secrets
import subprocess
import sys

import httpx
import pytest

from exchange_site.stack.processes import API, PROJECT, WORKER, free_port, start
from tests.conftest import make_coin, process_environment
from tests.processes import stopped, wait_for
from trading.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def production():
    return process_environment(
        DEBUG="False",
        HOUSE_LOSS_PER_DAY="500.00",
        SECRET_KEY=secrets.token_urlsafe(50),
        JWT_SECRET_KEY=secrets.token_urlsafe(50),
        ENCRYPTION_KEYS=secrets.token_urlsafe(50),
        POSTGRES_PASSWORD=os.environ.get("POSTGRES_PASSWORD") or "trust",
        SELF_SERVICE_DEPOSITS="True",
        ALLOWED_HOSTS="127.0.0.1",
        LOGLEVEL="INFO",
        WEB_WORKERS="1",
    )


def lines(log):
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def test_production_logs_json_with_ids_and_no_secret(production, simulator, tmp_path):
    make_coin("ABAN", "4.00")
    simulator.set_prices(ABAN="4.00")
    port = free_port()
    api_log, worker_log = tmp_path / "api.log", tmp_path / "worker.log"
    environment = {**production, "PORT": str(port), "EXCHANGE_URL": simulator.url}
    base = f"http://127.0.0.1:{port}"
    # The header that the proxy sends for a customer on TLS; without it, the request is redirected.
    client = httpx.Client(base_url=f"{base}/api/v1/", headers={"X-Forwarded-Proto": "https"}, timeout=20)
    with (
        stopped(start(API, environment=environment, output=api_log)),
        stopped(start(WORKER, environment=environment, output=worker_log)),
        client,
    ):
        wait_for(lambda: httpx.get(f"{base}/health/").is_success, seconds=20, ignoring=httpx.HTTPError)
        tokens = client.post(
            "accounts/auth/register/", json={"username": "alice", "password": "correct horse battery"}
        ).json()
        client.post("accounts/auth/login/", json={"username": "alice", "password": "wrong staple"})
        client.headers["Authorization"] = f"Bearer {tokens['access']}"
        client.patch("accounts/wallet/deposit/", json={"amount": "50"})
        placed = client.post(
            "orders/",
            json={"crypto": "ABAN", "amount": "3"},
            headers={"X-Request-ID": "mine-1", "Idempotency-Key": "my-key"},
        )
        assert placed.headers["X-Request-ID"] == "mine-1"
        unusable = client.get("orders/?cursor=private", headers={"X-Request-ID": "two words"})
        assert len(unusable.headers["X-Request-ID"]) == 32
        wait_for(lambda: Order.objects.filter(state="completed").exists(), seconds=30)
        assert httpx.get(f"{base}/api/v1/orders/").status_code == 301  # plain HTTP is redirected
        assert httpx.get(f"{base}/health/ready/").status_code == 200
    order = Order.objects.get()
    [line] = [line for line in lines(api_log) if line.get("request_id") == "mine-1"]
    assert (line["message"], line["status"], line["order_id"]) == ("POST /api/v1/orders/ 201", 201, order.pk)
    assert (line["customer_id"], line["level"]) == (order.customer_id, "INFO")
    assert {order.batch_id} == {line["batch_id"] for line in lines(worker_log) if "batch_id" in line}
    written = api_log.read_text() + worker_log.read_text()
    for secret in (
        "correct horse",
        "wrong staple",
        tokens["access"],
        tokens["refresh"],
        "my-key",
        "private",
        "simulator-secret",
        production["SECRET_KEY"],
        production["JWT_SECRET_KEY"],
        production["ENCRYPTION_KEYS"],
    ):
        assert secret not in written


def test_debug_logs_hold_no_signed_url_and_no_key_of_the_venue(production):
    """At DEBUG, ccxt writes headers with the key and urllib3 writes signed URLs."""
    question = (
        "import logging; from django.conf import settings; from logging.config import dictConfig;"
        "dictConfig(settings.LOGGING);"
        "print(*(logging.getLogger(name).isEnabledFor(logging.DEBUG)"
        " for name in ('settlement', 'ccxt.base.exchange', 'urllib3.connectionpool')))"
    )
    environment = {**production, "LOGLEVEL": "debug", "DJANGO_SETTINGS_MODULE": "exchange_site.settings"}
    command = [sys.executable, "-c", question]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "False"]
