"""/metrics: permission to read it, and sums over several processes."""

import shutil
import socket
import time
from collections import defaultdict

import httpx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from exchange_site.metrics.workers import serve_metrics
from exchange_site.stack.processes import free_port, start
from tests.configure import configure
from tests.conftest import make_coin
from tests.owner import run_as_owner
from tests.processes import stopped, wait_for
from trading.models import Order
from trading.selectors.pools import sum_pools

pytestmark = pytest.mark.django_db(transaction=True)


def read(text):
    """Parse metrics into {("name", (("label", "value"), …)): value}."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class TestAccess:
    @pytest.fixture(autouse=True)
    def strict(self, settings):
        configure(settings, "METRICS", token="s3cret", networks=[])

    @pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", "Basic s3cret", "Bearer s3cret é"])
    def test_is_refused_without_the_token(self, client, header):
        answer = client.get("/metrics/", headers={"Authorization": header} if header else {})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")

    def test_is_allowed_with_the_token(self, client):
        answer = client.get("/metrics", headers={"Authorization": "Bearer s3cret"})
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain")

    def test_is_allowed_to_direct_callers_from_a_listed_network(self, client, settings):
        from ipaddress import ip_network

        configure(settings, "METRICS", networks=[ip_network("127.0.0.0/8")])
        assert client.get("/metrics/").status_code == 200
        assert client.get("/metrics/", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 403
        assert client.get("/metrics/", REMOTE_ADDR="192.0.2.1").status_code == 403

    def test_is_refused_with_an_empty_token_if_none_is_set(self, client, settings):
        configure(settings, "METRICS", token="")
        assert client.get("/metrics/", headers={"Authorization": "Bearer "}).status_code == 403


class TestDatabase:
    def found(self, client):
        return read(client.get("/metrics/").content.decode())

    def test_gauges_count_open_work(self, client, api, shopper, coin, settings):
        for total in ("12.00", "2.00", "3.00"):
            api("POST", "orders/", {"crypto": "ABAN", "total": total}, by=shopper)
        configure(settings, "RISK", max_orders=1)
        api("POST", "orders/", {"crypto": "ABAN", "total": "4.00"}, by=shopper)
        found = self.found(client)
        for state, count in (("pending", 1), ("aggregated", 2), ("held", 1), ("settling", 0)):
            assert found["exchange_orders", (("state", state),)] == count
        assert found["exchange_unsettled_usd", ()] == 21
        assert found["exchange_pool_usd", (("coin", "ABAN"),)] == 5
        assert found["exchange_jobs", (("queue", "settlement"), ("status", "todo"))] >= 1
        assert found["exchange_batches", (("state", "parked"),)] == 0
        assert found["exchange_findings", (("kind", "missing"),)] == 0
        assert found["exchange_database_up", ()] == 1

    def test_gauges_take_the_same_number_of_statements_for_few_and_many_orders(self, client, api, shopper, coin):
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        counts = []
        for _ in range(2):
            for total in ("12.00", "2.00"):
                api("POST", "orders/", {"crypto": "ABAN", "total": total}, by=shopper)
            with CaptureQueriesContext(connection) as captured:
                self.found(client)
            counts.append(len(captured))
        assert counts[0] == counts[1] <= 48

    def test_failure_is_a_metric_too(self, client, monkeypatch):
        from django.db import OperationalError

        def away():
            raise OperationalError

        monkeypatch.setattr("exchange_site.metrics.gauges.summarise_open_orders", away)
        assert self.found(client)["exchange_database_up", ()] == 0


@pytest.fixture
def busy(make_api_process, make_worker, simulator, make_shopper):
    """Start two API servers and a worker, settle five orders, and return the addresses of their metrics."""
    make_coin("ABAN", "4.00")
    simulator.set_prices(ABAN="4.00")
    port = free_port()
    apis = [make_api_process(WEB_WORKERS="2", METRICS_NETWORKS="127.0.0.1") for _ in range(2)]
    make_worker(EXCHANGE_URL=simulator.url, WORKER_METRICS_PORT=str(port), METRICS_NETWORKS="127.0.0.1")
    shopper = make_shopper()
    for number in range(5):
        body = {"crypto": "ABAN", "total": "12.00"}
        httpx.post(f"{apis[number % 2]}orders/", json=body, headers=shopper.headers).raise_for_status()
    for number in range(7):
        assert httpx.get(f"{apis[number % 2]}orders/", headers=shopper.headers).status_code == 200
    assert httpx.get(f"{apis[0]}orders/999/", headers=shopper.headers).status_code == 404
    wait_for(lambda: Order.objects.filter(state="completed").count() == 5, seconds=30)
    return [api.removesuffix("/api/v1/") for api in apis] + [f"http://127.0.0.1:{port}"]


ORDERS = {"operation": "/api/v1/orders/"}


def expected_of(total):
    """Check the sums over all processes, which `total(name, **labels)` returns."""
    requests = "exchange_http_request_duration_seconds_count"
    assert total(requests, method="POST", status="201", **ORDERS) == 5
    assert total(requests, method="GET", status="200", **ORDERS) == 7
    assert total(requests, method="GET", status="404", operation="/api/v1/orders/<int:order_id>/") == 1
    assert total("exchange_orders_placed_total", state="pending") == 5
    assert total("exchange_orders_closed_total", state="completed") == 5
    assert total("exchange_settlement_seconds_count") == 5
    assert total("exchange_venue_calls_total", call="buy", outcome="executed", venue="binance") >= 1


def test_the_counters_of_two_api_servers_and_a_worker_add_up(busy):
    sums = defaultdict(float)
    for base in busy:
        for (name, labels), value in read(httpx.get(f"{base}/metrics").text).items():
            sums[name, labels] += value

    def total(name, **labels):
        return sums[name, tuple(sorted(labels.items()))]

    expected_of(total)


@pytest.mark.skipif(not shutil.which("prometheus"), reason="no prometheus on this machine (Debian: prometheus)")
def test_a_real_prometheus_reads_the_same_sums(busy, tmp_path):
    port = free_port()
    targets = ", ".join(f"'{base.removeprefix('http://')}'" for base in busy)
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: exchange, metrics_path: /metrics, static_configs: [{{targets: [{targets}]}}]}}]\n"
    )
    command = [
        shutil.which("prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]

    def query(expression):
        found = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": expression})
        result = found.raise_for_status().json()["data"]["result"]
        return float(result[0]["value"][1]) if result else 0.0

    def total(name, **labels):
        chosen = ",".join(f'{key}="{value}"' for key, value in labels.items())
        return query(f"sum({name}{{{chosen}}})")

    with stopped(start(command)):
        wait_for(lambda: query('sum(up{job="exchange"})') == 3, seconds=30, ignoring=(httpx.HTTPError, KeyError))
        time.sleep(1.5)  # wait for another scrape of each process
        expected_of(total)
        assert query("max(exchange_unsettled_usd)") == 0


def test_a_silent_connection_does_not_block_other_scrapers(db):
    port = free_port()
    serve_metrics(port=port)
    with socket.create_connection(("127.0.0.1", port)):
        assert httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).is_success


def test_pools_are_summed_without_reading_old_orders(db, shopper, coin):
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO trading_order (customer_id, coin_id, amount, price, price_source, price_at, total_price,
                                          state, is_aggregated, created_at, cancelled_at)
               SELECT %s, %s, 3, 4, 'test', now(), 12, 'cancelled', false, now(), now() FROM generate_series(1, 3000)""",
            [shopper.user.pk, coin.pk],
        )
    run_as_owner("ANALYZE trading_order")
    with connection.cursor() as cursor:
        with CaptureQueriesContext(connection) as captured:
            sum_pools()
        cursor.execute("EXPLAIN " + captured.captured_queries[-1]["sql"])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "pooled_orders" in plan
