"""Calls of the API pass fewer middleware than pages, and get the same answers as if they passed all of it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from corsheaders.conf import conf
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpResponse

from exchange_site.middleware import api as way

pytestmark = pytest.mark.django_db

OURS = "https://shop.example"


@pytest.fixture(autouse=True)
def production(settings):
    settings.ALLOWED_HOSTS = [".exchange.example", "testserver"]
    settings.DEBUG = False
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    settings.SECURE_HSTS_SECONDS = 3600
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


@pytest.fixture
def both_ways(client, monkeypatch):
    """Return the answers to a request: the one of a call, and the one after all middleware for pages."""

    def ask(method, path, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        short = client.generic(method, path, headers=named)
        with monkeypatch.context() as patch:
            patch.setattr(way, "is_call", lambda _: False)
            return short, client.generic(method, path, headers=named)

    return ask


# What is new in each answer; a policy for pages; and a header that pages lack where ProblemAnswers has made the problem.
NOT_COMPARED = {"X-Request-ID", "RateLimit", "Content-Security-Policy", "X-Frame-Options"}


def described(answer):
    body = answer.getvalue().decode().replace(answer["X-Request-ID"], "…")
    return answer.status_code, {name: told for name, told in answer.items() if name not in NOT_COMPARED}, body


COINS = "/api/v1/exchanges/crypto-currencies/"


class TestAnswersOfCalls:
    @pytest.mark.parametrize(
        ("method", "path", "headers"),
        [
            ("GET", COINS, {}),
            ("GET", COINS, {"X_Forwarded_Proto": "https"}),
            ("GET", COINS, {"Origin": OURS}),
            ("GET", COINS, {"Origin": "https://elsewhere.example"}),
            ("GET", "/api/v1/orders/?limit=1", {}),
            ("GET", "/api/v1/transactions/", {"Accept": "image/png"}),
            ("GET", "/api/v1/nowhere/", {}),
            ("DELETE", COINS, {}),
            ("POST", "/api/v1/orders/", {"Origin": OURS}),
            ("OPTIONS", COINS, {"Origin": OURS, "Access_Control_Request_Method": "GET"}),
            ("OPTIONS", COINS, {"Access_Control_Request_Method": "GET"}),
            ("OPTIONS", COINS, {}),
            ("GET", COINS, {"Host": "elsewhere.example"}),
            ("GET", COINS, {"Host": "api.exchange.example:8000"}),
        ],
    )
    def test_are_those_of_all_middleware(self, both_ways, method, path, headers):
        short, long = both_ways(method, path, **headers)
        assert described(short) == described(long)
        assert (short["X-Content-Type-Options"], short["X-Frame-Options"]) == ("nosniff", "DENY")

    def test_lead_to_tls_where_that_is_wanted(self, both_ways, settings):
        settings.SECURE_SSL_REDIRECT = True
        short, long = both_ways("GET", COINS)
        assert described(short) == described(long)
        assert (short.status_code, short["Location"]) == (301, f"https://testserver{COINS}")
        secure, _ = both_ways("GET", COINS, X_Forwarded_Proto="https")
        assert secure["Strict-Transport-Security"].startswith("max-age=3600")

    def test_have_no_policy_for_pages(self, client):
        assert "Content-Security-Policy" not in client.get(COINS)
        assert "Content-Security-Policy" in client.get("/api/v1/swagger/")

    def test_set_no_cookie_whatever_cookie_comes(self, client):
        assert not client.get(COINS, headers={"Cookie": "csrftoken=<none>"}).cookies


class TestHosts:
    def test_are_refused_after_one_that_is_ours(self, client):
        hosts = (
            "api.exchange.example",
            "elsewhere.example",
            "api.exchange.example",
            "exchange.example.elsewhere.example",
        )
        assert [client.get(COINS, headers={"Host": host}).status_code for host in hosts] == [200, 400, 200, 400]

    def test_are_remembered_up_to_a_number(self, rf, monkeypatch):
        monkeypatch.setattr(way, "_MOST_HOSTS", 2)
        middleware = way.HostAndLength(lambda _: way.HttpResponse())
        for number in range(5):
            middleware(rf.get(COINS, headers={"Host": f"{number}.exchange.example"}))
        assert middleware._ours == {"0.exchange.example", "1.exchange.example"}


def test_pages_and_files_are_no_calls(rf):
    paths = ("/api/v1/orders/", "/api/v1/swagger/", "/api/v1/redoc/redoc.js/", "/", "/admin/", "/static/api/", "/apis/")
    assert [path for path in paths if way.is_call(rf.get(path))] == ["/api/v1/orders/"]


def test_the_regular_expression_of_origins_has_the_calls(rf):
    assert conf.CORS_URLS_REGEX == "^/api/"


class TestListsOfMiddleware:
    def test_may_be_made_by_threads_at_the_same_time(self, rf):
        """Each call reaches the end of its own list."""
        all_have_an_end = threading.Barrier(8, timeout=30)

        def make(number):
            with pytest.raises(MiddlewareNotUsed):
                way.PagesEnd(lambda _: HttpResponse(str(number)))
            all_have_an_end.wait()
            return way.PagesBegin(lambda _: HttpResponse("a page"))

        with ThreadPoolExecutor(8) as pool:
            lists = list(pool.map(make, range(8)))
        answers = [each(rf.get("/api/v1/orders/", headers={"Host": "testserver"})).content for each in lists]
        assert answers == [str(number).encode() for number in range(8)]
