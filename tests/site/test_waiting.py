"""`GET orders/{id}/?wait=20` at a real API: it waits without a thread, and is checked again when it ends."""

import json
import logging
import select
import signal
import time
from concurrent.futures import Future
from contextlib import ExitStack, closing
from decimal import Decimal
from types import SimpleNamespace

import httpx
import pytest
from django.db import connection
from django.utils import timezone

from exchange_site.front.arrivals import Arrival
from exchange_site.front.refusals import record_gone
from exchange_site.front.waiting import _MOST, _MOST_OF_ONE, Waiting
from exchange_site.stack.processes import API, free_port, local_url, start, wait_for_answer
from tests.conftest import process_environment
from tests.parking import close_parked
from tests.processes import stopped, wait_for
from tests.site.test_front import Line
from trading.models import Order
from trading.services.asked_orders import OrderRequest
from trading.services.cancelling import cancel_order
from trading.services.placing import place_order
from wallets.services.tokens import end_session, start_token_family
from wallets.web.problems import NO_ROOM, TOO_MANY_AT_ONCE
from wallets.web.waiting_answers import WaitingAnswer, Watched

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 2


def place(shopper, amount="1"):
    order_request = OrderRequest(coin_name="ABAN", amount=Decimal(amount), total=None)
    return place_order(buyer=shopper.principal, order_request=order_request, now=timezone.now()).order


@pytest.fixture
def line():
    with ExitStack() as ending:
        yield lambda *where: ending.enter_context(closing(Line(*where)))


@pytest.fixture
def ask(line):
    """Begin to wait for an order, on a connection of its own."""

    def begin(api, shopper, order, *, seconds=20):
        target = f"GET /api/v1/orders/{order.pk}/?wait={seconds} HTTP/1.1"
        return line(api).send(target, f"Authorization: {shopper.headers['Authorization']}", "X-Request-ID: wait-1")

    return begin


def state(answer):
    status, _, body = answer
    return status, json.loads(body).get("state")


def calls_left(api, shopper):
    return limit_in(httpx.get(f"{api}accounts/wallet/", headers=shopper.headers).headers["RateLimit"])["r"]


def limit_in(header):
    """Read what a header says about the calls that remain (r) and the seconds until the window resets (t)."""
    return {name: int(value) for name, value in (part.split("=") for part in header.split(";")[1:])}


def connections_of_the_api():
    close_parked()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone()[0]


class TestWaiting:
    def test_ends_when_the_state_changes_in_another_process(self, make_api_process, ask, shopper, coin):
        api, order = make_api_process(), place(shopper)
        waiting = ask(api, shopper, order)
        begun = time.monotonic()
        time.sleep(0.7)
        cancel_order(customer=shopper.principal, order_id=order.pk)
        assert state(waiting.answer()) == (200, "cancelled")
        assert 0.7 <= time.monotonic() - begun < 18

    def test_ends_with_the_order_as_it_is_when_the_time_is_over(self, make_api_process, ask, shopper, coin):
        api, order = make_api_process(), place(shopper)
        begun = time.monotonic()
        assert state(ask(api, shopper, order, seconds=1).answer()) == (200, "aggregated")
        assert time.monotonic() - begun >= 1

    def test_is_not_needed_for_an_order_that_has_ended(self, make_api_process, ask, shopper, coin):
        api, order = make_api_process(), place(shopper)
        cancel_order(customer=shopper.principal, order_id=order.pk)
        begun = time.monotonic()
        assert state(ask(api, shopper, order).answer()) == (200, "cancelled")
        assert time.monotonic() - begun < 18

    def test_occupies_no_thread_and_no_connection(self, make_api_process, ask, make_shopper, shopper, coin):
        api = make_api_process(WEB_THREADS=str(THREADS))
        waiting = []
        for each in (make_shopper() for _ in range(5)):
            order = place(each)
            waiting += [(ask(api, each, order), each, order) for _ in range(4)]
        time.sleep(0.5)
        for _ in range(10):
            assert httpx.get(f"{api}accounts/wallet/", headers=shopper.headers, timeout=30).status_code == 200
        # A thread keeps one each, and one is for all who wait.
        assert connections_of_the_api() <= THREADS + 1
        for order, each in {order.pk: each for _, each, order in waiting}.items():
            cancel_order(customer=each.principal, order_id=order)
        assert [state(each.answer()) for each, _, _ in waiting] == [(200, "cancelled")] * 20

    def test_counts_as_one_call(self, make_api_process, ask, shopper, coin):
        api, order = make_api_process(), place(shopper)
        before = calls_left(api, shopper)
        status, headers, _ = ask(api, shopper, order, seconds=1).answer()
        assert (status, headers["x-request-id"]) == (200, "wait-1")
        assert f"r={before - 1};" in headers["ratelimit"]
        assert calls_left(api, shopper) == before - 2

    def test_says_how_long_its_window_lasts_at_the_end(self, make_api_process, ask, shopper, coin):
        # A day, so that the window surely lasts longer than the wait, but for three seconds of it.
        api, order = make_api_process(RATE_LIMIT_USER="1000/d"), place(shopper)
        before = limit_in(httpx.get(f"{api}accounts/wallet/", headers=shopper.headers).headers["RateLimit"])["t"]
        _, headers, _ = ask(api, shopper, order, seconds=3).answer()
        assert limit_in(headers["ratelimit"])["t"] <= before - 3 or before <= 3

    def test_ends_with_a_401_if_the_token_is_revoked_meanwhile(self, make_api_process, ask, shopper, coin):
        api, order = make_api_process(), place(shopper)
        waiting = ask(api, shopper, order, seconds=2)
        time.sleep(0.5)
        end_session(family_id=shopper.family_id, user_id=shopper.user.pk, now=timezone.now())
        status, headers, body = waiting.answer()
        assert (status, json.loads(body)["code"]) == (401, "token_invalid")
        assert headers["ratelimit"].startswith('"anonymous";')

    def test_counts_for_nobody_whose_token_is_revoked_meanwhile(self, make_api_process, ask, shopper, coin):
        api, order = make_api_process(), place(shopper)
        before = calls_left(api, shopper)
        waiting = ask(api, shopper, order, seconds=2)
        time.sleep(0.5)
        end_session(family_id=shopper.family_id, user_id=shopper.user.pk, now=timezone.now())
        assert waiting.answer()[0] == 401
        shopper.tokens = start_token_family(user=shopper.user, now=timezone.now())
        shopper.headers = {"Authorization": f"Bearer {shopper.tokens.access}"}
        assert calls_left(api, shopper) == before - 1

    def test_is_counted_once_also_if_its_caller_leaves(self, make_api_process, ask, shopper, coin):
        api, order = make_api_process(), place(shopper)
        page = api.replace("api/v1/", "metrics")
        counted = 'exchange_http_request_duration_seconds_count{method="GET",operation="/api/v1/orders/<int:order_id>/"'

        def statuses():
            lines = [line for line in httpx.get(page).text.splitlines() if line.startswith(counted)]
            return {line.split('status="')[1].replace('"}', "") for line in lines}

        ask(api, shopper, order, seconds=1).answer()
        wait_for(lambda: statuses() == {"200 1.0"})
        ask(api, shopper, order).close()
        wait_for(lambda: statuses() == {"200 1.0", "499 1.0"})

    def test_is_for_owners_only(self, make_api_process, ask, shopper, make_shopper, coin):
        api, order = make_api_process(), place(shopper)
        begun = time.monotonic()
        status, _, body = ask(api, make_shopper(), order).answer()
        assert (status, json.loads(body)["code"]) == (404, "not_found")
        assert time.monotonic() - begun < 18

    @pytest.mark.parametrize("seconds", ["21", "-1", "x", "1.5", ""])
    def test_for_other_times_is_refused(self, api, shopper, coin, seconds):
        answer = api("GET", f"orders/{place(shopper).pk}/?wait={seconds}", by=shopper)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "wait")

    def test_is_left_out_by_head_which_would_not_show_the_state(self, make_api_process, ask, line, shopper, coin):
        api, order = make_api_process(), place(shopper)
        waiting = [ask(api, shopper, order).socket for _ in range(9)]
        assert wait_for(lambda: select.select(waiting, [], [], 0)[0])  # one is refused: no place is left
        target = f"HEAD /api/v1/orders/{order.pk}/?wait=20 HTTP/1.1"
        status, _ = line(api).send(target, f"Authorization: {shopper.headers['Authorization']}").head()
        assert status == 200

    def test_is_left_out_by_a_server_that_cannot_let_requests_wait(self, api, shopper, coin):
        assert api("GET", f"orders/{place(shopper).pk}/?wait=20", by=shopper).json()["state"] == "aggregated"


class TestManyWhoWait:
    def test_of_one_customer_are_refused_beyond_eight_and_leave_others_alone(
        self, make_api_process, ask, shopper, make_shopper, coin
    ):
        api, order = make_api_process(), place(shopper)
        waiting = [ask(api, shopper, order) for _ in range(9)]
        # Whichever comes last: a busy machine takes connections up in another order.
        [late] = wait_for(lambda: select.select([each.socket for each in waiting], [], [], 0)[0])
        [refused] = [each.answer() for each in waiting if each.socket is late]
        waiting = [each for each in waiting if each.socket is not late]
        assert refused[0] == 429
        assert (refused[1]["retry-after"], json.loads(refused[2])["code"]) == ("1", "rate_limited")
        other = make_shopper()
        theirs = place(other)
        assert state(ask(api, other, theirs, seconds=1).answer()) == (200, "aggregated")
        cancel_order(customer=shopper.principal, order_id=order.pk)
        assert [state(each.answer()) for each in waiting] == [(200, "cancelled")] * 8

    def test_are_forgotten_when_they_leave(self, make_api_process, ask, shopper, coin):
        api, order = make_api_process(), place(shopper)
        for each in [ask(api, shopper, order) for _ in range(8)]:
            time.sleep(0.05)
            each.close()

        def waits():
            return state(ask(api, shopper, order, seconds=1).answer()) == (200, "aggregated")

        assert wait_for(waits, seconds=10)


class TestStopping:
    def test_ends_all_waiting_at_once_with_answers(self, transactional_db, ask, shopper, coin):
        order, port = place(shopper), free_port()
        environment = process_environment(PORT=str(port), WEB_WORKERS="1")
        with stopped(start(API, environment=environment)) as process:
            wait_for_answer(f"{local_url(port)}/health/", seconds=120, by=process)
            waiting = [ask(local_url(port), shopper, order) for _ in range(5)]
            time.sleep(0.7)
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert [state(each.answer()) for each in waiting] == [(200, "aggregated")] * 5
            assert process.wait(9) == 0  # after ten seconds Granian kills
            assert time.monotonic() - begun < 8
        assert Order.objects.get().state == "aggregated"


def come(waiting, *, read=lambda _: {1: "pending"}, seconds=20, address="127.0.0.1", customer=1):
    """Let a request come that wants to wait. Return it, and who is refused instead of waiting."""
    gone = Future()
    scope, proto = SimpleNamespace(method="GET", path="/"), SimpleNamespace(client_disconnect=lambda: gone)
    arrival = Arrival(scope, proto, address, is_page=False)
    watched = Watched(read=read, key=1, seen="pending", seconds=seconds, customer_id=customer)
    answer = WaitingAnswer(watched, usages=[])
    answer["X-Request-ID"] = "wait-1"
    return arrival, waiting.keep(arrival, answer)


class TestThePlacesOfThoseWhoWait:
    @pytest.fixture
    def resumed(self):
        return []

    @pytest.fixture
    def waiting(self, resumed):
        waiting = Waiting(resume=resumed.append, lose=record_gone)
        yield waiting
        waiting.stop()

    @staticmethod
    def fill(waiting, *addresses):
        """Let many customers come, until no place is free: the addresses take turns."""
        return [
            come(waiting, address=addresses[number % len(addresses)], customer=number // _MOST_OF_ONE)[0]
            for number in range(_MOST)
        ]

    def test_are_taken_from_an_address_that_has_most_for_one_that_has_fewer(self, waiting, resumed):
        of_one = self.fill(waiting, "10.0.0.1")
        for number in range(1, _MOST // 2 + 1):
            _, refusal = come(waiting, address="10.0.0.2", customer=1000 + number)
            assert refusal == (of_one[-number], TOO_MANY_AT_ONCE)
        late, refusal = come(waiting, address="10.0.0.2", customer=2000)
        assert refusal == (late, TOO_MANY_AT_ONCE)
        waiting.stop()
        assert len(resumed) == _MOST
        assert {id(each) for each in resumed}.isdisjoint(id(each) for each in of_one[_MOST // 2 :])

    def test_are_refused_to_an_address_that_has_as_many_as_any(self, waiting, resumed):
        self.fill(waiting, "10.0.0.1")
        late, refusal = come(waiting, address="10.0.0.1", customer=1000)
        assert refusal == (late, TOO_MANY_AT_ONCE)
        assert resumed == []

    def test_are_never_an_addresss_only_one(self, waiting, resumed):
        self.fill(waiting, *(f"10.0.0.{number}" for number in range(_MOST)))
        late, refusal = come(waiting, address="10.0.1.1", customer=1000)
        assert refusal == (late, NO_ROOM)
        assert resumed == []


class TestTheThreadOfThoseWhoWait:
    """What cannot be made to happen in a process of its own: the records change as the test says."""

    @pytest.fixture
    def resumed(self):
        return []

    @pytest.fixture
    def waiting(self, resumed):
        def note(arrival):
            resumed.append(arrival)
            if arrival.address == "crashes":
                raise SystemExit("no such header")

        waiting = Waiting(resume=note, lose=record_gone)
        yield waiting
        waiting.stop()

    @staticmethod
    def keep(waiting, *, read, seconds=20, address="127.0.0.1"):
        arrival, refusal = come(waiting, read=read, seconds=seconds, address=address)
        assert refusal is None
        return arrival

    def test_goes_on_after_a_request_that_it_could_not_hand_on(self, waiting, resumed, caplog):
        crashed = self.keep(waiting, read=lambda _: {1: "settling"}, address="crashes")
        wait_for(lambda: resumed == [crashed])
        other = self.keep(waiting, read=lambda _: {1: "settling"})
        wait_for(lambda: resumed == [crashed, other])
        assert "GET / was not answered" in caplog.text

    def test_logs_a_request_whose_caller_leaves(self, waiting, resumed, caplog):
        caplog.set_level(logging.INFO, logger="exchange_site.access")
        left = self.keep(waiting, read=lambda _: {1: "pending"})
        left.proto.client_disconnect().set_result(None)
        assert [record.getMessage() for record in caplog.records] == ["GET /unknown 499"]
        other = self.keep(waiting, read=lambda _: {1: "settling"})
        wait_for(lambda: resumed == [other])
        assert len(caplog.records) == 1

    def test_ends_a_wait_in_time_while_no_record_can_be_read_and_logs_that_once(self, waiting, resumed, caplog):
        def read(_):
            raise ConnectionError

        arrival = self.keep(waiting, read=read, seconds=1)
        wait_for(lambda: resumed == [arrival])
        assert caplog.text.count("were not read") == 1

    def test_keeps_nobody_who_comes_when_the_process_is_ending(self, waiting, resumed):
        def read(_):
            return {1: "pending"}

        before = self.keep(waiting, read=read)
        waiting.hurry()
        after = self.keep(waiting, read=read)
        waiting.stop()
        late = self.keep(waiting, read=read)
        assert {id(each) for each in resumed} == {id(before), id(after), id(late)}
