"""A new installation with production's settings: API, worker, exchange simulator, mail server and commands."""

import os
import secrets
import subprocess
from contextlib import contextmanager

from django.conf import settings

from exchange_site.configuration import VARIABLES
from exchange_site.stack.processes import API, WORKER, free_port, local_url, manage, start, wait_for_answer
from tests.conftest import process_environment
from tests.image import install_image
from tests.patience import stretched
from tests.processes import stopped

OUR_ACCOUNT = "DE89370400440532013000"
_SECRETS = ("SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEYS")
_IN_PRODUCTION = {
    each.name: each.words["in_production"] for each in VARIABLES.values() if "in_production" in each.words
}


class Installation:
    """The variables of an installation's processes, and its commands."""

    def __init__(self, *, folder, mail_port, venue_url):
        self.folder, self.project = folder, folder / "project"
        port = free_port()
        self.site = local_url(port)
        self.environment = production_environment(
            PORT=str(port),
            EXCHANGE_URL=venue_url,
            EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=str(mail_port),
            EMAIL_TLS="none",
            EMAIL_LINK_URL="https://shop.example",
            OUR_ACCOUNTS=OUR_ACCOUNT,
            PAYOUT_ACCOUNT=OUR_ACCOUNT,
            PAYOUT_ACCOUNT_BANK="DEUTDEFF",
            PAYOUT_ACCOUNT_NAME="Example Exchange",
        )

    @contextmanager
    def running(self):
        """Install the project as the image does, and run the API and a worker."""
        self._install()
        self._encrypt_by_own_key()
        logs = {name: self.folder / f"{name}.log" for name in ("api", "worker")}
        with (
            stopped(start(self._here(API), environment=self.environment, output=logs["api"])) as api,
            stopped(start(self._here(WORKER), environment=self.environment, output=logs["worker"])),
        ):
            wait_for_answer(f"{self.site}/health/ready/", seconds=stretched(60), by=api)
            yield

    def command(self, *arguments, fails=False, by=None):
        """Run a command as production does, in the name of a person if given, and return what it printed."""
        done = self._run(arguments, self.environment, by=by)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def killed_command(self, *arguments, at, by):
        """Run a command in the name of a person that is killed at a failpoint, which production refuses."""
        done = self._debug(arguments, by=by, FAILPOINTS=f"{at}=kill", FAILPOINTS_DIR=str(self.folder))
        assert done.returncode == -9, done.stdout + done.stderr

    def _install(self):
        """Copy what the image of production holds, and collect the static files of the admin, without which no page opens."""
        install_image(self.project)
        self.command("collectstatic", "--noinput", "--verbosity", "0")

    def _encrypt_by_own_key(self):
        """Encrypt what the tests' database holds from its migration by the installation's key: production refuses theirs."""
        keys = [self.environment["ENCRYPTION_KEYS"], *settings.ENCRYPTION.keys]
        done = self._debug(["rotate_keys"], ENCRYPTION_KEYS=",".join(keys))
        assert done.returncode == 0, done.stdout + done.stderr

    def _debug(self, arguments, *, by=None, **more):
        """Run a command in debug mode, with every other value of production."""
        return self._run(arguments, {**_IN_PRODUCTION, **self.environment, "DEBUG": "True", **more}, by=by)

    def _here(self, command):
        return ("env", f"--chdir={self.project}", *command)

    def _run(self, arguments, environment, *, by):
        person = ("--by", by.name, "--password-stdin") if by else ()
        command, typed = self._here(manage(*arguments, *person)), by.proof() if by else ""
        return subprocess.run(
            command, env=environment, input=typed, capture_output=True, text=True, check=False, timeout=120
        )


def production_environment(**more):
    """Return the variables of a process in production, at a simulator and without TLS, with production's limits."""
    given = process_environment(
        DEBUG="False",
        SECURE_SSL_REDIRECT="False",
        HOUSE_LOSS_PER_DAY="500.00",
        WEB_WORKERS="1",
        POSTGRES_PASSWORD=os.environ.get("POSTGRES_PASSWORD") or secrets.token_urlsafe(24),
        **{name: secrets.token_urlsafe(50) for name in _SECRETS},
        **more,
    )
    return {name: value for name, value in given.items() if not name.startswith("RATE_LIMIT_")}
