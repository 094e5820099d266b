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
    "tests/settlement/test_repurchasing.py::TestRepurchase::test_of_a_process_that_is_killed",
    "tests/settlement/test_restoring.py",
    "tests/settlement/test_result_over_lossy_runs.py",
    "tests/settlement/test_several_venues.py",
    "tests/settlement/test_state_machine.py",
    "tests/settlement/test_unmoved_market.py",
    "tests/settlement/test_venue_checks.py::TestAtStart::test_a_worker_",
    "tests/settlement/test_venues_apart.py",
    "tests/site/test_browser",
    "tests/site/test_configuration.py::TestProduction::test_starts_with_random_secrets",
    "tests/site/test_database_roles.py::TestAProcess",
    "tests/site/test_database_roles.py::TestTheCommand::test_serves_an_owner_who_is_no_superuser",
    "tests/site/test_deployment.py::TestImage::test_works_without_the_modules_that_it_leaves_out",
    "tests/site/test_logs.py::test_production_logs_json_with_ids_and_no_secret",
    "tests/site/test_long_answers.py",
    "tests/site/test_one_person.py",
    "tests/site/test_readable_data.py",
    "tests/site/test_stopping.py",
    "tests/site/test_telemetry.py::TestTrace::test_goes_from_the_request_over_its_jobs_to_the_venue",
    "tests/site/test_telemetry.py::TestTrace::test_keeps_no_process_from_ending_while_the_collector_is_silent",
    "tests/stack/test_demo.py",
    "tests/stack/test_install.py::TestInstall::test_gives_a_sign_of_life_every_few_seconds",
    "tests/stack/test_sandbox.py",
    "tests/stack/test_stack.py",
    "tests/trading/test_held_wallets.py::TestAWalletThatIsHeld::test_does_not_keep_other_customers_waiting",
    "tests/trading/test_price_rules.py::TestAStart",
    "tests/trading/test_stories.py",
    "tests/upgrade/",
    "tests/wallets/test_answers_about_payouts.py::TestAStatement::test_is_taken_to_the_end_after_a_kill",
    "tests/wallets/test_exporting_payouts.py::TestAKilledExport",
    "tests/wallets/test_failpoints.py",
    "tests/wallets/test_proposals.py::TestAKilledApproval",
    "tests/wallets/test_returned_lines.py::test_a_process_that_is_killed",
    "tests/wallets/test_returns.py::test_a_process_that_is_killed",
    "tests/wallets/test_statements.py::TestAKilledImport",
    "tests/wallets/test_username_migration.py",
)
"""Tests that take more than a second or so each without such a fixture, because they start processes or wait."""
_KEPT = (
    "tests/settlement/test_jobs.py::TestWorker::test_buys_a_full_pool_although_its_counter_was_flushed",
    "tests/settlement/test_jobs.py::TestWorker::test_completes_orders_placed_while_no_worker_ran",
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
