"""A pytest plugin that marks tests as `long`: `task test` leaves them out, `task test:long` runs only them.

They start servers, workers or browsers of their own, kill them, or wait for a limit to pass: a twentieth of the tests
takes two thirds of the time. Continuous integration runs them too, and so does a command that names one.
"""

import pytest

_PROCESSES = {"make_api_process", "make_worker", "page", "browser"}
"""Fixtures that start a process of ours or a browser."""
_LONG = (
    "tests/benchmark/",
    "tests/clients/",
    "tests/faults/",
    "tests/opening/",
    "tests/settlement/test_arbitrage.py",
    "tests/settlement/test_deadlines.py",
    "tests/settlement/test_denials.py",
    "tests/settlement/test_fairness.py",
    "tests/settlement/test_false_answers.py",
    "tests/settlement/test_hard_fills.py",
    "tests/settlement/test_kraken_dialect.py",
    "tests/settlement/test_lies_to_a_worker.py",
    "tests/settlement/test_lossy_venue",
    "tests/settlement/test_pausing.py",
    "tests/settlement/test_plans.py",
    "tests/settlement/test_price_readings.py",
    "tests/settlement/test_reconciling.py",
    "tests/settlement/test_restoring.py",
    "tests/settlement/test_result_over_lossy_runs.py",
    "tests/settlement/test_several_venues.py",
    "tests/settlement/test_state_machine.py",
    "tests/settlement/test_unmoved_market.py",
    "tests/settlement/test_venues_apart.py",
    "tests/site/test_browser",
    "tests/site/test_long_answers.py",
    "tests/site/test_one_person.py",
    "tests/site/test_readable_data.py",
    "tests/site/test_stopping.py",
    "tests/stack/test_demo.py",
    "tests/stack/test_sandbox.py",
    "tests/stack/test_stack.py",
    "tests/upgrade/",
    "tests/wallets/test_username_migration.py",
)
"""Tests that take more than a second or so each without such a fixture."""
_KEPT = (
    "tests/settlement/test_jobs.py::TestWorker",
    "tests/settlement/test_sales_stop.py",
    "tests/site/test_processes.py::test_fifty_orders_at_once",
    "tests/site/test_processes.py::test_of_fifty_orders_at_once",
    "tests/site/test_tls.py",
)
"""Tests with processes that are ordinary ones: of each kind of process some."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if _is_long(item):
            item.add_marker(pytest.mark.long)


def _is_long(item):
    has_process = _PROCESSES & set(item.fixturenames) and not item.nodeid.startswith(_KEPT)
    return has_process or item.nodeid.startswith(_LONG)
