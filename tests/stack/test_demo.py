import os
import re
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
        "market price / spread / price / fee",
        "20 / 0.00% / 20 / 0.00",
        "fees of completed orders",
        "purchases found by a lookup",
        "Everything is as it must be.",
    ):
        assert figure in done.stdout
    assert re.search(r"orders by a quote\W+1\W", done.stdout)
    # The seeder's price, or the ask that a worker has read: plus 0.5 %, by 0.999.
    for price in (
        r"65,000 / 0.50% / 65,390.3903904|65,013 / 0.50% / 65,403.46846847",
        r"0.12 / 0.50% / 0.12072073|0.120024 / 0.50% / 0.12074487",
    ):
        assert re.search(rf"\W({price}) / 0.00\W".replace(".", r"\."), done.stdout), done.stdout
