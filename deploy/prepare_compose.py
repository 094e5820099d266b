"""Write `.env` for Docker Compose, once: random secrets, and variables to fill in.

With --sandbox the file is for a trial on this machine: with the exchange simulator, with plain HTTP, and with
customers who may credit their own wallets.
"""  # noqa: INP001  a script, run by `task prepare-compose`

import argparse
import os
import secrets
import sys
from pathlib import Path

_SECRETS = (
    "SECRET_KEY",
    "JWT_SECRET_KEY",
    "ENCRYPTION_KEYS",
    "POSTGRES_PASSWORD",
    "POSTGRES_OWNER_PASSWORD",
    "REDIS_PASSWORD",
    "METRICS_TOKEN",
)
_PRODUCTION = """\
# The host names of this service, comma-separated; and the same with https:// in front, for the admin.
ALLOWED_HOSTS=localhost
CSRF_TRUSTED_ORIGINS=

# The address on which the proxy listens, and the address of the outer proxy: see deploy/nginx/nginx.conf.template
PUBLISH=127.0.0.1:8080
OUTER_PROXY=

# Sales stop for the rest of a UTC day on which the house has lost so many US dollars.
HOUSE_LOSS_PER_DAY=

# The venue where coins are bought, and the keys to our account there.
EXCHANGE_ID=binance
EXCHANGE_API_KEY=
EXCHANGE_API_SECRET=
EXCHANGE_API_PASSWORD=
"""
_SANDBOX = """\
# A trial: `docker compose exec web python manage.py seeder --force` writes coins, and `… bootstrap_staff` opens the
# account of an administrator.
ALLOWED_HOSTS=localhost
PUBLISH=127.0.0.1:8080
SECURE_SSL_REDIRECT=False
SELF_SERVICE_DEPOSITS=True
SELF_SERVICE_PAYOUTS=True
HOUSE_LOSS_PER_DAY=1000.00

COMPOSE_PROFILES=simulator
IMAGE_CONTENTS=sandbox
EXCHANGE_ID=binance
EXCHANGE_URL=http://simulator:9100
EXCHANGE_API_KEY=simulator-key
EXCHANGE_API_SECRET=simulator-secret
"""


def main() -> int:
    """Write the file and return the exit code: 1 if the file exists already."""
    parser = argparse.ArgumentParser(description="Write .env for Docker Compose.")
    parser.add_argument("--sandbox", action="store_true", help="for a trial, with the exchange simulator")
    parser.add_argument("file", nargs="?", type=Path, default=Path(".env"))
    options = parser.parse_args()
    lines = "".join(f"{name}={secrets.token_hex(32)}\n" for name in _SECRETS)
    text = (
        "# For docker-compose.yml; every variable of config.example.env may be added.\n"
        "# Compose reads $ and # in a value, except between single quotes.\n\n"
        "# Postgres keeps the owner's password that its data began with: back up this file; store it nowhere else.\n"
        f"{lines}\n{_SANDBOX if options.sandbox else _PRODUCTION}"
    )
    try:
        descriptor = os.open(options.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.stderr.write(f"{options.file} exists already, and its secrets are in use. Nothing was changed.\n")
        return 1
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)
    todo = "" if options.sandbox else " Fill in the rest of it."
    sys.stdout.write(f"{options.file} has new secrets.{todo} Then: task up\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
