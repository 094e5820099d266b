import os
import subprocess
import sys

from exchange_site.stack.processes import PROJECT


def test_the_demo_settles_its_orders_and_reports_them(tmp_path):
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("POSTGRES_", "REDIS_", "EXCHANGE_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "exchange_site.stack", "demo"],
        cwd=PROJECT,
        env={**environment, "DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for figure in (
        "orders completed",
        "orders refunded",
        "purchases found by a lookup",
        "Everything is as it must be.",
    ):
        assert figure in done.stdout
