"""A request's headers are read when somebody asks for them, and say what Django's own would."""

from io import BytesIO

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http.request import HttpHeaders

from exchange_site.handler import Request

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
