"""docs/guide.md: its commands run in a shell, against a real API with a real worker, and each answer is compared."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from decimal import Decimal

import pytest
from django.utils import timezone

from docs.guide_script import make_script
from exchange_site.configuration import VARIABLES
from exchange_site.stack.processes import PROJECT
from trading.services.coins import put_on_sale
from trading.services.prices import record_price

GUIDE = (PROJECT / "docs/guide.md").read_text()
STEP = re.compile(r"^```sh\n(.*?)\n```$(?:\nAnswer: ([^\n]*))?(?:\n```json\n(.*?)\n```$)?", re.DOTALL | re.MULTILINE)
CURL = PROJECT / "tests/site/curl_for_the_guide.py"
MARK = "=== step ==="

# Values that differ each time, and the pattern of each; "…" stands for the rest. All other text must be equal.
DIFFERS = {
    "<payment reference>": re.compile(r"\bRF[0-9]{2}[0-9A-F]{16}\b"),
    "<time>": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
    "<token>": re.compile(r"eyJ[\w-]+(…|\.[\w-]+\.[\w-]+)"),
    "<quote>": re.compile(r"\bABAN:W[\w-]+(…|[\w:.-]*)"),
    "<request id>": re.compile(r"\b[0-9a-f]{32}\b"),
    "<cursor>": re.compile(r"(?<=cursor=)[\w-]+…?"),
    "<calls>": re.compile(r"(?<=;r=)\d+"),
    "<seconds>": re.compile(r"(?<=;t=)\d+|(?<=Retry-After: )\d+|(?<=again in )\d+"),
}
IDS = {"id", "order_id"}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


class Reader:
    """Compares the answers with the guide. Ids differ, but the same id in the guide is the same real id."""

    def __init__(self):
        self._ids = {}  # ("order" or "transaction", id in the guide) → real id

    def compare(self, script, head, body, answers):
        head = head or ("`200 OK`" if body else "")
        assert bool(answers) == bool(head), f"each request has an answer: {script}"
        if not answers:
            return
        answer = answers[-1]
        self._compare_head(answer, re.findall("`(.*?)`", head))
        assert bool(body) == bool(answer["body"]), script
        if body:
            of = "transaction" if "/transactions/" in answer["url"] else "order"
            self._compare(json.loads(body), json.loads(answer["body"]), of=of, at="")

    def _compare_head(self, answer, shown):
        status, *headers = shown
        real = {name.lower(): value for name, value in answer["headers"].items()}
        assert answer["status"] == status, answer
        for line in headers:
            name = line.split(": ")[0]
            assert blurred(f"{name}: {real[name.lower()]}") == blurred(line)
        for name in ("Link", "Idempotent-Replayed", "Retry-After"):
            assert (name.lower() in real) == any(line.startswith(f"{name}: ") for line in headers), (name, shown)

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


@pytest.fixture
def run_in_shell(tmp_path):
    """Run a script in sh, with our curl, or with the machine's own. Return what it printed."""

    def run(script, *, own_curl=True, **environment):
        programs = tmp_path / "programs"
        programs.mkdir(exist_ok=True)
        if own_curl:
            write_program(programs / "curl", f'exec "{sys.executable}" "{CURL}" "$@"')
        write_program(programs / "python3", f'exec "{sys.executable}" "$@"')
        given = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONWARNINGS": "default", **environment}
        done = subprocess.run(["sh"], input=script, env=given, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def write_program(file, command):
    file.write_text(f"#!/bin/sh\n{command}\n")
    file.chmod(0o755)


def test_every_answer_is_as_the_guide_shows(api, run_in_shell, tmp_path):
    guide = GUIDE.replace("http://127.0.0.1:8000/api/v1", api)
    steps = STEP.findall(guide)
    shown = sum(bool(body) for _, _, body in steps), sum(bool(head) for _, head, _ in steps)
    assert shown == (guide.count("```json"), guide.count("\nAnswer: ")), "each answer belongs to a request"
    noted = tmp_path / "answers"
    mark = f"\necho '{MARK}' >> \"$ANSWERS\"\n"
    run_in_shell("set -eu\n" + "".join(script + mark for script, _, _ in steps), ANSWERS=str(noted), api=api)
    groups = noted.read_text().split(f"{MARK}\n")[:-1]
    assert len(groups) == len(steps) > 15
    reader = Reader()
    for step, group in zip(steps, groups, strict=True):
        reader.compare(*step, [json.loads(line) for line in group.splitlines()])


def test_it_takes_no_programs_name_in_the_readers_shell():
    defined = re.findall(r"^(\w+)\(\)", make_script(GUIDE), re.MULTILINE)
    assert defined == ["field", "call"]
    assert [name for name in defined if shutil.which(name)] == []


def test_the_script_is_the_guides(run_in_shell):
    assert (PROJECT / "docs/guide.sh").read_text() == make_script(GUIDE), "task docs"


def test_the_script_runs_twice_with_the_machines_curl(api, run_in_shell):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    for _ in range(2):
        said = run_in_shell((PROJECT / "docs/guide.sh").read_text(), own_curl=False, api=api)
        assert '"state":"cancelled"' in said.replace(" ", "")
        assert '"amount":"3.00000000","cost":"60.00"' in said.replace(" ", ""), "both orders were settled before"
        assert "== Sign up" in said


def test_the_readmes_purchase_works_twice(api, run_in_shell):
    readme = (PROJECT / "README.md").read_text()
    script = re.search(r"^```sh\n(api=.*?)\n```$", readme, re.DOTALL | re.MULTILINE)[1]
    for _ in range(2):
        said = run_in_shell(script.replace("curl -s", "curl --silent"), api=api, ANSWERS=os.devnull)
        assert said.count('"state"') == 2, said
        time.sleep(1)  # a second later it is another customer
