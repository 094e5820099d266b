"""The table of calls that public clients make in `task conformance`, made by a plain HTTP client."""

import pytest

from exchange_site.simulator import DEFAULT_API_KEY, DEFAULT_API_SECRET
from tests.conformance_clients.__main__ import main
from tests.conformance_clients.clients import CLIENTS
from tests.conformance_clients.plain import make_call
from tests.conformance_clients.table import CALLS, MISSING, Script, find
from tests.simulators import running_simulator

ADDRESSES = ("http://", "https://", '"resolved"')


@pytest.fixture
def venue(tmp_path):
    with running_simulator(tmp_path, "--spread", "0") as running:
        yield running.url


class TestTheTable:
    def test_has_60_calls_each_with_its_source(self):
        assert len(CALLS) == 60
        assert len({call["name"] for call in CALLS}) == 60
        assert all(call["source"] for call in CALLS)

    def test_is_answered_as_the_documentation_says(self, venue):
        script = Script(venue=venue)
        for call in CALLS:
            answer = make_call(venue, script.prepare(call), key=DEFAULT_API_KEY, secret=DEFAULT_API_SECRET)
            assert script.judge(call, answer) == [], call["name"]

    def test_notices_each_kind_of_difference(self, venue):
        script = Script(venue=venue)
        call = {"expect": {"status": 200, "is": {"a.0": 1}, "count": {"a": 2}, "has": ["b"], "lacks": ["a"]}}
        assert len(script.judge(call, {"status": 200, "body": {"a": [2]}})) == 4
        assert script.judge(call, {"status": 500, "body": {}}) == ["status 500, not 200: {}"]
        refused = {"expect": {"status": 400, "code": -1121, "msg": "Invalid symbol."}}
        assert len(script.judge(refused, {"status": 400, "body": {"code": -1, "msg": "No."}, "code": -1})) == 3

    def test_finds_parts_of_an_answer(self):
        body = {"balances": [{"asset": "BNB", "free": "1"}, {"asset": "USDT", "free": "2"}]}
        assert find(body, "balances.asset=USDT.free") == "2"
        assert find(body, "balances.0.asset") == "BNB"
        assert find(body, "balances.7.asset") is MISSING
        assert find(body, "") is body


class TestTheClients:
    @pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.folder)
    def test_are_pinned_with_hashes_and_name_no_registry(self, client):
        pinned = client.source / ("requirements.txt" if client.language == "python" else "package-lock.json")
        text = pinned.read_text()
        assert "sha256:" in text or "sha512-" in text
        assert not any(word in text for word in ADDRESSES)

    def test_that_cannot_be_tried_are_named_and_fail_the_command(self, monkeypatch, capsys):
        monkeypatch.setattr("tests.conformance_clients.clients.shutil.which", lambda name: None)
        assert main(["ccxt_js"]) == 1
        assert "ccxt for JavaScript" in (said := capsys.readouterr().out)
        assert "skipped: this machine has no node and npm" in said

    def test_are_the_only_ones_that_can_be_named(self, capsys):
        assert main(["another"]) == 1
        assert "There is no such client." in capsys.readouterr().out
