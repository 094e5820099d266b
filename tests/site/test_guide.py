"""The guide for client developers: each request in it is sent, and each answer compared."""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import make_coin
from tests.processes import PROJECT
from tests.settlement.test_jobs import run_jobs

GUIDE = (Path(PROJECT) / "docs/guide.md").read_text()
ANYTHING = "…"
PARTS = re.compile(r"```http\n(.*?)\n```|<!-- (.*?) -->", re.DOTALL)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")

pytestmark = pytest.mark.django_db(transaction=True)


class Reader:
    """Does what the guide says, as its reader would: with the tokens and ids that the answers brought."""

    def __init__(self, client):
        self._client = client
        self._tokens = {}
        self._ids = {}  # (which kind, the guide's id) → the real one
        self.requests = 0

    def send(self, text):
        head, _, body = text.partition("\n\n")
        first, *headers = head.splitlines()
        method, path = first.split()
        path = re.sub(r"(?<=/orders/)\d+", lambda found: str(self._ids["order", int(found[0])]), path)
        sent = dict(line.split(": ", 1) for line in headers)
        if "access" in self._tokens:
            sent["Authorization"] = f"Bearer {self._tokens['access']}"
        body = body.replace("<refresh>", self._tokens.get("refresh", ""))
        content = {} if method == "GET" else {"data": body, "content_type": "application/json"}
        self.requests += 1
        return getattr(self._client, method.lower())(path, headers=sent, **content)

    def compare(self, text, answer):
        head, _, body = text.partition("\n\n")
        first, *headers = head.splitlines()
        assert (first.split()[1], answer.content) == (str(answer.status_code), answer.content)
        for line in headers:
            name, value = line.split(": ", 1)
            assert matches(value, answer.headers[name]), (line, answer.headers[name])
        assert bool(body) == bool(answer.content)
        if body:
            kind = "transaction" if "transactions" in answer.request["PATH_INFO"] else "order"
            self._compare(json.loads(body), answer.json(), at="", kind=kind)

    def _compare(self, shown, real, *, at, kind):
        name = at.rpartition(".")[2]
        if isinstance(shown, dict):
            assert shown.keys() == real.keys(), at
            for key, value in shown.items():
                self._compare(value, real[key], at=f"{at}.{key}", kind=kind)
        elif isinstance(shown, list):
            assert len(shown) == len(real), at
            for one, other in zip(shown, real, strict=True):
                self._compare(one, other, at=at, kind=kind)
        elif name in {"id", "order_id"} and shown is not None:
            which = "order" if name == "order_id" else kind
            assert isinstance(real, int)
            assert self._ids.setdefault((which, shown), real) == real, at
        elif isinstance(shown, str) and TIME.fullmatch(shown):
            assert TIME.fullmatch(real), at
        elif shown == "<token>":
            assert TOKEN.fullmatch(real), at
            self._tokens[name] = real
        else:
            assert type(shown) is type(real), at
            assert matches(shown, real) if isinstance(shown, str) else shown == real, (at, real)


def matches(shown, real):
    return re.fullmatch(".*".join(map(re.escape, shown.split(ANYTHING))), real) is not None


def test_every_request_is_answered_as_shown(client, settings, simulator):
    settings.RATE_LIMIT_USER, settings.RATE_LIMIT_LOGIN = "1000/h", "5/m"
    make_coin("ABAN", "4.00")
    simulator.set_prices(ABAN="4.00")
    reader, answer = Reader(client), None
    for block, event in PARTS.findall(GUIDE):
        if event == "settled":
            run_jobs()
            run_jobs()  # the claim has enqueued the purchase
        elif event == "five wrong passwords":
            for _ in range(5):
                reader.send('POST /api/v1/accounts/auth/login/\n\n{"username": "alice", "password": "wrong-one"}')
        elif block.startswith("HTTP/"):
            reader.compare(block, answer)
        else:
            answer = reader.send(block)
    assert reader.requests > 20
