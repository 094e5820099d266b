"""docs/guide.md: each of its requests is sent to a real API with a real worker, and each answer is compared."""

import argparse
import json
import re
import shlex
from decimal import Decimal
from string import Template

import httpx
import pytest
from django.utils import timezone

from exchange_site.configuration import VARIABLES
from exchange_site.stack.processes import PROJECT
from tests.processes import wait_for
from trading.services.coins import put_on_sale
from trading.services.prices import record_price

GUIDE = (PROJECT / "docs/guide.md").read_text()
STEP = re.compile(r"^```sh\n(.*?)\n```$(?:\nAnswer: ([^\n]*))?(?:\n```json\n(.*?)\n```$)?", re.DOTALL | re.MULTILINE)
LOOP = re.compile(r"for \w+ in ([\d ]+); do (.*); done")
IN_WORK = {"pending", "settling"}

# Values that differ each time, and the pattern of each; "…" stands for the rest. All other text must be equal.
DIFFERS = {
    "<payment reference>": re.compile(r"\bRF[0-9]{2}[0-9A-F]{16}\b"),
    "<time>": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
    "<token>": re.compile(r"eyJ[\w-]+(…|\.[\w-]+\.[\w-]+)"),
    "<request id>": re.compile(r"\b[0-9a-f]{32}\b"),
    "<cursor>": re.compile(r"(?<=cursor=)[\w-]+…?"),
    "<calls>": re.compile(r"(?<=;r=)\d+"),
    "<seconds>": re.compile(r"(?<=;t=)\d+|(?<=Retry-After: )\d+|(?<=again in )\d+"),
}
IDS = {"id", "order_id"}

CURL = argparse.ArgumentParser(prog="curl", allow_abbrev=False)
CURL.add_argument("url")
CURL.add_argument("-X", dest="method")
CURL.add_argument("-H", dest="headers", action="append", default=[])
CURL.add_argument("-d", dest="body")
CURL.add_argument("-i", dest="shows_headers", action="store_true")

pytestmark = pytest.mark.django_db(transaction=True)


class Reader:
    """Follows the guide as a reader would, with the tokens, ids and links from the real answers."""

    def __init__(self, client):
        self.compared = 0
        self._client = client
        self._variables = {}
        self._ids = {}  # ("order" or "transaction", id in the guide) → real id
        self._answer = None

    def follow(self, script, head, body):
        head = head or ("`200 OK`" if body else "")
        answers = self._run(script)
        assert bool(answers) == bool(head), f"each request has an answer: {script}"
        if not answers:
            return
        if window_ended_during(answers):
            self._run(script)  # now all attempts are in one window
        self._compare_head(re.findall("`(.*?)`", head))
        assert bool(body) == bool(self._answer.content), script
        if body:
            of = "transaction" if "/transactions/" in self._answer.url.path else "order"
            self._compare(json.loads(body), self._answer.json(), of=of, at="")
        self.compared += 1

    def _run(self, script):
        """Execute each line, and return the answers."""
        answers = []
        for line in script.splitlines():
            if assigned := re.fullmatch(r"(\w+)=(.*)", line):
                self._variables[assigned[1]] = self._value(assigned[1], *self._words(assigned[2]))
            else:
                looped = LOOP.fullmatch(line)
                for _ in looped[1].split() if looped else [1]:
                    self._answer = self._send(looped[2] if looped else line)
                    answers.append(self._answer)
        return answers

    def _value(self, name, shown):
        """Return the value of an assignment; a value with "…" in the guide is taken from the last answer."""
        if "…" not in shown:
            return shown
        found = self._answer.links["next"]["url"] if name == "next" else self._answer.json()[name]
        assert blurred(found) == blurred(shown)
        return found

    def _words(self, text):
        return shlex.split(Template(text).substitute(self._variables))

    def _send(self, command):
        name, *arguments = self._words(command)
        assert name == "curl", command
        asked = CURL.parse_args(arguments)
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if asked.body else {}  # curl's default
        headers |= dict(header.split(": ", 1) for header in asked.headers)
        method = asked.method or ("POST" if asked.body else "GET")
        url = re.sub(r"(?<=/orders/)\d+", lambda found: str(self._ids["order", int(found[0])]), asked.url)

        def answer():
            return self._client.request(method, url, headers=headers, content=asked.body)

        if method == "GET" and re.search(r"/orders/\d+/(\?wait=\d+)?$", url):
            return wait_for(lambda: found if (found := answer()).json()["state"] not in IN_WORK else None, seconds=20)
        return answer()

    def _compare_head(self, shown):
        status, *headers = shown
        real = self._answer.headers
        assert f"{self._answer.status_code} {self._answer.reason_phrase}" == status, self._answer.text
        for line in headers:
            name = line.split(": ")[0]
            assert blurred(f"{name}: {real[name]}") == blurred(line)
        for name in ("Link", "Idempotent-Replayed", "Retry-After"):
            assert (name in real) == any(line.startswith(f"{name}: ") for line in headers), (name, shown)

    def _compare(self, shown, real, *, of, at):
        assert type(shown) is type(real), (at, shown, real)
        if isinstance(shown, dict):
            assert list(shown) == list(real), at
            for name, value in shown.items():
                self._compare(value, real[name], of="order" if name == "order_id" else of, at=name)
        elif isinstance(shown, list):
            assert len(shown) == len(real), (at, shown, real)
            for one, other in zip(shown, real, strict=True):
                self._compare(one, other, of=of, at=at)
        elif at in IDS and shown is not None:
            assert self._ids.setdefault((of, shown), real) == real, at
        elif isinstance(shown, str):
            assert blurred(shown) == blurred(real), at
        else:
            assert shown == real, at


def window_ended_during(attempts):
    """Say whether a new window began during the attempts to sign in: then the time that remains went up."""
    found = [re.search(r'"login";r=\d+;t=(\d+)', attempt.headers.get("RateLimit", "")) for attempt in attempts]
    left = [int(match[1]) for match in found if match]
    return left != sorted(left, reverse=True)


def blurred(text):
    for name, pattern in DIFFERS.items():
        text = pattern.sub(name, text)
    return text


@pytest.fixture
def api(make_api_process, make_worker, simulator):
    """The address of an API with the default rate limits, and with a worker; ABAN has the seeder's fixed price."""
    coin = put_on_sale(name="ABAN", title="Abantether", fixed_price=Decimal("20.00"))
    simulator.set_prices(ABAN="20.00")
    record_price(coin=coin, value=Decimal("20.00"), source="binance", now=timezone.now())
    make_worker(EXCHANGE_URL=simulator.url)
    limits = {name: each.default for name, each in VARIABLES.items() if name.startswith("RATE_LIMIT_") and each.default}
    return make_api_process(**limits).rstrip("/")


def test_every_answer_is_as_the_guide_shows(api):
    guide = GUIDE.replace("http://127.0.0.1:8000/api/v1", api)
    steps = STEP.findall(guide)
    shown = sum(bool(body) for _, _, body in steps), sum(bool(head) for _, head, _ in steps)
    assert shown == (guide.count("```json"), guide.count("\nAnswer: ")), "each answer belongs to a request"
    with httpx.Client(timeout=30) as client:
        reader = Reader(client)
        for step in steps:
            reader.follow(*step)
    assert reader.compared == sum("curl" in script for script, _, _ in steps) > 15
