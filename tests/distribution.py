"""A pytest plugin that distributes the tests over the processes of pytest-xdist: what takes longest begins first.

So both processes of a run end at about the same time. The order changes no result.
"""

from xdist.scheduler import LoadFileScheduling, LoadScopeScheduling

# Measured on two cores; only what takes half a minute or so matters. The faults share one world, see their conftest.
_FAULTS = "tests/faults/"
_LIES = "tests/faults/test_exchange.py::test_orders_survive_a_venue_that_gives_wrong_answers["
_SLOWEST = (
    _LIES,
    "tests/faults/test_restore.py",
    "tests/settlement/test_lossy_venue.py",
    _FAULTS,
    "tests/stack/test_stack.py",
    "tests/clients/",
    "tests/opening/",
    "tests/site/test_front.py",
    "tests/site/test_two_persons.py",
    "tests/site/test_admin.py",
    "tests/site/test_database_roles.py",
    "tests/site/test_browser.py",
    "tests/settlement/test_lies_to_a_worker.py",
    "tests/settlement/test_jobs.py",
    "tests/site/test_kept_connections.py",
    "tests/site/test_processes.py",
    "tests/site/test_floods.py",
    "tests/settlement/test_plans.py",
    "tests/settlement/test_result_over_lossy_runs.py",
    "tests/settlement/test_state_machine.py",
    "tests/site/test_schemathesis.py",
    "tests/site/test_tls.py",
    "tests/site/test_attacker.py",
    "tests/stack/test_demo.py",
    "tests/benchmark/test_cost.py",
    "tests/benchmark/test_turns.py",
    "tests/site/test_configuration.py",
    "tests/wallets/test_answers_about_payouts.py",
    "tests/settlement/test_balances.py",
    "tests/settlement/test_isolating.py",
    "tests/settlement/test_price_moves.py",
    "tests/settlement/test_reconciling.py",
    "tests/settlement/test_settling.py",
    "tests/benchmark/test_benchmark.py",
    "tests/site/test_metrics.py",
    "tests/site/test_clocks.py",
    "tests/site/test_limits.py",
)


def pytest_collection_modifyitems(items):
    items.sort(key=_place)


def _place(item):
    return next((place for place, start in enumerate(_SLOWEST) if item.nodeid.startswith(start)), len(_SLOWEST))


def pytest_xdist_make_scheduler(config, log):
    if config.getvalue("dist") == "loadscope":
        return _SchedulingOfFaults(config, log)
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # pytest-xdist would put the files with the most tests first
    return _Scheduling(config, log)


class _Scheduling(LoadFileScheduling):
    """Give each file to one process, and the whole matrix of faults to one, because starting its world takes long."""

    def _split_scope(self, nodeid):
        return _FAULTS if nodeid.startswith(_FAULTS) else super()._split_scope(nodeid)


class _SchedulingOfFaults(LoadScopeScheduling):
    """Give each test to any process, and a venue's lies to one: each process that had one of them would play them all."""

    def _split_scope(self, nodeid):
        return _LIES if nodeid.startswith(_LIES) else nodeid
