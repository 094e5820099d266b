"""What a release needs, the locks of dependencies, and the reasons for them."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from copy import deepcopy
from datetime import date
from importlib.metadata import packages_distributions
from itertools import chain, pairwise

import pytest
from django.core.management import CommandError, call_command

from exchange_site.api import api
from exchange_site.management.commands import configuration as tables
from exchange_site.management.commands import openapi as document
from exchange_site.stack.processes import PROJECT
from exchange_site.version import VERSION
from tests.ci_scripts import load

TODAY = date(2026, 11, 28)
CHANGELOG = """# Changelog

## Unreleased

## 0.3.0 - 2026-11-28

### Upgrade

1. Run `migrate`.

### Added

- Something.

## 0.2.0 - 2026-11-26
"""


_ROOMS = ("exchange_site", "settlement", "trading", "wallets")
_OF_THE_CODE = ("sentry", "otel", "demo")

ci, breaks, update = load("release"), load("openapi_breaks"), load("update")


def git(folder, *arguments):
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def release(tmp_path):
    """A clone in which 0.3.0 is ready, after a tagged 0.2.0."""
    write(tmp_path, "pyproject.toml", '[project]\nversion = "0.3.0"\n')
    write(tmp_path, "docs/openapi.json", json.dumps(openapi("0.2.0")))
    write(tmp_path, "docs/versions.md", "# Versions\n")
    git(tmp_path, "init")
    commit(tmp_path)
    git(tmp_path, "tag", "v0.2.0")
    write(tmp_path, "docs/openapi.json", json.dumps(openapi("0.3.0")))
    write(tmp_path, "CHANGELOG.md", CHANGELOG)
    commit(tmp_path)
    return ci.Release(folder=tmp_path, version="0.3.0", today=TODAY)


def write(folder, name, text):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)


def commit(folder):
    git(folder, "add", ".")
    git(folder, "commit", "--message", "x")


def openapi(version, *, members=("id",)):
    return {"info": {"version": version}, **answering(openapi_schema(*members))}


def openapi_schema(*members):
    return {"type": "object", "required": ["id"], "properties": {name: {"type": "integer"} for name in members}}


def answering(schema):
    """Return the paths of a document with one operation, which answers with this schema."""
    answer = {"200": {"content": {"application/json": {"schema": schema}}}}
    return {"paths": {"/orders/": {"get": {"operationId": "list", "responses": answer}}}}


def asking_for(schema):
    """Return the paths of a document with one operation, whose body has an amount of this schema."""
    body = {"type": "object", "required": ["amount"], "properties": {"amount": schema}}
    asked = {"content": {"application/json": {"schema": body}}}
    return {"paths": {"/orders/": {"post": {"operationId": "list", "requestBody": asked, "responses": {}}}}}


def faults(release):
    return [fault for check in ci.CHECKS.values() for fault in check(release)]


@needs_git
class TestRelease:
    def test_is_ready_when_all_is_said_and_committed(self, release):
        assert faults(release) == []

    @pytest.mark.parametrize(
        ("file", "before", "after", "fault"),
        [
            ("pyproject.toml", "0.3.0", "0.2.9", 'pyproject.toml has 0.2.9: write version = "0.3.0"'),
            ("docs/openapi.json", '"0.3.0"', '"0.2.0"', "docs/openapi.json has 0.2.0: task docs"),
            ("CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n- Left.\n", "move all under Unreleased"),
            ("CHANGELOG.md", "## 0.3.0 - 2026-11-28", "## 0.3.1 - 2026-11-28", "has no section ## 0.3.0 - 2026-11-28"),
            ("CHANGELOG.md", "0.3.0 - 2026-11-28", "0.3.0", "the heading is ## 0.3.0, and should be"),
            ("CHANGELOG.md", "0.3.0 - 2026-11-28", "0.3.0 - 2026-11-29", "which is in the future"),
            ("CHANGELOG.md", "1. Run `migrate`.\n", "", "write below ### Upgrade"),
            ("CHANGELOG.md", "### Added", "### News", "News is none of Upgrade, Added"),
            ("CHANGELOG.md", "## 0.2.0", "## 0.4.0", "0.3.0 does not follow 0.4.0"),
        ],
    )
    def test_is_not_ready_while_something_is_left(self, release, file, before, after, fault):
        text = (release.folder / file).read_text()
        assert before in text
        write(release.folder, file, text.replace(before, after))
        commit(release.folder)
        assert any(fault in found for found in faults(release)), faults(release)

    def test_is_not_ready_while_a_file_is_not_committed(self, release):
        write(release.folder, "new.txt", "")
        assert faults(release) == ["Not everything is committed: new.txt."]

    def test_is_not_ready_where_git_says_nothing(self, release, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        assert any("git does not answer" in fault for fault in faults(release))

    def test_is_not_made_twice(self, release):
        git(release.folder, "tag", "v0.3.0")
        assert faults(release) == ["The tag v0.3.0 exists already."]

    def test_does_not_break_a_promise_of_the_api_in_silence(self, release):
        write(release.folder, "docs/openapi.json", json.dumps(openapi("0.3.0", members=["number"])))
        commit(release.folder)
        [fault] = faults(release)
        assert fault.endswith("`list: answer 200 id is gone`")
        write(release.folder, "docs/versions.md", "It was wrong: `list: answer 200 id is gone`\n")
        commit(release.folder)
        assert faults(release) == []

    def test_of_this_project_lists_each_promise_that_it_breaks(self):
        ours = ci.Release(folder=PROJECT, version="99.0.0", today=TODAY)
        if not ci._find_document(ours):
            pytest.skip("the release before is not in this clone: git fetch --unshallow")
        assert list(ci.find_faults_of_api(ours)) == []

    def test_says_what_is_to_do_and_changes_nothing(self, release, capsys, monkeypatch):
        monkeypatch.setattr(ci, "ROOT", release.folder)
        monkeypatch.setattr(ci, "COMMANDS", {"it runs": (sys.executable, "-c", "raise SystemExit('broken')")})
        assert ci.main("0.3.0") == 1
        assert "to do  it runs\n         broken\n" in capsys.readouterr().out
        monkeypatch.setattr(ci, "COMMANDS", {"it runs": (sys.executable, "-c", "")})
        assert ci.main("0.3.0") == 0
        assert "git tag --annotate v0.3.0" in capsys.readouterr().out
        assert release.git("tag").split() == ["v0.2.0"]
        assert release.git("status", "--porcelain") == ""


class TestBreaks:
    """Of the API's own document, changed in one place."""

    @pytest.fixture
    def before(self):
        return json.loads(json.dumps(api.get_openapi_schema(), default=str))

    def changed(self, before, change):
        after = deepcopy(before)
        change(after)
        return breaks.find_breaks(before=before, after=after)

    def test_are_none_in_a_document_and_itself(self, before):
        assert self.changed(before, lambda after: None) == []

    def test_are_none_where_members_values_and_operations_are_added(self, before):
        def change(after):
            after["components"]["schemas"]["OrderAnswer"]["properties"]["more"] = {"type": "string"}
            after["paths"]["/api/v1/more/"] = {"get": {"operationId": "more", "responses": {"200": {}}}}
            after["components"]["schemas"]["OrderAnswer"]["properties"]["state"] = {"type": "string"}

        assert self.changed(before, change) == []

    def test_are_none_where_a_list_may_also_be_had_as_a_page(self):
        listed = {"type": "array", "items": openapi_schema("id")}
        page = {"type": "object", "required": ["items"], "properties": {"items": listed}}
        one, both = (answering(schema) for schema in (listed, {"oneOf": [listed, page]}))
        assert breaks.find_breaks(before=one, after=both) == []
        assert "list: answer 200 [] is gone" in breaks.find_breaks(before=one, after=answering(page))

    def test_are_none_where_numbers_are_accepted_beside_texts(self):
        number = {"anyOf": [{"type": "string"}, {"type": "number"}]}
        extended = {"type": "string", "x-also-accepts": {"type": "number"}}
        before, after, text = (asking_for(schema) for schema in (number, extended, {"type": "string"}))
        assert breaks.find_breaks(before=before, after=after) == []
        assert breaks.find_breaks(before=after, after=text) == ["list: request amount takes no integer or number"]

    def test_are_operations_members_and_parameters_that_are_gone(self, before):
        def change(after):
            del after["components"]["schemas"]["OrderAnswer"]["properties"]["fee"]
            [path] = [
                path
                for path, methods in after["paths"].items()
                if methods.get("get", {}).get("operationId") == "getCoin"
            ]
            del after["paths"][path]["get"]

        found = self.changed(before, change)
        assert "getCoin: the operation is gone" in found
        assert "placeOrder: answer 201 fee is gone" in found

    def test_are_answers_that_may_be_something_else(self, before):
        def change(after):
            after["components"]["schemas"]["OrderAnswer"]["properties"]["fee"] = {"type": ["string", "null"]}
            after["components"]["schemas"]["OrderAnswer"]["required"].remove("subtotal")

        found = self.changed(before, change)
        assert "placeOrder: answer 201 fee may be null" in found
        assert "placeOrder: answer 201 subtotal may be left out" in found

    def test_are_requests_that_are_accepted_no_more(self, before):
        def change(after):
            body = after["components"]["schemas"]["CashRequest"]
            body["properties"]["reason"] = {"type": "string"}
            body["required"] = [*body["required"], "reason"]
            body["properties"]["amount"] = {"type": "string"}

        found = {line.partition(": ")[2] for line in self.changed(before, change)}
        assert {"request reason is required", "request amount takes no integer or number"} <= found


class TestVersion:
    def test_is_in_pyproject_alone(self):
        assert tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"] == VERSION
        assert api.get_openapi_schema()["info"]["version"] == VERSION
        code = [
            path
            for room in ("exchange_site", "settlement", "trading", "wallets")
            for path in (PROJECT / room).rglob("*.py")
        ]
        assert [path for path in code if re.search(rf"['\"]{re.escape(VERSION)}['\"]", path.read_text())] == []

    def test_is_among_the_metrics(self, db):
        from exchange_site.metrics.endpoint import render

        body, _ = render("")
        assert f'exchange_build_info{{python="{sys.version.split()[0]}",version="{VERSION}"}} 1.0' in body.decode()

    def test_has_a_section_in_the_changelog(self):
        assert re.search(
            rf"^## {re.escape(VERSION)} - \d{{4}}-\d\d-\d\d$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE
        )


class TestGeneratedDocuments:
    def test_are_checked_without_being_written(self, tmp_path, monkeypatch):
        copies = {}
        for module, name in ((document, "COPY"), (tables, "PAGE"), (tables, "EXAMPLE")):
            copies[name] = tmp_path / getattr(module, name).name
            copies[name].write_text(getattr(module, name).read_text())
            monkeypatch.setattr(module, name, copies[name])
        for command in ("openapi", "configuration"):
            call_command(command, "--check")
        for command, name in (("openapi", "COPY"), ("configuration", "EXAMPLE")):
            copies[name].write_text(copies[name].read_text() + "more")
            with pytest.raises(CommandError, match=f"{copies[name].name} is not current: task docs"):
                call_command(command, "--check")
            assert copies[name].read_text().endswith("more")


class TestLocks:
    def test_are_all_the_requirements_files_and_name_no_registry(self):
        assert {file.name for file in PROJECT.glob("requirements*.txt")} == set(update.list_locks())
        for name in update.list_locks():
            text = (PROJECT / name).read_text()
            assert "http" not in re.sub(r"^[^#\n]*http[\w-]*[^#\n]*==|# .*http", "", text, flags=re.MULTILINE), name
            assert not re.search("^(-|--)", text, re.MULTILINE), name
            pins = re.findall(r"^[a-z0-9._-]+==.*$", text, re.MULTILINE)
            assert text.count(" \\\n    --hash=sha256:") >= len(pins) > 10

    def test_have_the_same_versions_in_each(self):
        first, *others = [update.pins_in((PROJECT / name).read_text()) for name in update.list_locks()]
        for pins in others:
            assert {name: pins[name] for name in pins.keys() & first.keys()} == {
                name: first[name] for name in pins.keys() & first.keys()
            }

    def test_hold_each_dependency_of_pyproject(self):
        """Without the network; `task update -- --check` compiles them."""
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
        extras = project["project"]["optional-dependencies"]
        for name, arguments in update.list_locks().items():
            wanted = project["project"]["dependencies"] if "pyproject.toml" in arguments else []
            for option, value in pairwise(arguments):
                if option == "--extra":
                    wanted = [*wanted, *extras[value]]
                if option == "--group":
                    wanted = [*wanted, *project["dependency-groups"][value]]
            named = {re.match(r"[A-Za-z0-9._-]+", each)[0].lower() for each in wanted}
            assert named <= update.pins_in((PROJECT / name).read_text()).keys(), name

    def test_changes_are_told_from_old_to_new(self):
        before = update.pins_in("a==1.0 \\\n    --hash=x\nb==2 ; x\nb==1 ; y\nc==3 \\\n")
        after = update.pins_in("a==1.1 \\\nb==2 ; x\nb==1 ; y\nd==4\n")
        assert update.describe_changes(before, after) == ["  a 1.0 → 1.1", "  c 3 → (gone)", "  d (new) → 4"]


@needs_git
class TestListOfPackages:
    def test_is_no_part_of_the_repository(self):
        ignored = subprocess.run(
            ["git", "check-ignore", "sbom.cdx.json"], cwd=PROJECT, check=False, capture_output=True
        )
        assert ignored.stdout == b"sbom.cdx.json\n"


class TestDependencies:
    def test_each_has_its_reason(self):
        """A comment beside the dependency, or above a group of them."""
        text = (PROJECT / "pyproject.toml").read_text()
        part = text[text.index("dependencies = [") : text.index("[tool.crypto-exchange.locks]")]
        lines = [line.strip() for line in part.splitlines()]
        without = [line for line in lines if re.match(r'"[a-z]', line) and not re.search(r"\",? *# \S+ \S+", line)]
        assert without == []

    def test_are_all_that_the_code_imports(self):
        """Not by luck, because another dependency brings it: that one may stop doing so."""
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
        listed = [*project["dependencies"], *chain(*(project["optional-dependencies"][name] for name in _OF_THE_CODE))]
        declared = {re.match(r"[A-Za-z0-9._-]+", each)[0].lower() for each in listed} | {
            "psycopg-pool"
        }  # an extra of it
        distributions = packages_distributions()
        imported = {name for room in _ROOMS for file in (PROJECT / room).rglob("*.py") for name in _list_imports(file)}
        foreign = imported - sys.stdlib_module_names - set(_ROOMS)
        assert [name for name in sorted(foreign) if not declared & _of(distributions.get(name, []))] == []


def _of(distributions):
    return {name.lower().replace("_", "-") for name in distributions}


def _list_imports(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("option", ["--kep", "--cheque"])
def test_an_unknown_option_of_the_update_upgrades_nothing(monkeypatch, option):
    monkeypatch.setattr(update, "_compile", lambda *_, **__: pytest.fail("it was compiled"))
    with pytest.raises(SystemExit, match=f"There is no {option}: task update"):
        update.main(option)
