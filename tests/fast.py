"""A pytest plugin for the loop while writing: `--fast` runs only the tests that use no database and start no process."""

_DATABASE = {"db", "transactional_db", "django_db_setup"}
# Folders, files, classes and tests that start processes, or use what is started, without a fixture for the database; and
# those that take seconds.
_PROCESSES = (
    "tests/benchmark/",
    "tests/clients/",
    "tests/conformance_clients/",
    "tests/faults/",
    "tests/opening/",
    "tests/simulator/",
    "tests/stack/",
    "tests/upgrade/",
    "tests/settlement/test_answers.py",
    "tests/settlement/test_nonces.py",
    "tests/settlement/test_venue_checks.py",
    "tests/site/test_configuration.py::TestAProcess",
    "tests/site/test_configuration.py::TestProduction::test_starts_with_random_secrets",
    "tests/site/test_deployment.py",
    "tests/site/test_tls.py",
    "tests/test_secrecy.py",
    "tests/wallets/test_failpoints.py",
)


def pytest_addoption(parser):
    parser.addoption("--fast", action="store_true", help="only tests without a database and without processes")


def pytest_ignore_collect(collection_path, config):
    """Do not even import what is left out as a whole."""
    if not config.getoption("--fast") or not collection_path.is_relative_to(config.rootpath):
        return None
    path = collection_path.relative_to(config.rootpath).as_posix() + ("/" if collection_path.is_dir() else "")
    return True if path.startswith(_PROCESSES) else None


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--fast"):
        return
    longer = [item for item in items if _takes_long(item)]
    left_out = set(longer)
    config.hook.pytest_deselected(items=longer)
    items[:] = [item for item in items if item not in left_out]


def _takes_long(item):
    uses_database = _DATABASE & set(item.fixturenames) or item.get_closest_marker("django_db")
    return uses_database or item.nodeid.startswith(_PROCESSES)
