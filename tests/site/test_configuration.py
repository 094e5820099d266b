"""docs/configuration.md against the code."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from exchange_site.configuration import Configuration
from tests.processes import PROJECT

PAGE = (Path(PROJECT) / "docs/configuration.md").read_text()
OF_THE_PROJECT, OF_COMPOSE = PAGE.split("## Docker Compose")
ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| (.*?) \|", re.MULTILINE)
DOCUMENTED = dict(ROW.findall(OF_THE_PROJECT))


def test_every_variable_is_documented_and_no_other():
    assert DOCUMENTED.keys() == Configuration.model_fields.keys()


@pytest.mark.parametrize("name", Configuration.model_fields)
def test_defaults_are_those_of_the_code(name):
    default, shown = Configuration.model_fields[name].default, DOCUMENTED[name]
    if default in ("", None) or "SECRET" in name:
        assert "`" not in shown or name == "RATE_LIMIT_LOGIN_ADDRESS", "none, or told in words"
    elif isinstance(default, int | float | Decimal) and not isinstance(default, bool):
        assert Decimal(shown.strip("`")) == Decimal(str(default))
    else:
        assert shown == f"`{default}`"


def test_composes_own_variables_are_documented():
    read = set(re.findall(r"\$\{([A-Z_]+)", (Path(PROJECT) / "docker-compose.yml").read_text()))
    own = read - Configuration.model_fields.keys()
    assert own <= set(re.findall(r"`([A-Z_]+)`", OF_COMPOSE))
