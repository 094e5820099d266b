"""A request's headers are read when somebody asks for them, and say what Django's own would."""

from io import BytesIO

import pytest
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.dispatch import Signal
from django.http import Http404
from django.http.request import HttpHeaders
from django.urls import resolve

from exchange_site import handler as handlers
from exchange_site.handler import Handler, Request

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/",
    "wsgi.input": BytesIO(),
    "HTTP_X_REQUEST_ID": "abc",
    "HTTP_AUTHORIZATION": "Bearer t",
    "CONTENT_TYPE": "application/json",
    "CONTENT_LENGTH": "2",
    "SERVER_NAME": "test",
}


@pytest.fixture
def headers():
    return Request(dict(ENVIRON)).headers


@pytest.mark.parametrize(
    "name",
    ["X-Request-ID", "x-request-id", "X_REQUEST_ID", "Content-Type", "content-length", "Server-Name", "Origin", ""],
)
def test_each_header_is_found_as_by_django(headers, name):
    django = WSGIRequest(dict(ENVIRON)).headers
    assert headers.get(name) == django.get(name)
    assert headers.get(name, "none") == django.get(name, "none")
    assert (name in headers) == (name in django)


def test_a_missing_header_is_an_error(headers):
    with pytest.raises(KeyError):
        headers["Origin"]


def test_all_of_them_are_djangos(headers):
    assert dict(headers) == dict(HttpHeaders(ENVIRON))
    assert len(headers) == 4


class TestPaths:
    @pytest.fixture
    def handler(self):
        return Handler()

    def test_without_parameters_are_looked_up_once(self, handler, rf, monkeypatch):
        path = "/api/v1/accounts/wallet/"
        first = handler.resolve_request(rf.get(path))
        monkeypatch.setattr(BaseHandler, "resolve_request", None)
        request = rf.get(path)
        assert handler.resolve_request(request) is request.resolver_match is first
        assert (first.func, first.route) == (resolve(path).func, "api/v1/accounts/wallet/")

    @pytest.mark.parametrize("path", ["/api/v1/orders/5/", "/problems/busy/", "/admin/nothing/here/"])
    def test_with_parameters_are_not_kept(self, handler, rf, path):
        found = handler.resolve_request(rf.get(path))
        assert found.kwargs
        assert handler._without_parameters == {}

    def test_that_are_unknown_are_not_kept(self, handler, rf):
        with pytest.raises(Http404):
            handler.resolve_request(rf.get("/api/v1/nowhere/"))
        assert handler._without_parameters == {}


class TestBeginAndEndOfARequest:
    def test_run_only_what_looks_after_the_connection(self, settings, monkeypatch):
        settings.DEBUG = False
        signals = [copied(signal) for signal in (request_started, request_finished)]
        for name, signal in zip(("request_started", "request_finished"), signals, strict=True):
            monkeypatch.setattr(handlers, name, signal)
        handlers.forget_idle_receivers()
        assert [receivers(signal) for signal in signals] == [[close_old_connections], [close_old_connections]]


def copied(signal):
    copy = Signal()
    for receiver in receivers(signal):
        copy.connect(receiver)
    return copy


def receivers(signal):
    return [each for each in signal._live_receivers(None)[0] if each.__module__.startswith("django.")]
