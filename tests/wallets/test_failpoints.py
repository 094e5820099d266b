"""Failpoints: each does nothing unless armed, fires once, and is refused in production."""

import re
import subprocess
import sys
from secrets import token_urlsafe

import pytest
from pydantic import ValidationError

from exchange_site.configuration import Configuration
from exchange_site.stack.processes import PROJECT

REACH = (
    "import django; django.setup(); from wallets.runtime.failpoints import reach; reach('order.debited'); print('on')"
)


def reach(folder, shots):
    environment = {"DJANGO_SETTINGS_MODULE": "exchange_site.settings", "FAILPOINTS_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", REACH],
        env={"FAILPOINTS": shots, **environment},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip()


def test_a_failpoint_ends_a_process_once(tmp_path):
    assert reach(tmp_path, "claim.committed=kill,order.debited=kill") == (-9, "")
    assert [marker.name for marker in tmp_path.iterdir()] == ["order.debited=kill"]
    assert reach(tmp_path, "claim.committed=kill,order.debited=kill") == (0, "on")


def test_a_failpoint_does_nothing_unless_it_is_armed(tmp_path):
    assert reach(tmp_path, "") == (0, "on")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shots", ["order.debited", "order.debited=sleep", "order.debited=kill;"])
def test_malformed_failpoints_are_refused(shots):
    with pytest.raises(ValidationError):
        Configuration.read({"FAILPOINTS": shots})


def test_production_refuses_failpoints():
    secrets = {
        name: token_urlsafe(40) for name in ("SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEYS", "POSTGRES_PASSWORD")
    }
    secrets["HOUSE_LOSS_PER_DAY"] = "500.00"
    assert Configuration.read({"DEBUG": "False", **secrets}).development.failpoints == []
    with pytest.raises(ValidationError, match="for tests"):
        Configuration.read({"DEBUG": "False", "FAILPOINTS": "order.debited=kill", **secrets})


def test_each_place_in_the_code_has_a_unique_name_that_a_test_uses():
    sources = [path for room in ("wallets", "trading", "settlement") for path in (PROJECT / room).rglob("*.py")]
    named = [name for path in sources for name in re.findall(r'reach\("([a-z_.]+)"\)', path.read_text())]
    assert sorted(named) == sorted(set(named))
    tested = "".join(path.read_text() for path in (PROJECT / "tests").rglob("*.py"))
    assert [name for name in named if f'"{name}' not in tested] == []
