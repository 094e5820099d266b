"""Bodies of requests, sent over raw sockets to a real API process."""

import socket
from contextlib import closing, suppress
from http.client import HTTPResponse

import httpx
import pytest

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = 64 * 1024
CASH = b'{"amount": "1.00"}'
SMUGGLED = b"GET /health/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
WITHDRAW = "PATCH /api/v1/accounts/wallet/withdraw/ HTTP/1.1"


class Line:
    """A connection to an API process."""

    def __init__(self, api, shopper):
        url = httpx.URL(api)
        self._headers = ["Host: localhost", f"Authorization: {shopper.headers['Authorization']}"]
        self._socket = socket.create_connection((url.host, url.port), timeout=30)

    def send(self, first_line, *headers, body=b""):
        head = "\r\n".join([first_line, *self._headers, *headers, "", ""])
        self._socket.sendall(head.encode() + body)
        return self

    def answer(self):
        answer = HTTPResponse(self._socket)
        answer.begin()
        return answer.status, answer.getheader("Connection"), answer.read().decode()

    def answers_nothing_more(self):
        """Send a request on the same connection, and say whether the connection is closed instead of an answer."""
        try:
            self._socket.sendall(SMUGGLED)
            return self._socket.recv(1) == b""
        except ConnectionError:
            return True

    def close(self):
        self._socket.close()


def chunks(body, *, size):
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.fixture
def api_process(make_api_process):
    return make_api_process(WEB_THREADS="2")


def test_bodies_in_chunks_are_read_up_to_the_limit(api_process, shopper):
    with closing(Line(api_process, shopper)) as line:
        for number, (body, size) in enumerate(
            [(CASH, 1), (CASH, 7), (CASH.ljust(LIMIT), LIMIT), (CASH.ljust(LIMIT), 4000)]
        ):
            line.send(
                WITHDRAW, "Transfer-Encoding: chunked", "Content-Type: application/json", body=chunks(body, size=size)
            )
            status, connection, text = line.answer()
            assert (status, connection) == (200, None)
            assert f'"balance": "{99 - number}.00"' in text
        line.send(WITHDRAW, "Transfer-Encoding: chunked", body=chunks(b"{}", size=1))
        assert line.answer()[0] == 422
    with closing(Line(api_process, shopper)) as line:
        line.send(WITHDRAW, "Transfer-Encoding: chunked", body=chunks(CASH.ljust(LIMIT + 1), size=LIMIT + 1))
        status, connection, text = line.answer()
        assert (status, connection) == (413, "close")
        assert "body_too_large" in text
        assert line.answers_nothing_more()
    assert shopper.wallet.balance == 96


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_refused_body_closes_the_connection_and_says_so(api_process, shopper, is_chunked):
    too_large = b" " * (LIMIT + 1 - len(SMUGGLED)) + SMUGGLED
    for content_type, body, status, code in (
        ("application/json", b"{", 400, "malformed_json"),
        ("application/json", b"[]", 400, "malformed_json"),
        ("application/json", b'{"amount": NaN}', 400, "malformed_json"),
        ("application/json", b"\xff", 400, "malformed_json"),
        ("application/json;a*=x'y'z", b"{", 400, "malformed_json"),
        ("text/plain", CASH, 415, "unsupported_media_type"),
        ("application/x-www-form-urlencoded", b"amount=1.00", 415, "unsupported_media_type"),
        ("application/json", too_large, 413, "body_too_large"),
    ):
        length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(body)}"
        sent = chunks(body, size=max(len(body), 1)) if is_chunked else body
        with closing(Line(api_process, shopper)) as line:
            line.send(WITHDRAW, length, f"Content-Type: {content_type}", body=sent)
            answered, connection, text = line.answer()
            assert (answered, connection) == (status, "close")
            assert code in text
            assert line.answers_nothing_more()
    assert shopper.wallet.balance == 100


def test_the_rest_of_a_body_is_no_request(api_process, shopper):
    shopper.headers = {"Authorization": "Bearer none"}
    with closing(Line(api_process, shopper)) as line:
        line.send(WITHDRAW, f"Content-Length: {len(SMUGGLED)}", body=SMUGGLED)
        assert line.answer()[0] == 401
        with suppress(ConnectionError):  # the server may also close the connection, instead of reading the body
            assert line.send("GET /api/v1/accounts/wallet/ HTTP/1.1").answer()[0] == 401  # of this request
    with closing(Line(api_process, shopper)) as line:
        line.send("POST /admin/login/ HTTP/1.1", f"Content-Length: {30 * 1024**2}", body=SMUGGLED)
        status, connection, _ = line.answer()
        assert (status, connection) == (413, "close")
        assert line.answers_nothing_more()
