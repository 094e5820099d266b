"""docs/configuration.md and config.example.env agree with the code; production refuses unsafe values."""

import re

import pytest
from pydantic import ValidationError

from exchange_site.configuration import VARIABLES, Configuration
from exchange_site.configuration.site import DEVELOPMENT_SECRET
from exchange_site.management.commands import configuration as command
from exchange_site.stack.processes import PROJECT

PACKAGES = ("exchange_site", "settlement", "trading", "wallets")
SECRETS = ("SECRET_KEY", "JWT_SECRET_KEY")
PRODUCTION = {"DEBUG": "False", "SECRET_KEY": 32 * "s", "JWT_SECRET_KEY": 32 * "j", "POSTGRES_PASSWORD": "p"}
# Variables whose default depends on DEBUG or on another variable.
DERIVED = sorted(name for name, each in VARIABLES.items() if each.default is None or "in_production" in each.words)

PAGE = command.PAGE.read_text()
OF_THE_CODE, OTHERS = PAGE.split("## Docker Compose")
OF_COMPOSE, OF_TOOLS = OTHERS.split("## Outside of the application")
EXAMPLE = dict(re.findall(r"^([A-Z_]+)=(.*)$", command.EXAMPLE.read_text(), re.MULTILINE))


def rows(part):
    """Return the rows of the tables, variable → default. Some rows have two variables."""
    listed = {}
    for line in re.findall(r"^\| (`.*)\|$", part, re.MULTILINE):
        names, default, _unit, _meaning = (cell.strip() for cell in line.split("|"))
        listed |= dict.fromkeys(re.findall(r"`(\w+)`", names), default)
    return listed


def text_of(cell):
    """Return a cell's default in the form of an environment variable."""
    return "" if cell == "none" else re.fullmatch(r"`(.*)`", cell)[1]


def in_mode(cell, *, production):
    """Return the default of a mode, from a cell that may have one for development and one for production."""
    development, _, other = cell.partition(", in production ")
    return text_of(other if other and production else development)


DOCUMENTED = rows(OF_THE_CODE)


@pytest.mark.parametrize(
    ("written", "rendered"),
    [(PAGE, command.render_page(PAGE)), (command.EXAMPLE.read_text(), command.render_example())],
    ids=["page", "example"],
)
def test_the_committed_files_are_up_to_date(written, rendered):
    assert written == rendered, "the configuration has changed: run `task docs`"


class TestThePage:
    def test_lists_every_variable_and_no_other(self):
        assert DOCUMENTED.keys() == VARIABLES.keys()

    @pytest.mark.parametrize("name", sorted(VARIABLES.keys() - {*SECRETS, *DERIVED}))
    def test_shows_the_default_of_the_code(self, name):
        assert Configuration.read({name: text_of(DOCUMENTED[name])}) == Configuration.read({})

    @pytest.mark.parametrize("name", SECRETS)
    def test_says_that_the_default_secrets_are_public(self, name):
        assert VARIABLES[name].default == DEVELOPMENT_SECRET
        assert DOCUMENTED[name] == "a public one, in production none"

    @pytest.mark.parametrize("production", [False, True])
    def test_shows_defaults_that_depend_on_debug_or_another_variable(self, production):
        given = PRODUCTION if production else {}
        shown = {name: in_mode(DOCUMENTED[name], production=production) for name in DERIVED}
        assert Configuration.read({**given, **shown}) == Configuration.read(given)

    def test_lists_the_other_variables_of_compose_with_their_defaults(self):
        read = re.findall(r"\$\{([A-Z_]+)(?::-([^}]*))?", (PROJECT / "docker-compose.yml").read_text())
        own = {name: default for name, default in reversed(read) if name not in VARIABLES}
        shown = {name: cell.split(", ")[0] for name, cell in rows(OF_COMPOSE).items()}
        assert shown.pop("COMPOSE_PROFILES") == "none"
        assert {name: text_of(cell) for name, cell in shown.items()} == own

    def test_lists_the_variables_that_other_code_reads(self):
        files = [path for package in PACKAGES for path in (PROJECT / package).rglob("*.py")]
        code = "\n".join(path.read_text() for path in [PROJECT / "manage.py", *files])
        read = set(re.findall(r"""os\.environ(?:\.get|\.setdefault)?[\[(]["']([A-Z_]+)["']""", code))
        read |= set(re.findall(r'"([A-Z_]+)" (?:not )?in os\.environ', code))
        shell = "\n".join((PROJECT / name).read_text() for name in ("Taskfile.yml", ".ci/install"))
        read |= set(re.findall(r"\$\{([A-Z_]+)", shell))
        assert read - VARIABLES.keys() == rows(OF_TOOLS).keys()


class TestTheExampleFile:
    """test_commands.py tests that the file lists every variable."""

    @pytest.mark.parametrize("name", sorted(EXAMPLE.keys() - {*SECRETS}))
    def test_has_the_default_of_the_code(self, name):
        assert Configuration.read({name: EXAMPLE[name]}) == Configuration.read({})

    def test_leaves_out_variables_whose_default_depends_on_others(self):
        assert sorted(VARIABLES.keys() - EXAMPLE.keys()) == DERIVED


class TestGroups:
    def test_do_not_print_secrets(self):
        secrets = {name: f"hidden-{name}" for name in VARIABLES if re.search("SECRET|PASSWORD|TOKEN$|API_KEY", name)}
        secrets.pop("REFUSE_COMMON_PASSWORDS")
        assert len(secrets) == 9
        assert "hidden" not in repr(Configuration.read(secrets))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("RISK_MAX_ORDERS", "0"), ("RISK_MAX_VALUE", "1.001"), ("RATE_LIMIT_LOGIN", "many"), ("DEBUG", "?"),
            ("RISK_WINDOW_SECONDS", "0"), ("RISK_WINDOW_SECONDS", "1e400"), ("SWEEP_AFTER_SECONDS", "-1"),
            ("EXCHANGE_RECV_WINDOW_MS", "499"), ("EXCHANGE_RECV_WINDOW_MS", "60001"), ("EXCHANGE_TAKER_RATE", "1"),
            ("TRUSTED_PROXIES", "10.0.0.1/8"), ("WORKER_METRICS_PORT", "65536"), ("SELF_SERVICE_DEPOSITS", ""),
        ],
    )  # fmt: skip
    def test_refuse_a_value_of_a_wrong_form_and_name_the_variable(self, name, value):
        with pytest.raises(ValidationError, match=name):
            Configuration.read({name: value})


class TestProduction:
    def test_starts_with_secrets_of_its_own(self):
        assert Configuration.read(PRODUCTION).django.debug is False

    @pytest.mark.parametrize("name", [*SECRETS, "POSTGRES_PASSWORD"])
    def test_does_not_start_without_a_secret_or_password(self, name):
        with pytest.raises(ValidationError, match=f"{name} must be set"):
            Configuration.read({key: value for key, value in PRODUCTION.items() if key != name})

    @pytest.mark.parametrize("name", SECRETS)
    @pytest.mark.parametrize("secret", [DEVELOPMENT_SECRET, 31 * "s", ""])
    def test_does_not_start_with_a_secret_that_is_public_or_short(self, name, secret):
        with pytest.raises(ValidationError, match=f"{name} must be set"):
            Configuration.read({**PRODUCTION, name: secret})

    def test_does_not_start_with_two_equal_secrets(self):
        with pytest.raises(ValidationError, match="must differ"):
            Configuration.read({**PRODUCTION, "JWT_SECRET_KEY": PRODUCTION["SECRET_KEY"]})
