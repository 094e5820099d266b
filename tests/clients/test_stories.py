"""The clients made from docs/openapi.json: each language's story passes strict type checks, and runs against the service."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clients.make import WITHOUT_NODE, CannotInstall, CannotMake, fetch_document, has_node, prepare_python
from exchange_site.stack.processes import free_port
from tests.conftest import make_coin
from tests.patience import stretched

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

CLIENTS = Path(__file__).parents[2] / "clients"
needs_node = pytest.mark.skipif(not has_node(), reason=WITHOUT_NODE)


@pytest.fixture
def base_url(make_api_process, make_worker, simulator):
    make_coin("ABAN", "4.00")
    simulator.set_prices(ABAN="4.00")
    make_worker(EXCHANGE_URL=simulator.url)
    return make_api_process(SELF_SERVICE_DEPOSITS="True").removesuffix("/api/v1/")


class TestTheStory:
    def test_in_python(self, base_url, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", os.defpath)  # as where the packages for development are not installed
        folder, programs = made("python", to=tmp_path), prepare_python()
        story = shutil.copy(CLIENTS / "python/story.py", folder)
        # As with an installed package, the client's types are used, and what is inside it is not judged.
        run(programs / "mypy", "--config-file=", "--strict", "--follow-imports=silent", story, folder=folder)
        assert run(programs / "python", story, base_url, folder=folder) == "ABAN 3.00000000\n"

    @needs_node
    def test_in_typescript(self, base_url, tmp_path):
        folder = made("typescript", to=tmp_path)
        for name in ("story.ts", "tsconfig.json"):
            shutil.copy(CLIENTS / "typescript" / name, folder)
        run(folder / "node_modules/.bin/tsc", "--project", folder, folder=folder)
        assert run("node", folder / "built/story.js", base_url, folder=folder) == "ABAN 3.00000000\n"


class TestADocument:
    @pytest.mark.parametrize("content", ["<!DOCTYPE html>", "[]", "3", "{}", ""])
    def test_that_is_none_is_refused_with_the_path_of_the_right_one(self, tmp_path, content):
        (tmp_path / "page").write_text(content)
        with pytest.raises(CannotMake, match=r"is no OpenAPI document in JSON\. .*/api/v1/openapi\.json\.$"):
            fetch_document(str(tmp_path / "page"), to=tmp_path)

    def test_at_an_address_that_does_not_answer_is_refused_with_the_reason(self, tmp_path):
        with pytest.raises(CannotMake, match=r"cannot be read: Connection refused\. Does the service run there\?$"):
            fetch_document(f"http://127.0.0.1:{free_port()}/api/v1/openapi.json", to=tmp_path)


@needs_node
def test_the_linters_have_no_objection_to_the_document(tmp_path):
    made("lint", to=tmp_path)


@needs_node
def test_the_collection_has_each_operation_after_those_whose_answers_it_needs(tmp_path):
    made("collection", to=tmp_path)
    document = json.loads((CLIENTS.parent / "docs/openapi.json").read_text())
    operations = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    collection = json.loads((tmp_path / "collection.json").read_text())
    assert {(item["request"]["method"], path_of(item["request"])) for item in requests_in(collection)} == operations
    known = {variable["key"] for variable in collection["variable"]} | {"$guid"}
    for item in requests_in(collection):
        known |= set(set_by(item, "prerequest"))
        assert set(re.findall(r"{{(.*?)}}", json.dumps(item["request"]))) <= known, item["name"]
        known |= set(set_by(item, "test"))


@needs_node
def test_the_collection_has_the_same_bytes_each_time(tmp_path):
    collections = []
    for _ in range(2):
        made("collection", to=tmp_path)
        collections.append((tmp_path / "collection.json").read_bytes())
    assert collections[0] == collections[1]
    assert b"1950-" not in collections[0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--document", "missing.json"), "There is no file missing.json."),
        (("--to", __file__), f"{__file__} cannot be a folder for the clients"),
        (("--document", "http://127.0.0.1:1/openapi.json"), "cannot be read"),
    ],
)
def test_a_mistake_costs_one_sentence(tmp_path, options, sentence):
    done = attempt(sys.executable, CLIENTS / "make.py", "collection", "--to", tmp_path, *options)
    assert done.returncode == 1
    assert sentence in done.stdout
    assert len((done.stdout + done.stderr).strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def requests_in(folder):
    for item in folder["item"]:
        yield from requests_in(item) if "item" in item else [item]


def set_by(item, listen):
    """Return the variables that a request's scripts of this time set."""
    scripts = [event["script"]["exec"] for event in item["event"] if event["listen"] == listen]
    return re.findall(r'collectionVariables\.set\("(\w+)"', "\n".join(line for lines in scripts for line in lines))


def path_of(request):
    assert request["url"]["host"] == ["{{baseUrl}}"]
    parts = [f"{{{part[1:]}}}" if part.startswith(":") else part for part in request["url"]["path"]]
    return "/" + "/".join(parts)


def made(part, *, to):
    """Run `task clients` for one part; return the folder of its client."""
    done = attempt(sys.executable, CLIENTS / "make.py", part, "--to", to)
    if done.returncode == CannotInstall.status and not os.environ.get("CI"):
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    return to / part


def run(*command, folder):
    done = attempt(*command, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def attempt(*command, folder=None):
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=stretched(500), check=False)
