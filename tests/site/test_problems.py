"""The pages about problems, and the id of the request in each problem."""

import json
import re

import pytest
from django.test import Client

from exchange_site.api.problems import ALL_KINDS
from exchange_site.problems.pages import entries
from exchange_site.problems.words import WORDS
from tests.site.test_openapi import OPERATIONS
from wallets.web import problems
from wallets.web.problems import PROBLEM_PAGES, ProblemKind, example_problem

CODES = sorted({kind.code for kind in ALL_KINDS})
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def text_of(answer):
    return re.sub(r"<[^>]*>|\s+", " ", answer.content.decode())


class TestEveryCode:
    def test_has_words_and_no_words_are_left_over(self):
        assert sorted(WORDS) == CODES

    def test_of_the_server_itself_is_among_them(self):
        """The front and the proxy answer with these, without an error of the domain."""
        own = [kind for kind in vars(problems).values() if isinstance(kind, ProblemKind)]
        assert {kind.code for kind in own} <= set(CODES)
        assert {problems.TOO_MANY_AT_ONCE, problems.TOO_MANY_WAIT, problems.NO_ROOM} <= set(ALL_KINDS)

    @pytest.mark.parametrize("code", CODES)
    def test_is_explained_in_whole_sentences(self, code):
        words = WORDS[code]
        for text in (words.meaning, *words.advice):
            assert re.match(r"[A-Z0-9]|otp\b|detail\b|unavailable_reason\b", text), text
            assert text.endswith((".", "}")), text
            assert "  " not in text, text
        assert words.advice

    @pytest.mark.parametrize("slash", ["/", ""])
    @pytest.mark.parametrize("code", CODES)
    def test_has_a_page_with_everything_about_it(self, client, code, slash):
        answer = client.get(f"{PROBLEM_PAGES}{code}{slash}")
        assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
        page = answer.content.decode()
        for kind in (kind for kind in ALL_KINDS if kind.code == code):
            assert f"HTTP/1.1 {kind.status} " in page
            assert f"&quot;request_id&quot;: &quot;{example_problem(kind)['request_id']}&quot;" in page
        assert "Does it help to send the same request again?" in page

    def test_links_to_the_operations_that_can_answer_so(self, client):
        page = client.get("/problems/insufficient_funds/").content.decode()
        linked = set(re.findall(r'"/api/v1/swagger/#/(\w+)/(\w+)"', page))
        assert linked == {("orders", "placeOrder"), ("accounts", "withdraw"), ("accounts", "requestPayout")}

    def test_that_the_document_names_leads_to_operations(self):
        named = {
            code
            for operation in OPERATIONS.values()
            for answer in operation["responses"].values()
            for code in answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
        }
        assert named == {code for code, entry in entries().items() if entry.operations}


class TestPages:
    def test_are_listed(self, client):
        for path in ("/problems/", "/problems"):
            page = client.get(path).content.decode()
            assert re.findall(r'href="/problems/(\w+)/"', page) == list(entries())

    @pytest.mark.parametrize("path", ["/problems/", "/problems/busy/"])
    def test_are_cached_and_need_no_sign_in_no_cookie_and_no_script(self, client, path):
        answer = client.get(path)
        assert set(answer["Cache-Control"].split(", ")) == {"max-age=3600", "public"}
        assert not answer.cookies
        assert b"<script" not in answer.content
        assert b'<a href="/guide/">' in answer.content
        head = client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert client.post(path).status_code == 405

    @pytest.mark.parametrize("path", ["/", "/problems/", "/guide/", "/api/v1/swagger/", "/api/v1/openapi.json"])
    def test_and_others_take_no_forms(self, path):
        """Django looks for a token against forged forms first, but not in the client of other tests."""
        answer = Client(enforce_csrf_checks=True).post(path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert answer["Allow"] == "GET, HEAD"

    def test_are_not_for_forms_of_the_admin_without_a_token(self):
        answer = Client(enforce_csrf_checks=True).post("/admin/login/")
        assert (answer.status_code, answer["Content-Type"]) == (403, "text/html; charset=utf-8")

    def test_about_an_unknown_code_are_a_page_for_people(self, client):
        answer = client.get("/problems/no_such_code/", headers={"Accept": BROWSER})
        assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")
        assert "There is no such code" in text_of(answer)
        assert "no_such_code" not in text_of(answer)

    @pytest.mark.parametrize("accept", ["", "*/*", "application/json", "text/html;a*=x'y'z"])
    def test_about_an_unknown_code_are_a_problem_for_programs(self, client, accept):
        answer = client.get("/problems/no_such_code/", headers={"Accept": accept} if accept else {})
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"

    def test_are_what_type_leads_to(self, client):
        problem = client.get("/api/v1/orders/").json()
        page = client.get(problem["type"])
        assert page.status_code == 200
        assert problem["title"] in text_of(page)


@pytest.mark.django_db
class TestTheIdOfTheRequest:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("get", "/api/v1/orders/"),  # an operation
            ("get", "/api/v1/orders/?limit=x"),  # Ninja's validation
            ("get", "/nowhere/"),  # no path
            ("put", "/api/v1/orders/"),  # no such method
            ("get", "/api/v1/?" + "x" * 10_000),  # a middleware
            ("get", "/metrics/"),  # an internal path
        ],
    )
    def test_is_in_every_problem(self, client, method, path, shopper, settings):
        headers = {**(shopper.headers if "limit" in path else {}), "X-Request-ID": "support-7"}
        answer = getattr(client, method)(path, headers=headers, REMOTE_ADDR="203.0.113.9")
        assert answer.status_code >= 400
        assert answer.json()["request_id"] == answer["X-Request-ID"] == "support-7"

    def test_is_a_new_one_if_the_caller_sends_none_that_is_plain(self, client):
        answer = client.get("/nowhere/", headers={"X-Request-ID": '"}, <b>'})
        assert re.fullmatch("[0-9a-f]{32}", answer.json()["request_id"])
        assert answer.json()["request_id"] == answer["X-Request-ID"]

    def test_is_in_the_answer_to_a_host_that_is_refused_before_the_api_is_asked(self, client, settings):
        settings.ALLOWED_HOSTS = ["exchange.example"]
        settings.DEBUG = False
        middleware = "django.middleware.security.SecurityMiddleware"
        assert settings.MIDDLEWARE.index(middleware) < settings.MIDDLEWARE.index(
            "exchange_site.middleware.problems.ProblemAnswers"
        )
        settings.SECURE_SSL_REDIRECT = True
        answer = client.get("/api/v1/orders/", headers={"Host": "elsewhere.example"})
        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer["X-Request-ID"]

    def test_is_not_the_one_of_the_example(self, client):
        given = json.loads(client.get("/nowhere/").content)["request_id"]
        assert given != example_problem(problems.NOT_FOUND)["request_id"]
