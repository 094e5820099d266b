"""The clients made from docs/openapi.json: each language's story passes strict type checks, and runs against the service."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import make_coin

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

CLIENTS = Path(__file__).parents[2] / "clients"
needs_node = pytest.mark.skipif(
    not all(shutil.which(program) for program in ("node", "npm")), reason="this machine has no node and npm"
)


@pytest.fixture
def base_url(make_api_process, make_worker, simulator):
    make_coin("ABAN", "4.00")
    simulator.set_prices(ABAN="4.00")
    make_worker(EXCHANGE_URL=simulator.url)
    return make_api_process(SELF_SERVICE_DEPOSITS="True").removesuffix("/api/v1/")


class TestTheStory:
    def test_in_python(self, base_url, tmp_path):
        folder, [environment] = made("python")
        story = shutil.copy(CLIENTS / "python/story.py", tmp_path)
        path = {"MYPYPATH": str(folder), "PYTHONPATH": str(folder)}
        run(environment / "bin/mypy", "--strict", story, folder=tmp_path, **path)
        assert run(environment / "bin/python", story, base_url, folder=tmp_path, **path) == "ABAN 3.00000000\n"

    @needs_node
    def test_in_typescript(self, base_url):
        folder, _ = made("typescript")
        for name in ("story.ts", "tsconfig.json"):
            shutil.copy(CLIENTS / "typescript" / name, folder)
        run(folder / "node_modules/.bin/tsc", "--project", folder, folder=folder)
        assert run("node", folder / "built/story.js", base_url, folder=folder) == "ABAN 3.00000000\n"


@needs_node
def test_the_linters_have_no_objection_to_the_document():
    made("lint")


def made(part):
    """Run `task clients` for one part; return the client's folder and the environments of its language."""
    run(sys.executable, CLIENTS / "make.py", part)
    below = Path(os.environ.get("DATA_DIR") or CLIENTS.parent / ".data").resolve() / "clients"
    return below / part, sorted(below.glob(f"environment-{part}-*"))


def run(*command, folder=None, **variables):
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
