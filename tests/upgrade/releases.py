"""Another release of the project beside this one: its code in a folder, and its processes on a given database."""

import os
import re
import shutil
import subprocess
import tarfile
import uuid
from contextlib import ExitStack, contextmanager, suppress
from io import BytesIO

import httpx
import psycopg

from exchange_site.stack.environment import simulator_credentials, split_owner
from exchange_site.stack.processes import (
    API,
    PROJECT,
    WORKER,
    NotInTime,
    free_port,
    local_url,
    manage,
    wait_for_answer,
    wait_until,
)
from tests.owner import owner_parameters
from tests.patience import stretched
from tests.processes import stopped

PREVIOUS_RELEASE = "7cdfff3fd09919c25d261a0867d24d979c56d751"
"""The commit that runs in production while this one is deployed. Change it with each release."""


def unpack_previous_release(folder):
    """Write the files of the previous release into a folder. Return False if this clone does not have them."""
    if shutil.which("git") is None:
        return False
    packed = subprocess.run(
        ["git", "archive", "--format=tar", PREVIOUS_RELEASE], cwd=PROJECT, capture_output=True, check=False
    )
    if packed.returncode:
        return False
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return True


@contextmanager
def new_database():
    """Make an empty database for the `with` block."""
    name = f"upgrade_{uuid.uuid4().hex}"
    with psycopg.connect(**owner_parameters() | {"dbname": "postgres"}, autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name}")
        yield name
        owner.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Release:
    """The code in a folder. Each process ends with the stack that it is started on."""

    def __init__(self, code, *, database, venue, logs):
        self._code, self._logs = code, logs
        # Coverage is of this release's files only.
        given = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTHONPATH"))}
        self._environment = {
            **split_owner(given if code != PROJECT else os.environ)[0],
            **simulator_credentials(),
            "POSTGRES_DB": database,
            "POSTGRES_POOL_SIZE": "0",
            "EXCHANGE_URL": venue,
            "LOGLEVEL": "WARNING",
            "WEB_WORKERS": "1",
            "WEB_THREADS": "4",
            "SWEEP_CRON": "* * * * * *",
            "SWEEP_AFTER_SECONDS": "1",
        }

    def manage(self, *arguments, as_owner=False):
        """Run a management command. Return its output; a failure raises."""
        owner = owner_parameters()
        known = {"POSTGRES_OWNER_USER": owner["user"], "POSTGRES_OWNER_PASSWORD": owner["password"]}
        done = subprocess.run(
            manage(*arguments),
            cwd=self._code,
            env={**self._environment, **(known if as_owner else {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=stretched(240),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start_api(self, stack: ExitStack):
        """Start the API, and return its URL when it answers."""
        port = free_port()
        process = self._start(stack, API, "api", PORT=str(port))
        wait_for_answer(f"{local_url(port)}/health/", seconds=stretched(60), by=process)
        return local_url(port)

    def start_worker(self, stack: ExitStack):
        """Start a worker, which is at work some seconds later."""
        self._start(stack, WORKER, "worker")

    def log_of(self, name):
        """Return the output of the processes of this name."""
        return (self._logs / f"{name}.log").read_text()

    def _start(self, stack, command, name, **environment):
        with (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self._code,
                env={**self._environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return stack.enter_context(stopped(process))


class Story:
    """A customer and a member of staff who use an API. `failed` has the status of each step that was refused."""

    def __init__(self, url, name):
        self._name, self.failed = name, {}
        self.site = httpx.Client(base_url=url, timeout=30)
        self.api = httpx.Client(base_url=f"{url}/api/v1/", timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.site.close()
        self.api.close()

    def tell(self):
        """Take every step, also after one that failed. Return the failed ones with their status."""
        self.sign_in("register")
        self.deposit()
        large, small = self.order("25.00"), self.order("2.00")
        self.step("cancel", "POST", f"orders/{small}/cancel/")
        for path in ("accounts/wallet/", "orders/", "transactions/", "accounts/holdings/"):
            self.step(path, "GET", path)
        self.step("coins", "GET", "exchanges/crypto-currencies/")
        if large:
            self.wait_until_settled(large)
        self.read_admin()
        return self.failed

    def sign_in(self, how):
        answer = self.step(how, "POST", f"accounts/auth/{how}/", {"username": self._name, "password": "password123"})
        self.api.headers["Authorization"] = f"Bearer {answer.get('access', 'none')}"

    def deposit(self):
        self.step("deposit", "PATCH", "accounts/wallet/deposit/", {"amount": "100.00"})

    def order(self, total):
        """Place an order, and return its id; None if it is refused."""
        return self.step(f"order of {total}", "POST", "orders/", {"crypto": "ABAN", "total": total}).get("id")

    def wait_until_settled(self, order):
        """Wait until the order is completed, or cannot be read."""
        with suppress(NotInTime):
            wait_until(lambda: self._has_settled(order), seconds=stretched(60))
            return
        self.failed["settlement"] = "not in time"

    def _has_settled(self, order):
        return self.step("order", "GET", f"orders/{order}/").get("state") == "completed" or "order" in self.failed

    def holding(self):
        """Return how many coins the customer has."""
        held = self.step("holdings", "GET", "accounts/holdings/")
        return {each["crypto"]: each["amount"] for each in held}

    def read_admin(self):
        """Sign in as the seeded administrator, and open every list."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.site.get("/admin/login/").text)
        self.site.post(
            "/admin/login/",
            data={"username": "admin", "password": "new_password", "csrfmiddlewaretoken": token[1] if token else ""},
        )
        index = self.site.get("/admin/")
        self._judge("admin", index)
        lists = set(re.findall(r'href="(/admin/\w+/\w+/)"', index.text))
        for path in sorted(lists):
            self._judge(path, self.site.get(path))
        if index.status_code == 200:
            assert len(lists) > 10, index.text

    def step(self, name, method, path, body=None):
        """Make a call, note its status if it failed, and return the answer's body; nothing if it failed."""
        answer = self.api.request(method, path, json=body)
        return answer.json() if self._judge(name, answer) else {}

    def _judge(self, name, answer):
        if answer.status_code >= 300:
            self.failed[name] = answer.status_code
        return answer.status_code < 300
