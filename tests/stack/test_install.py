"""`.ci/install`, with a uv that says what the real one says: it shows how far it is, and a mistake costs one sentence."""

import importlib.metadata
import re
import stat
import subprocess
import sys
import venv
from pathlib import Path

import pip
import pytest

from exchange_site.stack.processes import PROJECT
from tests.ci_scripts import load
from tests.stack.disks import small_disk

packages, package_index = load("packages"), load("package_index")

# As uv 0.13 prints it, without a terminal.
INSTALLED = """
echo 'Resolved 79 packages in 5ms' >&2
echo 'Downloading cryptography (4.5MiB)' >&2
echo ' Downloaded cryptography' >&2
echo 'Prepared 1 package in 651ms' >&2
echo 'Installed 79 packages in 36ms' >&2
"""
NO_NETWORK = """
echo 'error: Request failed after 3 retries in 11.7s' >&2
echo '  cause: Failed to fetch: `https://index.example/simple/django/`' >&2
echo '  cause: client error (Connect)' >&2
echo '  cause: dns error: failed to lookup address information: Name or service not known' >&2
exit 2
"""
UNKNOWN_CERTIFICATE = """
echo 'error: Failed to fetch: `https://index.example/simple/django/`' >&2
echo '  Caused by: invalid peer certificate: UnknownIssuer' >&2
exit 2
"""
FULL = """
echo 'error: Failed to install: django-5.2.19-py3-none-any.whl' >&2
echo '  Caused by: failed to copy file: No space left on device (os error 28)' >&2
exit 2
"""


@pytest.fixture
def environment(tmp_path):
    """A virtual environment with nothing in it."""
    venv.create(tmp_path / "environment", with_pip=False, symlinks=True)
    return tmp_path / "environment"


def program(path, script):
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def install(environment, uv, *arguments):
    """Run .ci/install with the Python of an environment, where `uv` is a shell script; without one there is none."""
    if uv is not None:
        program(environment / "bin" / "uv", uv)
    return subprocess.run(
        ["sh", ".ci/install", str(environment / "bin" / "python"), *(arguments or ("demo",))],
        cwd=PROJECT,
        env={"PATH": f"{environment / 'bin'}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def stamp(environment):
    return environment / ".crypto-exchange-requirements"


def pins(name):
    return set(re.findall(r"^([a-z0-9-]+==[^ \\]+)", (PROJECT / name).read_text(), re.MULTILINE))


class TestInstall:
    def test_says_what_it_installs_and_where(self, environment):
        done = install(environment, INSTALLED)
        assert done.returncode == 0, done.stderr
        assert re.search(
            rf"^Installing \d\d packages to run the system into {environment}, where they will take about \d+ MB$",
            done.stderr,
            re.MULTILINE,
        )

    def test_does_nothing_when_nothing_changed(self, environment):
        assert install(environment, INSTALLED).returncode == 0
        again = install(environment, "exit 3")
        assert (again.returncode, again.stderr) == (0, "")

    def test_does_nothing_for_the_smaller_set_when_the_larger_one_is_there(self, environment):
        assert install(environment, INSTALLED, "dev").returncode == 0
        assert install(environment, "exit 3", "demo").returncode == 0

    def test_installs_the_larger_set_when_the_smaller_one_is_there(self, environment):
        assert install(environment, INSTALLED, "demo").returncode == 0
        done = install(environment, INSTALLED, "dev")
        assert "to run and to test the system" in done.stderr

    def test_installs_again_when_asked(self, environment):
        assert install(environment, INSTALLED).returncode == 0
        assert "Installing" in install(environment, INSTALLED, "demo", "again").stderr

    def test_gives_a_sign_of_life_every_few_seconds(self, environment):
        """A line every four seconds: a machine that is busy may print one of two late, but not both."""
        done = install(environment, f"echo 'Resolved 79 packages in 5ms' >&2; sleep 9\n{INSTALLED}")
        assert done.returncode == 0
        assert re.search(r"^  downloading, \d+ s$", done.stderr, re.MULTILINE)

    def test_counts_sizes_in_megabytes_as_its_first_line_does(self):
        downloads = packages.Downloads()
        lines = (
            "Resolved 79 packages in 5ms",
            "Downloading ccxt (10.0MiB)",
            " Downloaded ccxt",
            "Downloading rich (4.5MiB)",
        )
        for line in lines:
            downloads.read(line)
        assert downloads.progress() == ("downloading", 10, 15, "MB")

    def test_compiles_what_is_imported(self, environment):
        library = next((environment / "lib").glob("python3*/site-packages"))
        (library / "ccxt" / "async_support").mkdir(parents=True)
        for name in ("ccxt/binance.py", "ccxt/async_support/binance.py"):
            (library / name).write_text("venue = 'binance'\n")
        assert install(environment, INSTALLED).returncode == 0
        assert list((library / "ccxt" / "__pycache__").glob("binance*.pyc"))
        assert not (library / "ccxt" / "async_support" / "__pycache__").exists()


class TestRefused:
    @pytest.mark.parametrize("version", [(3, 10, 13), (3, 14, 0)])
    def test_a_python_that_is_too_old_or_too_new(self, environment, tmp_path, version):
        other = f"import sys; sys.version_info = {version}; exec(sys.argv[2])"
        shown = ".".join(map(str, version))
        python = program(
            tmp_path / "python3",
            f"[ \"$1\" = --version ] && echo 'Python {shown}' && exit\nexec {sys.executable} -c '{other}' \"$@\"",
        )
        program(environment / "bin" / "uv", f"touch {tmp_path}/called")
        done = subprocess.run(
            ["sh", ".ci/install", str(python), "demo"], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert f"is Python {shown}, and the packages are for Python 3.11, 3.12 and 3.13" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert not (tmp_path / "called").exists()

    def test_no_python_at_all(self):
        done = subprocess.run(
            ["sh", ".ci/install", "python-that-is-not-there", "demo"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, "There is no python3. Install Python 3.11, 3.12 or 3.13.\n")

    def test_no_uv(self, environment):
        done = install(environment, None)
        assert (done.returncode, done.stderr) == (1, "uv is missing: pip install uv\n")

    @pytest.mark.parametrize(
        ("uv", "sentence"),
        [
            (NO_NETWORK, "No package index answers (dns error: failed to lookup address information"),
            (UNKNOWN_CERTIFICATE, "SSL_CERT_FILE"),
            (FULL, "The disk is full: the packages need about"),
        ],
    )
    def test_whatever_uv_cannot_do(self, environment, uv, sentence):
        done = install(environment, uv)
        assert done.returncode == 1
        said = done.stderr.strip().splitlines()
        assert len(said) == 2  # after the line about the packages
        assert sentence in said[-1]
        assert "index.example" not in said[-1]
        assert not stamp(environment).exists()

    def test_other_words_of_uv_are_shown(self, environment):
        done = install(environment, "echo 'error: Hash mismatch for `django==5.2.19`' >&2; exit 1")
        assert done.returncode == 1
        assert "Hash mismatch" in done.stderr

    def test_a_disk_that_is_too_small(self):
        with small_disk(megabytes=40) as disk:
            venv.create(disk / "environment", with_pip=False, symlinks=True)
            done = install(disk / "environment", "exit 3")
        assert done.returncode == 1
        assert re.search(r"The disk is full: the packages need about \d+ MB in .*, and \d+ MB are free", done.stderr)


@pytest.fixture
def home(tmp_path):
    """The home of a user whose pip is configured as on a company's machine."""
    lines = [
        "index-url = https://own.example/simple",
        "extra-index-url = https://more.example/simple",
        "proxy = proxy.example:3128",
        "cert = /etc/company.pem",
    ]
    configure_pip(tmp_path / "home/.config/pip/pip.conf", *lines)
    return tmp_path / "home"


@pytest.fixture
def python(environment):
    """The Python of a virtual environment, with the pip of the one that runs the tests."""
    [packages_of_environment] = environment.glob("lib/python*/site-packages")
    (packages_of_environment / "pip.pth").write_text(str(Path(pip.__file__).parents[1]))
    return str(environment / "bin" / "python")


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch, tmp_path):
    """Many companies' machines have /etc/uv/uv.toml."""
    monkeypatch.setattr(package_index, "_SYSTEM_SETTINGS", tmp_path / "etc")


def configure_pip(file, *lines, section="global"):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([f"[{section}]", *lines, ""]))


TOLD = {"UV_DEFAULT_INDEX", "ALL_PROXY", "SSL_CERT_FILE"}


def variables(python, home, **given):
    """Return the variables for uv, but not the one that goes by the machine's certificates."""
    found = package_index.variables_for_uv({"HOME": str(home), **given}, python=python)
    found.pop("UV_SYSTEM_CERTS", None)
    return found


class TestThePackageIndex:
    def test_is_the_one_of_pip_if_uv_has_none(self, python, home):
        expected = {
            "UV_DEFAULT_INDEX": "https://own.example/simple",
            "ALL_PROXY": "proxy.example:3128",
            "SSL_CERT_FILE": "/etc/company.pem",
        }
        assert variables(python, home).items() >= expected.items()

    def test_is_the_one_of_the_environment_first(self, python, home):
        given = "https://named.example/simple"
        assert variables(python, home, PIP_INDEX_URL=given)["UV_DEFAULT_INDEX"] == given

    def test_is_the_one_that_pip_takes_of_several_files(self, python, home, environment, tmp_path):
        """Whatever the names of the files: sorted by them, the user's is the last one."""
        own, named = environment / "pip.conf", tmp_path / "a/named.conf"
        configure_pip(own, "index-url = https://environment.example/simple", "cert =")
        found = variables(python, home)
        assert found["UV_DEFAULT_INDEX"] == "https://environment.example/simple"
        assert (found["ALL_PROXY"], found["SSL_CERT_FILE"]) == ("proxy.example:3128", "/etc/company.pem")

        configure_pip(named, "index_url = https://further.example/simple")
        found = variables(python, home, PIP_CONFIG_FILE=str(named))  # in place of the user's
        assert found["UV_DEFAULT_INDEX"] == "https://further.example/simple"
        assert found.get("ALL_PROXY") != "proxy.example:3128"

        configure_pip(own, "index-url = https://install.example/simple", section="install")
        assert variables(python, home)["UV_DEFAULT_INDEX"] == "https://install.example/simple"
        assert variables(python, home, PIP_CONFIG_FILE="/dev/null").keys() & TOLD == set()

    def test_is_the_one_that_pip_itself_takes(self, python, home, environment):
        configure_pip(environment / "pip.conf", "index-url = http://127.0.0.1:9/of-the-environment/simple", "proxy =")
        given = {"HOME": str(home), "PIP_PROXY": "", "PIP_RETRIES": "0"}
        download = [python, "-m", "pip", "download", "-vv", "--no-deps", "no-such-package"]
        done = subprocess.run(download, env=given, capture_output=True, text=True, check=False, timeout=60)
        assert f"{variables(python, home)['UV_DEFAULT_INDEX']}/no-such-package" in done.stdout, done.stderr

    @pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE"])
    def test_of_uv_itself_stays(self, python, home, name):
        given = {name: "its own", "HTTPS_PROXY": "its own", "SSL_CERT_FILE": "its own"}
        assert variables(python, home, **given) == {"HOME": str(home), **given}

    def test_in_a_file_of_uv_stays(self, python, home):
        (home / ".config/uv").mkdir(parents=True)
        (home / ".config/uv/uv.toml").touch()
        assert "UV_DEFAULT_INDEX" not in variables(python, home)

    def test_in_a_file_of_uv_for_the_whole_machine_stays(self, python, home, tmp_path):
        (tmp_path / "etc/uv").mkdir(parents=True)
        (tmp_path / "etc/uv/uv.toml").touch()
        assert "UV_DEFAULT_INDEX" not in variables(python, home)

    def test_is_uvs_own_where_nothing_is_configured(self, python, tmp_path):
        for each in (python, str(tmp_path / "none")):
            given = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"}
            assert variables(each, tmp_path, PIP_CONFIG_FILE="/dev/null") == given

    @pytest.mark.parametrize("command", [(".ci/install", "demo"), (".ci/sbom", "sbom.json")])
    def test_is_told_to_uv_by_each_script(self, environment, tmp_path, command):
        """Also by task update and task clients, which call the same function, and need a network.

        Told by its proxy, because a file of uv for the whole machine has another index.
        """
        script, *more = command
        noted = tmp_path / "noted"
        program(environment / "bin" / "uv", f'[ "$1" = venv ] || echo "$ALL_PROXY" > {noted}')
        done = subprocess.run(
            ["sh", script, str(environment / "bin" / "python"), *more],
            cwd=PROJECT,
            env={"PATH": f"{environment / 'bin'}:/usr/bin:/bin", "PIP_PROXY": "proxy.example:3128"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert noted.read_text() == "proxy.example:3128\n", done.stderr


class TestSets:
    def test_each_contains_the_one_before_with_the_same_versions(self):
        image, demo, dev = (pins(f"requirements{end}.txt") for end in ("", "-demo", "-dev"))
        assert image < demo < dev

    def test_the_demo_has_no_tool_of_tests_and_checks(self):
        names = {pin.partition("==")[0] for pin in pins("requirements-demo.txt")}
        assert not names & {"pytest", "mypy", "ruff", "playwright", "hypothesis", "schemathesis", "coverage", "pyyaml"}

    def test_the_demo_needs_less_than_350_megabytes(self):
        """With bytecode, as installed here."""
        size = sum(map(size_of, {pin.partition("==")[0] for pin in pins("requirements-demo.txt")}))
        assert size < 350
        assert packages.SETS["demo"].megabytes == pytest.approx(size, rel=0.2)

    @pytest.mark.parametrize("name", ["requirements.txt", "requirements-demo.txt", "requirements-dev.txt"])
    def test_no_file_names_a_package_index(self, name):
        assert "://" not in (PROJECT / name).read_text()


def size_of(name):
    """Return the megabytes that a package has on the disk, with its bytecode; 0 if it is for other platforms."""
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        return 0
    places = {Path(file.locate()) for file in files if file.suffix != ".pyc"}
    for place in list(places):
        if place.suffix == ".py" and not packages.is_never_imported(place):
            places.update(place.parent.glob(f"__pycache__/{place.stem}.cpython-*.pyc"))
    return sum(place.stat().st_size for place in places if place.exists()) / 1_000_000


class TestHelp:
    def test_lists_each_task_once_below_a_heading(self):
        taskfile = (PROJECT / "Taskfile.yml").read_text()
        described = re.findall(r"^  ([a-z:-]+):\n(?:    (?!desc).*\n)*    desc: ", taskfile, re.MULTILINE)
        shown = subprocess.run(
            ["awk", "-f", ".ci/help.awk", "Taskfile.yml"], cwd=PROJECT, capture_output=True, text=True, check=True
        ).stdout
        assert re.findall(r"^  task ([a-z:-]+) ", shown, re.MULTILINE) == described
        headings = [line for line in shown.splitlines() if line and not line.startswith(" ")]
        assert headings[:4] == ["Running", "Testing", "Checking", "Database"]
        assert shown.startswith("Running\n")
