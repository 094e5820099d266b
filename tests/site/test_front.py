"""The front of a real API process, spoken to over raw sockets: bodies, health checks, the queue, the end."""

import json
import re
import selectors
import signal
import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing, contextmanager
from itertools import cycle
from types import SimpleNamespace

import httpx
import pytest
from django.conf import settings
from django.test import Client

from exchange_site.front.arrivals import Arrival, is_order
from exchange_site.front.late import LateAnswers
from exchange_site.front.places import Places
from exchange_site.stack.processes import API, free_port, local_url, start, wait_for_answer
from tests.conftest import process_environment
from tests.patience import stretched
from tests.processes import stopped, wait_for
from tests.proxy import Proxy
from tests.site.test_deployment import NGINX, proxy
from trading.models import Order
from wallets.models import User

pytestmark = pytest.mark.django_db(transaction=True)


class Line:
    """A connection to the API, on which a test writes any bytes and reads answers."""

    def __init__(self, api, address="127.0.0.1"):
        url = httpx.URL(api)
        self.socket = socket.create_connection((url.host, url.port), timeout=30, source_address=(address, 0))
        self.file = self.socket.makefile("rb")

    def send(self, *lines, body=b""):
        head = "\r\n".join((lines[0], "Host: localhost", *lines[1:], "", ""))
        self.socket.sendall(head.encode() + body)
        return self

    def head(self):
        """Read the status and the headers of an answer; None if the connection was closed instead."""
        if not (line := self.file.readline()):
            return None
        headers = {}
        while header := self.file.readline().strip():
            name, _, value = header.decode().partition(":")
            headers.setdefault(name.lower(), []).append(value.strip())
        return int(line.split()[1]), {name: ", ".join(values) for name, values in headers.items()}

    def answer(self):
        """Read an answer: its status, its headers, its body; None if the connection was closed instead."""
        if not (head := self.head()):
            return None
        return *head, self.file.read(int(head[1].get("content-length", "0").partition(",")[0]))

    def code(self):
        """Read an answer that is a problem, and return its status and code."""
        status, headers, body = self.answer()
        assert headers["content-type"] == "application/problem+json"
        assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
        problem = json.loads(body)
        assert problem["status"] == status
        assert problem["request_id"] == headers["x-request-id"]
        return status, problem["code"]

    def field(self):
        """Read an answer that is a problem, and return the name of its first wrong field."""
        return json.loads(self.answer()[2])["errors"][0]["field"]

    def is_closed(self):
        return self.file.read(1) == b""

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture
def line():
    """Open connections to an API, which end with the test."""
    with ExitStack() as ending:
        yield lambda *where: ending.enter_context(closing(Line(*where)))


def as_json(shopper, *more):
    return (f"Authorization: {shopper.headers['Authorization']}", "Content-Type: application/json", *more)


ORDER = b'{"crypto": "ABAN", "amount": "3"}'
PLACE = "POST /api/v1/orders/ HTTP/1.1"


def place(line, api, shopper, *more, body=b""):
    """Begin to place an order."""
    return line(api).send(PLACE, *as_json(shopper, *more), body=body)


def chunked(body, *, size):
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


def wallet(api, shopper):
    return httpx.get(f"{api}accounts/wallet/", headers=shopper.headers, timeout=30).json()["balance"]


def slowest_wallet_read(api, shopper, *, count=60):
    """Return the seconds of the slowest of some reads, made from several addresses, which the proxy counts apart."""
    with ExitStack() as ending:
        transports = [httpx.HTTPTransport(local_address=f"127.0.1.{number}") for number in range(1, 11)]
        clients = [ending.enter_context(httpx.Client(transport=each, timeout=30)) for each in transports]
        seconds = []
        for client, _ in zip(cycle(clients), range(count), strict=False):
            begun = time.perf_counter()
            assert client.get(f"{api}accounts/wallet/", headers=shopper.headers).status_code == 200
            seconds.append(time.perf_counter() - begun)
    return max(seconds)


def is_alive(api):
    """Say whether the health check answers within a second."""
    answer = httpx.get(httpx.URL(api).copy_with(path="/health/"), timeout=1)
    return answer.json() == {"status": "ok"}


class TestUnfinishedBodies:
    """Half of a body arrives, and no more. The API has three threads."""

    def keep_nobody_waiting(self, api, shopper, begin):
        usual = slowest_wallet_read(api, shopper)
        begun = begin()
        assert slowest_wallet_read(api, shopper) < max(10 * usual, 1)
        assert is_alive(api)
        return begun

    def test_keep_nobody_waiting_if_there_are_six(self, make_api_process, line, shopper):
        api = make_api_process(WEB_THREADS="3", REQUEST_TIMEOUT_SECONDS="60")
        head = (PLACE, "Content-Type: application/json", "Content-Length: 40")
        self.keep_nobody_waiting(api, shopper, lambda: [line(api).send(*head, body=b'{"c') for _ in range(6)])

    @pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
    def test_keep_nobody_waiting_if_there_are_sixty_behind_nginx(self, make_api_process, line, shopper):
        api = make_api_process(WEB_THREADS="3", TRUSTED_PROXIES="127.0.0.1")
        head = (PLACE, "Content-Type: application/json", "Content-Length: 40")

        def begin():
            return [line(site, f"127.0.2.{number}").send(*head, body=b'{"c') for number in range(1, 61)]

        with proxy(f"127.0.0.1:{httpx.URL(api).port}") as client:
            site = f"{client.base_url}/api/v1/"
            self.keep_nobody_waiting(site, shopper, begin)

    def test_are_a_408_at_the_deadline(self, make_api_process, line, shopper, coin):
        """The deadline is for the whole body, so bytes that trickle in do not move it."""
        api = make_api_process(REQUEST_TIMEOUT_SECONDS="1")
        begun = time.monotonic()
        late = place(line, api, shopper, "Content-Length: 33", body=ORDER[:-1])
        trickling = place(line, api, shopper, "Transfer-Encoding: chunked")
        with trickle(trickling, ORDER):
            for each in (late, trickling):
                assert each.code() == (408, "request_timeout")
        assert time.monotonic() - begun >= 1
        assert late.is_closed()
        assert trickling.is_closed()
        assert wallet(api, shopper) == "100.00"
        assert not Order.objects.exists()
        counted = httpx.get(httpx.URL(api).copy_with(path="/metrics/"), timeout=30).text
        assert (
            'exchange_http_request_duration_seconds_count{method="POST",operation="/unknown",status="408"} 2.0'
            in counted
        )

    def test_of_callers_who_left_do_not_outlast_a_stop(self, transactional_db, line, shopper):
        port = free_port()
        environment = process_environment(PORT=str(port), WEB_WORKERS="1", REQUEST_TIMEOUT_SECONDS="60")
        with stopped(start(API, environment=environment)) as process:
            wait_for_answer(f"{local_url(port)}/health/", seconds=stretched(20), by=process)
            for length in ("Content-Length: 40", "Transfer-Encoding: chunked"):
                line(local_url(port)).send(PLACE, length, body=b"7\r\n").close()
            line(local_url(port)).send("GET /health/ HTTP/1.1").answer()
            process.send_signal(signal.SIGTERM)
            assert process.wait(9) == 0  # after ten seconds Granian kills

    def test_of_headers_end_at_the_deadline(self, make_api_process, line):
        api = make_api_process(REQUEST_TIMEOUT_SECONDS="1")
        begun, idle = line(api), line(api).send("GET /health/ HTTP/1.1")
        begun.socket.sendall(b"GET /health/ HTTP/1.1\r\nHost: localh")
        assert begun.answer() is None
        assert idle.answer()[0] == 200
        assert idle.is_closed()


@contextmanager
def trickle(line, body):
    """Send a body byte by byte, five a second, inside the `with` block."""
    ended = threading.Event()

    def send():
        for byte in body:
            if ended.wait(0.2):
                return
            try:
                line.socket.sendall(b"1\r\n%c\r\n" % byte)
            except OSError:
                return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class TestBodies:
    def test_in_chunks_are_read(self, make_api_process, line, shopper, coin):
        api = make_api_process()
        for number, size in enumerate((1, 7, 1000), start=1):
            body = chunked(ORDER, size=size) + b"0\r\n\r\n"
            caller = place(line, api, shopper, "Transfer-Encoding: chunked", body=body)
            status, _, answer = caller.answer()
            assert (status, json.loads(answer)["total_price"]) == (201, "12.00")
            caller.send("GET /api/v1/accounts/wallet/ HTTP/1.1", *as_json(shopper))
            assert json.loads(caller.answer()[2])["balance"] == f"{100 - 12 * number}.00"
        tiny = place(line, api, shopper, "Transfer-Encoding: chunked", body=b"1\r\n \r\n" * 65_536 + b"0\r\n\r\n")
        assert tiny.code() == (400, "malformed_json")

    def test_in_chunks_that_break_off_place_no_order(self, make_api_process, line, shopper, coin):
        """All bytes of the order are there, but the end is not."""
        api = make_api_process()
        for ending in (b"", b"0\r\n", b"5\r\nab"):
            body = chunked(ORDER, size=1000) + ending
            caller = place(line, api, shopper, "Transfer-Encoding: chunked", body=body)
            caller.socket.shutdown(socket.SHUT_WR)
            answer = caller.answer()
            assert answer is None or answer[0] == 400
        assert wallet(api, shopper) == "100.00"
        assert not Order.objects.exists()

    def test_above_the_limit_are_refused_and_end_the_connection(self, make_api_process, line):
        api = make_api_process()
        for path in ("/api/v1/orders/", "/admin/login/"):
            declared = line(api).send(f"POST {path} HTTP/1.1", "Content-Length: 65537", body=b"x" * 65_537)
            in_chunks = line(api).send(f"POST {path} HTTP/1.1", "Transfer-Encoding: chunked")
            in_chunks.socket.sendall(chunked(b"x" * 65_537, size=65_537))
            for caller in (declared, in_chunks):
                status, headers, answer = caller.answer()
                assert (status, json.loads(answer)["code"]) == (413, "body_too_large")
                assert json.loads(answer)["detail"] == "Bodies may have up to 65536 bytes."
                assert headers["connection"] == "close"
                assert caller.is_closed()
        huge = line(api).send("POST /admin/login/ HTTP/1.1", f"Content-Length: {30 * 1024**2}", "Expect: 100-continue")
        assert huge.code() == (413, "body_too_large")
        assert huge.is_closed()

    def test_above_the_limit_tell_pages_of_our_origins_so(self, make_api_process, line):
        """Without these headers a browser hides the answer: the page would see a broken connection."""
        api, ours = make_api_process(CORS_ALLOWED_ORIGINS="https://shop.example"), "https://shop.example"
        for origin, path, allowed in (
            (ours, "/api/v1/orders/", ours),
            ("https://elsewhere.example", "/api/v1/orders/", None),
            ("null", "/api/v1/orders/", None),
            (ours, "/admin/login/", None),
        ):
            caller = line(api).send(f"POST {path} HTTP/1.1", f"Origin: {origin}", "Content-Length: 65537")
            caller.socket.sendall(b"x" * 65_537)
            status, headers, _ = caller.answer()
            assert (status, headers.get("access-control-allow-origin")) == (413, allowed)
            assert ("x-request-id" in headers.get("access-control-expose-headers", "")) == (allowed is not None)
            assert headers.get("vary") == (allowed and "origin")

    def test_up_to_the_limit_are_read(self, make_api_process, line, shopper, coin):
        api = make_api_process()
        largest = place(line, api, shopper, "Content-Length: 65536", body=b" " * 65_536)
        assert largest.code() == (400, "malformed_json")
        waiting = place(line, api, shopper, "Content-Length: 33", "Expect: 100-continue")
        assert waiting.answer()[0] == 100
        waiting.socket.sendall(ORDER)
        assert waiting.answer()[0] == 201


@pytest.fixture
def make_staff():
    """Create members of staff, and return the header with the session of each."""

    def make(name, **powers):
        user = User.objects.create_user(name, password="a long password", **{"is_staff": True, **powers})
        browser = Client()
        browser.force_login(user)
        return f"Cookie: {settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"

    return make


class TestLargeForms:
    FORM = ("POST /admin/ HTTP/1.1", "Content-Length: 2000000")
    CHUNKED = ("POST /admin/ HTTP/1.1", "Transfer-Encoding: chunked")

    def begin(self, line, api, *more):
        """Begin a form, and wait until the API reads it."""
        caller = line(api).send(*self.FORM, *more, "Expect: 100-continue")
        assert caller.answer()[0] == 100
        return caller

    def test_of_strangers_are_refused_before_they_are_read_and_leave_room_for_staff(
        self, make_api_process, line, make_staff
    ):
        staff, customer = make_staff("chief"), make_staff("alice", is_staff=False)
        api = make_api_process(REQUEST_TIMEOUT_SECONDS="60")
        forged = f"Cookie: {settings.SESSION_COOKIE_NAME}={'x' * 32}"
        for more in ((), (forged,), (customer,), ("Cookie: a=b",)):
            strangers = [line(api).send(*self.FORM, *more, body=b"x") for _ in range(20)]
            for stranger in strangers:
                assert stranger.code() == (413, "body_too_large")
            in_chunks = line(api).send(*self.CHUNKED, *more, body=chunked(b"x" * 70_000, size=10_000))
            assert in_chunks.code() == (413, "body_too_large")
        form = self.begin(line, api, staff)
        form.socket.sendall(b"x" * 2_000_000)
        assert form.answer()[0] == 403  # of Django: the form has no token against forgery
        in_chunks = line(api).send(*self.CHUNKED, staff, body=chunked(b"x" * 70_000, size=10_000) + b"0\r\n\r\n")
        assert in_chunks.answer()[0] == 403
        too_large = line(api).send("POST /admin/ HTTP/1.1", "Content-Length: 2097153", staff)
        assert too_large.code() == (413, "body_too_large")

    def test_may_not_fill_the_memory(self, make_api_process, line, make_staff, shopper):
        """A member of staff sends four at once, and all together sixteen. Bodies of the API are not affected."""
        sessions = [make_staff(f"staff{number}") for number in range(5)]
        api = make_api_process(REQUEST_TIMEOUT_SECONDS="60")
        begun = [self.begin(line, api, session) for session in sessions[:4] for _ in range(4)]
        assert line(api).send(*self.FORM, sessions[0], body=b"x").code() == (429, "rate_limited")
        assert line(api).send(*self.FORM, sessions[4], body=b"x").code() == (503, "busy")
        small = line(api).send(PLACE, "Content-Type: application/json", "Content-Length: 2", body=b"{}")
        assert small.code()[0] == 401
        begun.pop(0).close()
        wait_for(
            lambda: line(api).send(*self.FORM, sessions[4], "Expect: 100-continue").socket.recv(12) == b"HTTP/1.1 100"
        )

    def test_of_a_session_that_has_ended_are_refused(self, make_api_process, line, make_staff):
        staff = make_staff("chief")
        User.objects.update(is_active=False)
        api = make_api_process()
        assert line(api).send(*self.FORM, staff, body=b"x").code() == (413, "body_too_large")


@pytest.fixture
def held_api(make_api_process):
    """An API of two threads and two places, and the line to its Postgres, which can be held."""
    line_to_postgres = Proxy(settings.DATABASES["default"]["PORT"])
    api = make_api_process(
        POSTGRES_HOST="127.0.0.1",
        POSTGRES_PORT=str(line_to_postgres.port),
        WEB_THREADS="2",
        WEB_ORDER_THREADS="2",
        WEB_QUEUE="2",
        WEB_QUEUE_SECONDS="1",
    )
    yield api, line_to_postgres
    line_to_postgres.close()


class TestWaitingForPostgres:
    def test_leaves_health_checks_unharmed_and_refuses_those_without_a_place(self, held_api, line, shopper):
        api, line_to_postgres = held_api
        read = ("GET /api/v1/accounts/wallet/ HTTP/1.1", *as_json(shopper))
        with line_to_postgres.held():
            busy = [line(api).send(*read) for _ in range(2)]
            time.sleep(0.5)  # until the threads have begun
            waiting = [line(api).send(*read) for _ in range(2)]
            time.sleep(0.2)  # until they have places
            # Another address gets the place of the newest one, and nobody loses the only place of an address.
            more = []
            for address in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
                more.append(line(api, address).send(*read))
                time.sleep(0.1)
            assert [each.code() for each in (more[0], waiting.pop())] == [(429, "rate_limited")] * 2
            assert more[2].code() == (503, "busy")
            line(api).send("GET /health/ready/ HTTP/1.1")
            assert is_alive(api)
        for each in (*busy, *waiting, more[1]):
            assert each.answer()[0] in {200, 503}
        assert wallet(api, shopper) == "100.00"

    def test_for_too_long_in_the_queue_is_a_503_and_nothing_happens(self, held_api, line, shopper, coin):
        api, line_to_postgres = held_api
        with line_to_postgres.held():
            busy = [place(line, api, shopper, "Content-Length: 33", body=ORDER) for _ in range(2)]
            time.sleep(0.5)  # until the threads have begun
            waiting = place(line, api, shopper, "Content-Length: 33", body=ORDER)
            time.sleep(2.1)
        for each in busy:
            each.answer()
        assert waiting.code() == (503, "busy")
        assert Order.objects.count() == 2

    @pytest.mark.parametrize("path", ["/api/v1/orders/", "/api/v1/orders"])
    def test_keeps_orders_and_reads_out_of_each_others_threads(self, held_api, line, shopper, coin, path):
        """Two orders take both threads of orders, two reads take both others, and all four wait for Postgres."""
        api, line_to_postgres = held_api
        read = ("GET /api/v1/accounts/wallet/ HTTP/1.1", *as_json(shopper))
        order = (f"POST {path} HTTP/1.1", *as_json(shopper, "Content-Length: 33"))
        with line_to_postgres.held():
            begun = [line(api).send(*order, body=ORDER) for _ in range(2)]
            begun += [line(api).send(*read) for _ in range(2)]
            time.sleep(1.3)  # longer than a request may wait for a thread
        assert [each.answer()[0] for each in begun] == [201, 201, 200, 200]


class Crowd:
    """Many connections that ask for a page without a pause, in one thread. Answers are noted as status and code."""

    def __init__(self, api, *, connections, headers=lambda _: (), addresses=("127.0.0.1",)):
        url, self.answers = httpx.URL(api), Counter()
        self._over, self._waiting = threading.Event(), selectors.DefaultSelector()
        for number in range(connections):
            address = addresses[number % len(addresses)]
            line = socket.create_connection((url.host, url.port), timeout=30, source_address=(address, 0))
            lines = ("GET /admin/login/ HTTP/1.1", "Host: localhost", *headers(number), "", "")
            self._waiting.register(line, selectors.EVENT_READ, "\r\n".join(lines).encode())
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        for key in self._waiting.get_map().values():
            key.fileobj.sendall(key.data)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        for key in list(self._waiting.get_map().values()):
            key.fileobj.close()
        self._waiting.close()

    def _run(self):
        while not self._over.is_set():
            for key, _ in self._waiting.select(0.2):
                answer = key.fileobj.recv(65_536)
                if answer.startswith(b"HTTP/1.1 "):
                    code = re.search(rb'"code": "(\w+)"', answer)
                    self.answers[int(answer[9:12]), code[1].decode() if code else ""] += 1
                    key.fileobj.sendall(key.data)


class TestManyRequestsForPages:
    """300 connections ask for the admin's sign-in page, each again as soon as it has an answer."""

    def test_of_one_address_are_refused_and_leave_places_to_others(self, make_api_process, shopper):
        api = make_api_process(WEB_THREADS="3")
        with Crowd(api, connections=300) as crowd:
            self.read_from_elsewhere(api, shopper, lambda number: {"local_address": f"127.0.3.{number}"})
            wait_for(lambda: crowd.answers[429, "rate_limited"])
        assert crowd.answers.keys() == {(200, ""), (429, "rate_limited")}

    def test_of_one_address_behind_a_proxy_are_refused_and_leave_places_to_others(self, make_api_process, shopper):
        api = make_api_process(WEB_THREADS="3", TRUSTED_PROXIES="127.0.0.1")
        with Crowd(api, connections=300, headers=lambda _: ("X-Forwarded-For: 198.18.0.1",)) as crowd:
            for number in range(10):
                headers = {**shopper.headers, "X-Forwarded-For": f"203.0.113.{number}"}
                assert httpx.get(f"{api}accounts/wallet/", headers=headers, timeout=30).status_code == 200
                page = httpx.URL(api).join("/admin/login/")
                assert httpx.get(page, headers=headers, timeout=30).status_code == 200
            wait_for(lambda: crowd.answers[429, "rate_limited"])
        assert crowd.answers.keys() == {(200, ""), (429, "rate_limited")}

    def test_of_one_network_of_ipv6_count_as_one_address(self, make_api_process, shopper):
        api = make_api_process(WEB_THREADS="3", TRUSTED_PROXIES="127.0.0.1")
        own = lambda number: (f"X-Forwarded-For: [2001:db8::{number:x}]:{5000 + number}",)  # noqa: E731
        with Crowd(api, connections=300, headers=own) as crowd:
            headers = {**shopper.headers, "X-Forwarded-For": "2001:db8:0:1::1"}
            page = httpx.URL(api).join("/admin/login/")
            wait_for(lambda: crowd.answers[429, "rate_limited"])
            assert httpx.get(page, headers=headers, timeout=30).status_code == 200
        assert crowd.answers.keys() == {(200, ""), (429, "rate_limited")}

    def test_of_many_addresses_are_busy_and_leave_the_api_to_others(self, make_api_process, shopper):
        api = make_api_process(WEB_THREADS="3")
        addresses = [f"127.0.4.{number}" for number in range(1, 151)]
        with Crowd(api, connections=300, addresses=addresses) as crowd:
            self.read_from_elsewhere(api, shopper, lambda number: {"local_address": f"127.0.3.{number}"})
            wait_for(lambda: crowd.answers[503, "busy"])
        assert crowd.answers.keys() <= {(200, ""), (429, "rate_limited"), (503, "busy")}

    def read_from_elsewhere(self, api, shopper, transport):
        for number in range(1, 11):
            with httpx.Client(transport=httpx.HTTPTransport(**transport(number)), timeout=30) as client:
                for _ in range(3):
                    assert client.get(f"{api}accounts/wallet/", headers=shopper.headers).status_code == 200
            assert is_alive(api)


def as_arrival(address):
    return Arrival(None, None, address)


class TestPlaces:
    def test_are_taken_in_turns_by_addresses(self):
        places = Places(10)
        a1, a2, a3, b1, c1 = (as_arrival(name) for name in "aaabc")
        for each in (a1, a2, a3, b1, c1):
            assert places.add(each) is None
        assert [places.take() for _ in range(5)] == [a1, b1, c1, a2, a3]
        assert places.taken == 0

    def test_go_to_whoever_has_fewer_when_all_are_taken(self):
        places = Places(3)
        a1, a2, a3, b1, c1, d1 = (as_arrival(name) for name in "aaabcd")
        assert [places.add(each) for each in (a1, a2, a3)] == [None] * 3
        assert places.add(as_arrival("a")).address == "a"
        assert places.add(b1) is a3
        assert places.add(c1) is a2
        assert places.add(d1) is d1
        assert not places.has("d")
        extra = as_arrival("a")
        assert places.add(extra) is extra
        assert places.has("a")
        assert [places.take() for _ in range(3)] == [a1, b1, c1]


class TestRefusals:
    def test_come_late_and_hold_no_thread(self, make_api_process, line, shopper):
        api = make_api_process(WEB_THREADS="2", RATE_LIMIT_ANON="1/h")
        read = ("GET /api/v1/exchanges/crypto-currencies/ HTTP/1.1",)
        assert line(api).send(*read).answer()[0] == 200
        refused = [line(api).send(*read) for _ in range(30)]
        begun = time.monotonic()
        assert wallet(api, shopper) == "100.00"
        for each in refused:
            assert each.code() == (429, "rate_limited")
        assert time.monotonic() - begun > 0.3
        # Whoever leaves while an answer is held does no harm.
        for _ in range(5):
            line(api).send(*read).close()
        time.sleep(0.7)
        assert wallet(api, shopper) == "100.00"

    def test_of_many_sign_ins_are_429_or_busy_and_leave_other_addresses_alone(self, make_api_process, line):
        """Some are refused for their address, and some without a try, while many of it are held."""
        api = make_api_process(RATE_LIMIT_LOGIN_ADDRESS="1/h")
        guess = b'{"username": "nobody", "password": "wrong-one"}'
        head = ("POST /api/v1/accounts/auth/login/ HTTP/1.1", "Content-Type: application/json")
        head = (*head, f"Content-Length: {len(guess)}")
        assert line(api).send(*head, body=guess).code() == (401, "invalid_credentials")
        refused = [line(api).send(*head, body=guess) for _ in range(60)]
        assert {each.code() for each in refused} <= {(429, "rate_limited"), (503, "busy")}
        wait_for(
            lambda: line(api, "127.0.0.2").send(*head, body=guess).code() == (401, "invalid_credentials"),
            ignoring=AssertionError,
        )


class TestLateAnswers:
    class Caller:
        method, path = "POST", "/api/v1/accounts/auth/login/"

        def __init__(self):
            self.answers = []

        def response_bytes(self, status, _headers, _body):
            self.answers.append(status)

    def test_of_an_address_are_enough_while_twenty_are_held(self):
        late, callers = LateAnswers(), [self.Caller() for _ in range(20)]
        assert not late.has_enough_of("a")
        for caller in callers:
            late.send(Arrival(caller, caller, "a"), 429, [], b"")
        assert late.has_enough_of("a")
        assert not late.has_enough_of("b")
        assert not any(caller.answers for caller in callers)
        wait_for(lambda: all(caller.answers == [429] for caller in callers))
        wait_for(lambda: not late.has_enough_of("a"))
        late.stop()

    def test_are_sent_when_the_process_ends(self):
        late, caller = LateAnswers(), self.Caller()
        late.send(Arrival(caller, caller, "a"), 503, [], b"")
        assert not caller.answers
        late.stop()
        assert caller.answers == [503]

    @pytest.mark.parametrize("method", ["post", "Post"])
    def test_are_refusals_whatever_the_case_of_the_method(self, method):
        """Django accepts any case, so a flood of `post` would get its refusals at once."""
        late, caller = LateAnswers(), self.Caller()
        caller.method = method
        late.send(Arrival(caller, caller, "a"), 503, [], b"")
        assert not caller.answers
        late.stop()
        assert caller.answers == [503]
        assert is_order(Arrival(SimpleNamespace(method=method, path="/api/v1/orders"), None))

    @pytest.mark.parametrize("status", [200, 401, 422])
    def test_are_refusals_of_floods_only(self, status):
        late, caller = LateAnswers(), self.Caller()
        late.send(Arrival(caller, caller, "a"), status, [], b"")
        assert caller.answers == [status]
        late.stop()


class TestStopping:
    def test_finishes_requests_under_way_and_gives_up_unfinished_bodies(self, transactional_db, line, shopper):
        line_to_postgres, port = Proxy(settings.DATABASES["default"]["PORT"]), free_port()
        environment = process_environment(
            PORT=str(port), POSTGRES_HOST="127.0.0.1", POSTGRES_PORT=str(line_to_postgres.port),
            WEB_WORKERS="1", REQUEST_TIMEOUT_SECONDS="60",
        )  # fmt: skip
        with closing(line_to_postgres), stopped(start(API, environment=environment)) as process:
            wait_for_answer(f"{local_url(port)}/health/", seconds=stretched(20), by=process)
            late = line(local_url(port)).send(PLACE, "Content-Length: 40", body=b"{")
            with line_to_postgres.held():
                read = line(local_url(port)).send("GET /api/v1/accounts/wallet/ HTTP/1.1", *as_json(shopper))
                time.sleep(0.5)  # until the thread has begun
                process.send_signal(signal.SIGTERM)
                time.sleep(0.5)
            assert read.answer()[0] == 200
            assert late.code() == (408, "request_timeout")
            assert process.wait(9) == 0  # after ten seconds Granian kills


class TestRequests:
    def test_reach_django_as_they_were_sent(self, make_api_process, line, shopper, coin):
        api = make_api_process()

        def ask(target, *headers, method="GET"):
            caller = line(api)
            raw = "\r\n".join((f"{method} {target} HTTP/1.1", "Host: localhost", *headers, "", ""))
            caller.socket.sendall(raw.encode("latin-1"))
            return caller

        assert json.loads(ask("/api/v1/exchanges/crypto-currencies/%41BAN").answer()[2])["name"] == "ABAN"
        for name in ("%FF", "%C3%A9", "%00"):
            assert ask(f"/api/v1/exchanges/crypto-currencies/{name}/").code() == (404, "unknown_crypto")
        assert ask("/api/v1/orders/?limit=x", *as_json(shopper)).code()[0] == 422
        # Some clients send other letters as they are. The field's name shows that the letter has arrived.
        odd = "colou\N{ARABIC-INDIC DIGIT ONE}r\xe9".encode().decode("latin-1")
        assert ask(f"/api/v1/orders/?limit=1&{odd}=1", *as_json(shopper)).field() == odd.encode("latin-1").decode()
        # A header that is there but not readable is not left out: without its key an order could be placed twice.
        key = ask("/api/v1/orders/", *as_json(shopper, "Idempotency-Key: \xe9", "Content-Length: 33"), method="POST")
        key.socket.sendall(ORDER)
        assert key.code() == (422, "validation_error")
        # Two keys are none: a proxy may have added one, and a repetition without it would be another order.
        for keys in (("a", "b"), ("a", "a"), ('"a"', '"a"')):
            given = [f"Idempotency-Key: {each}" for each in keys]
            two = ask("/api/v1/orders/", *as_json(shopper, *given, "Content-Length: 33"), method="POST")
            two.socket.sendall(ORDER)
            assert two.code() == (422, "validation_error")
        assert not Order.objects.exists()
        # A name with an underscore would pass for the name with a hyphen.
        assert ask("/health/", "X-Request-ID: mine").answer()[1]["x-request-id"] == "mine"
        assert ask("/health/", "X_Request_ID: forged").answer()[1]["x-request-id"] != "forged"
        assert ask("/health/", "X-Request-ID: a", "X-Request-ID: b").answer()[1]["x-request-id"] not in {"a", "b"}
        assert ask("/health/", f"X-Long: {'x' * 200_000}").answer()[0] == 431

    def test_with_head_get_no_body_not_even_a_long_one(self, make_api_process, line, shopper):
        """The answers follow each other on one connection, so that a body would be taken for the next answer."""
        caller = line(make_api_process())
        for path, accepted in (("wallet", "*/*"), ("nowhere", "*/*"), ("statements/2026-01", "text/csv")):
            for _ in range(2):
                caller.send(f"HEAD /api/v1/accounts/{path}/ HTTP/1.1", *as_json(shopper, f"Accept: {accepted}"))
                status, headers = caller.head()
                assert (status, "content-type" in headers) == (404 if path == "nowhere" else 200, True)
        assert caller.send("GET /health/ HTTP/1.1").answer()[2] == b'{"status": "ok"}'

    def test_that_come_together_are_answered_in_turn(self, make_api_process, line):
        api = make_api_process()
        caller = line(api)
        caller.socket.sendall(
            b"".join(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in (b"/x", b"/health/"))
        )
        assert caller.code() == (404, "not_found")
        assert caller.answer()[0] == 200

    def test_for_pages_and_files_get_whole_answers(self, make_api_process):
        User.objects.create_superuser("staff", password="a long password")
        site = httpx.URL(make_api_process()).copy_with(path="/")
        with httpx.Client(base_url=site, timeout=30) as client:
            file = client.get("/static/exchange_site/icon.svg")
            assert (file.status_code, int(file.headers["Content-Length"])) == (200, len(file.content))
            head = client.head("/static/exchange_site/icon.svg")
            assert (head.headers["Content-Length"], head.content) == (file.headers["Content-Length"], b"")
            since = {"If-Modified-Since": file.headers["Last-Modified"]}
            assert client.get("/static/exchange_site/icon.svg", headers=since).status_code == 304
            client.get("/admin/login/")
            form = {"username": "staff", "password": "a long password"}
            signed_in = client.post("/admin/login/", data={**form, "csrfmiddlewaretoken": client.cookies["csrftoken"]})
            assert signed_in.status_code == 302
            assert len(signed_in.headers.get_list("Set-Cookie")) == 2
            assert client.get("/admin/").status_code == 200

    def test_over_ipv6_come_from_their_address(self, transactional_db):
        """Metrics answer only callers of METRICS_NETWORKS."""
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("this machine has no IPv6")
        for networks, status in (("::1", 200), ("127.0.0.1", 403)):
            port = free_port()
            site = f"http://[::1]:{port}"
            environment = process_environment(
                PORT=str(port), BIND_ADDRESS="::1", METRICS_NETWORKS=networks, WEB_WORKERS="1"
            )
            with stopped(start(API, environment=environment)) as process:
                wait_for_answer(f"{site}/health/", seconds=stretched(20), by=process)
                assert httpx.get(f"{site}/metrics/", timeout=30).status_code == status
