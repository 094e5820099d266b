"""docs/configuration.md and config.example.env against the code, and what production refuses."""

import json
import re
import subprocess
import sys

import pytest
from pydantic import ValidationError

from exchange_site.configuration import DEVELOPMENT_SECRET, Configuration
from exchange_site.stack.processes import PROJECT

PACKAGES = ("exchange_site", "settlement", "trading", "wallets")
FIELDS = Configuration.model_fields
SECRETS = ("SECRET_KEY", "JWT_SECRET_KEY")
PRODUCTION = {"DEBUG": "False", "SECRET_KEY": 32 * "s", "JWT_SECRET_KEY": 32 * "j", "POSTGRES_PASSWORD": "p"}
# The configuration leaves these open; the settings decide them, by DEBUG or by another variable.
DERIVED = sorted(name for name, field in FIELDS.items() if field.default is None)

PAGE = (PROJECT / "docs/configuration.md").read_text()
OF_THE_CODE, OTHERS = PAGE.split("## Docker Compose")
OF_COMPOSE, OF_TOOLS = OTHERS.split("## Outside of the application")
EXAMPLE = dict(re.findall(r"^([A-Z_]+)=(.*)$", (PROJECT / "config.example.env").read_text(), re.MULTILINE))


def rows(part):
    """What the tables list: variable → default. Some rows have two variables."""
    listed = {}
    for line in re.findall(r"^\| (`.*)\|$", part, re.MULTILINE):
        names, default, _unit, _meaning = (cell.strip() for cell in line.split("|"))
        listed |= dict.fromkeys(re.findall(r"`(\w+)`", names), default)
    return listed


def text_of(cell):
    """A default as the environment would hold it."""
    return "" if cell == "none" else re.fullmatch(r"`(.*)`", cell)[1]


def in_mode(cell, *, production):
    """Which of a cell's two defaults holds, if there are two."""
    development, _, other = cell.partition(", in production ")
    return text_of(other if other and production else development)


DOCUMENTED = rows(OF_THE_CODE)


class TestThePage:
    def test_lists_every_variable_and_no_other(self):
        assert DOCUMENTED.keys() == FIELDS.keys()

    @pytest.mark.parametrize("name", sorted(FIELDS.keys() - {*SECRETS, *DERIVED}))
    def test_tells_the_default_of_the_code(self, name):
        shown = text_of(DOCUMENTED[name])
        assert getattr(Configuration(**{name: shown}), name) == FIELDS[name].default

    @pytest.mark.parametrize("name", SECRETS)
    def test_tells_that_the_default_secrets_are_public(self, name):
        assert FIELDS[name].default == DEVELOPMENT_SECRET
        assert DOCUMENTED[name] == "a public one, in production none"

    @pytest.mark.parametrize("production", [False, True])
    def test_tells_what_the_settings_make_of_variables_that_are_not_set(self, production):
        made = settings_of(**PRODUCTION if production else {})
        shown = {name: in_mode(DOCUMENTED[name], production=production) for name in DERIVED}
        assert made == settings_of(**{**(PRODUCTION if production else {}), **shown})

    def test_lists_what_compose_reads_beside_them_with_its_defaults(self):
        read = re.findall(r"\$\{([A-Z_]+)(?::-([^}]*))?", (PROJECT / "docker-compose.yml").read_text())
        own = {name: default for name, default in reversed(read) if name not in FIELDS}
        shown = {name: cell.split(", ")[0] for name, cell in rows(OF_COMPOSE).items()}
        assert shown.pop("COMPOSE_PROFILES") == "none"
        assert {name: text_of(cell) for name, cell in shown.items()} == own

    def test_lists_what_is_read_elsewhere(self):
        files = [path for package in PACKAGES for path in (PROJECT / package).rglob("*.py")]
        code = "\n".join(path.read_text() for path in [PROJECT / "manage.py", *files])
        read = set(re.findall(r"""os\.environ(?:\.get|\.setdefault)?[\[(]["']([A-Z_]+)["']""", code))
        read |= set(re.findall(r'"([A-Z_]+)" (?:not )?in os\.environ', code))
        shell = "\n".join((PROJECT / name).read_text() for name in ("Taskfile.yml", ".ci/install"))
        read |= set(re.findall(r"\$\{([A-Z_]+)", shell))
        assert read - FIELDS.keys() == rows(OF_TOOLS).keys()


class TestTheExampleFile:
    """That it lists every variable is tested in test_commands.py."""

    @pytest.mark.parametrize("name", sorted(EXAMPLE.keys() - {*SECRETS}))
    def test_has_the_default_of_the_code(self, name):
        assert getattr(Configuration(**{name: EXAMPLE[name]}), name) == FIELDS[name].default

    def test_leaves_out_what_the_settings_decide(self):
        assert sorted(FIELDS.keys() - EXAMPLE.keys()) == DERIVED


class TestProduction:
    def test_starts_with_secrets_of_its_own(self):
        assert Configuration(**PRODUCTION).DEBUG is False

    @pytest.mark.parametrize("name", [*SECRETS, "POSTGRES_PASSWORD"])
    def test_does_not_start_without(self, name, monkeypatch):
        monkeypatch.delenv(name, raising=False)
        with pytest.raises(ValidationError, match=f"{name} must be set"):
            Configuration(**{key: value for key, value in PRODUCTION.items() if key != name})

    @pytest.mark.parametrize("name", SECRETS)
    @pytest.mark.parametrize("secret", [DEVELOPMENT_SECRET, 31 * "s", ""])
    def test_does_not_start_with_a_secret_that_is_public_or_short(self, name, secret):
        with pytest.raises(ValidationError, match=f"{name} must be set"):
            Configuration(**{**PRODUCTION, name: secret})

    def test_does_not_start_with_one_secret_for_both(self):
        with pytest.raises(ValidationError, match="must differ"):
            Configuration(**{**PRODUCTION, "JWT_SECRET_KEY": PRODUCTION["SECRET_KEY"]})


def settings_of(**environment):
    """What the settings make of an environment that holds nothing else."""
    wanted = f"{{name: getattr(settings, name) for name in {DERIVED}}}"
    program = f"import json; from exchange_site import settings; print(json.dumps({wanted}, default=str))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=PROJECT, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)
