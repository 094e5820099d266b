"""Whether a purchase has left the machine: real connections to a server that misbehaves."""

import socket
import threading
from contextlib import contextmanager

import pytest

from settlement.venues.handover import hand_over, hold_back, watch_handover
from settlement.venues.profiles.words import Market
from settlement.venues.protocol import NotPlaced, Trouble, Unknown
from tests.configure import configure
from tests.settlement.conformance.harness import BUY
from tests.settlement.conftest import new_venue

MARKET = Market(
    coin="BTC", quote_asset="USDT", market_id="BTCUSDT", names=frozenset({"BTCUSDT"}), coin_id="BTC", quote_id="USDT"
)


@contextmanager
def server(answer):
    """A server that accepts one connection, and lets `answer` do something with it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            connection, _ = listening.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(5)


@pytest.fixture(autouse=True)
def _keys(settings):
    configure(settings, "VENUE", api_key="our-key", api_secret="our-secret")


def buy(monkeypatch):
    venue = new_venue()
    monkeypatch.setattr(venue, "_market_for", lambda _: MARKET)
    return venue.buy(purchase=BUY)


def test_nothing_has_left_if_nobody_listens(settings, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    configure(settings, "VENUE", url=f"http://127.0.0.1:{port}")
    assert buy(monkeypatch) == NotPlaced(reason="no connection", trouble=Trouble.COIN)


@pytest.mark.parametrize(
    "misbehave",
    [
        lambda connection: None,
        lambda connection: connection.recv(1),
        lambda connection: (connection.recv(65536), connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")),
        lambda connection: (connection.recv(65536), connection.sendall(b"nonsense\r\n\r\n")),
    ],
    ids=["closed at once", "closed on reading", "cut in the headers", "no HTTP"],
)
def test_something_may_have_left_once_a_connection_is_open(settings, monkeypatch, misbehave):
    with server(misbehave) as url:
        configure(settings, "VENUE", url=url)
        assert isinstance(buy(monkeypatch), Unknown)


@pytest.mark.parametrize(
    "changes",
    [
        {"api_key": ""},
        {"api_key": "a key\nwith a line"},
        {"api_secret": "-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIEIA==\\n-----END PRIVATE KEY-----"},
    ],
    ids=["no key", "a key of two lines", "PEM in one line"],
)
def test_nothing_has_left_if_the_request_cannot_be_made(settings, monkeypatch, changes):
    configure(settings, "VENUE", url="http://127.0.0.1:9", **changes)
    answer = buy(monkeypatch)
    assert isinstance(answer, NotPlaced)
    assert answer.trouble is Trouble.VENUE


def test_the_mark_is_of_the_innermost_request():
    with watch_handover() as outer:
        hand_over()
        with watch_handover() as inner:
            assert not inner.is_set
            hand_over()
            hold_back()
        assert (outer.is_set, inner.is_set) == (True, False)
    hand_over()  # nobody watches
