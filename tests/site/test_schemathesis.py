"""Generated requests: Schemathesis makes them from the OpenAPI document, and checks the answers of a running API.

A longer run, which prints how many requests it has made:
SCHEMATHESIS_EXAMPLES=200 task test -- -s tests/site/test_schemathesis.py
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from settlement.verification import verify_everything
from tests.conftest import make_coin
from trading.models import Order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES")


def test_no_answer_is_undocumented(make_api_process, make_shopper, tmp_path):
    for name, price in [("ABAN", "4.00"), ("BTC", "65000")]:
        make_coin(name, price)
    wide = {"RISK_MAX_ORDERS": "100000", "RISK_MAX_CANCELS": "100000", "RISK_MAX_VALUE": "1000000000"}
    wide["QUOTE_MAX_PER_MINUTE"] = "1000000000"  # a longer run would meet it: 429
    api = make_api_process(HASHING_SLOTS="4", **wide)  # enough that no call finds them taken: 503 busy
    shopper = make_shopper("100000000.00")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", f"--config-file={Path(__file__).parent / 'schemathesis.toml'}"),
            *("run", f"{api}openapi.json", "--checks=all", f"--max-examples={EXAMPLES or 20}", "--continue-on-failure"),
            # One worker: with two, Python 3.11 may fail to parse what Hypothesis describes ("recursion depth mismatch").
            *("--workers=1", "--suppress-health-check=all"),
            "--exclude-operation-id=endSession",  # it would end the sign-in that the other calls need
            *(() if EXAMPLES else ("--seed=20",)),  # the short run makes the same requests each time
            *("--header", f"Authorization: {shopper.headers['Authorization']}"),
        ],
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.site.also_accepted", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [made] = re.findall(r"(\d+) generated, \1 passed", done.stdout)
    sys.stdout.write(f"{made} requests passed\n")
    assert int(made) > 500
    assert Order.objects.exists()
    assert verify_everything() == []


def test_a_url_that_is_too_long_gets_a_problem(make_api_process):
    answer = httpx.get(f"{make_api_process()}orders/?cursor={'x' * 5000}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (414, "application/problem+json")
    assert (answer.json()["code"], answer.json()["status"]) == ("uri_too_long", 414)
