"""A rolling upgrade: the previous release's code on today's schema, and today's code on the previous schema.

Today's code needs what its own migrations add. Before they have run it does what it can, and what it cannot leaves no
trace and works as soon as they have run, without a restart.
"""

import re
from contextlib import ExitStack
from functools import partial
from types import SimpleNamespace

import psycopg
import pytest
from django.apps import apps

from exchange_site.stack.processes import PROJECT
from tests.owner import owner_parameters
from tests.processes import wait_for
from tests.simulators import running_simulator
from tests.upgrade.releases import PREVIOUS_RELEASE, Release, Story, new_database, unpack_previous_release

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def upgrade(tmp_path_factory):
    """Upgrade a database in which the previous release works, and note how each story went."""
    folder = tmp_path_factory.mktemp("upgrade")
    code = folder / "code"
    if not unpack_previous_release(code):
        pytest.skip(f"the previous release, {PREVIOUS_RELEASE:.12}, is not in this clone: git fetch --unshallow")
    with ExitStack() as stack:
        database = stack.enter_context(new_database())
        venue = stack.enter_context(running_simulator(folder)).url
        previous, today = (
            Release(place, database=database, venue=venue, logs=make_folder(folder / name))
            for place, name in ((code, "previous"), (PROJECT, "today"))
        )
        yield upgrade_step_by_step(stack, previous, today, database)


def upgrade_step_by_step(stack, previous, today, database):
    seen = SimpleNamespace()

    def story(api, name):
        return stack.enter_context(Story(api, name))

    previous.manage("migrate", "--noinput", as_owner=True)
    previous.manage("seeder")
    with ExitStack() as until_replaced:
        old_api = previous.start_api(until_replaced)
        previous.start_worker(until_replaced)
        early = story(old_api, "customer-of-before")
        early.sign_in("register")
        early.deposit()
        seen.waiting_order = early.order("2.00")

        seen.missing = list_missing_columns(database)
        new_api = today.start_api(stack)
        seen.today_on_previous = story(new_api, "early-customer").tell()
        seen.log_before = today.log_of("api")

        today.manage("migrate", "--noinput", as_owner=True)
        seen.previous_on_today = story(old_api, "late-customer").tell()

        seen.with_fee = story(new_api, "customer-with-a-fee")
        seen.order_with_fee = place_order_with_fee(seen.with_fee, database)
        seen.by_previous_worker = watch_previous_worker(seen.order_with_fee, database, previous)
    today.start_worker(stack)
    seen.today_on_today = story(new_api, "new-customer").tell()
    seen.customer_of_before = story(new_api, "customer-of-before")
    seen.query = partial(query, database)
    seen.verify_ledger = lambda: today.manage("verify_ledger")
    return seen


def query(database, statement, *values):
    """Run a statement as the owner, and return its rows."""
    with psycopg.connect(**owner_parameters() | {"dbname": database}) as owner:
        cursor = owner.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def place_order_with_fee(customer, database):
    """Make a price rule with a fee, by which the customer orders of today's API. Return the order's id."""
    query(
        database,
        "INSERT INTO trading_pricerule (coin_id, spread_rate, fee_rate, fee_minimum, reason)"
        " SELECT id, 0.005, 0.01, 0, 'a fee of one percent' FROM trading_coin WHERE name = 'ABAN'",
    )
    customer.sign_in("register")
    customer.deposit()
    return customer.order("27.00")


def watch_previous_worker(order, database, previous):
    """Wait until the previous release's worker has bought the order and could not complete it. Return what it left."""
    wait_for(lambda: "has stalled in state sent" in previous.log_of("worker"), seconds=90)
    return query(
        database,
        "SELECT placed.state, attempt.state,"
        " (SELECT count(*) FROM wallets_transaction moved"
        "   WHERE moved.kind NOT IN ('deposit', 'purchase') AND moved.created_at > placed.created_at)"
        " FROM trading_order placed JOIN settlement_attempt attempt USING (batch_id) WHERE placed.id = %s",
        order,
    )


def list_missing_columns(database):
    """Return the tables and columns of today's models that the database does not have."""
    with psycopg.connect(**owner_parameters() | {"dbname": database}) as owner:
        there = set(owner.execute("SELECT table_name, column_name FROM information_schema.columns"))
    wanted = {
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.local_concrete_fields
    }
    return wanted - there


def make_folder(path):
    path.mkdir()
    return path


class TestThePreviousRelease:
    def test_works_on_todays_schema(self, upgrade):
        """Register, deposit, order, cancel, settle, read, and every list of the admin."""
        assert upgrade.previous_on_today == {}

    def test_completes_no_order_with_a_fee(self, upgrade):
        """It would book the fee as revenue. It has bought the coins, and leaves everything else to today's worker."""
        assert upgrade.by_previous_worker == [("settling", "sent", 0)]


class TestTodaysCode:
    def test_does_on_the_previous_schema_what_needs_no_new_column(self, upgrade):
        if not upgrade.missing:
            assert upgrade.today_on_previous == {}
        else:
            assert set(upgrade.today_on_previous.values()) <= {302, 401, 404, 500, 503}
            assert "Undefined" in upgrade.log_before
            named = {name for both in upgrade.missing for name in both}
            refused = re.findall(r'(?:column|relation) "?([\w.]+)"? ', upgrade.log_before)
            assert {name.rpartition(".")[2] for name in refused} <= named

    def test_works_as_soon_as_the_migrations_have_run(self, upgrade):
        assert upgrade.today_on_today == {}

    def test_settles_what_the_previous_release_has_taken(self, upgrade):
        """The order waits in a pool, which another order fills now."""
        customer = upgrade.customer_of_before
        customer.sign_in("login")
        customer.order("9.50")
        customer.wait_until_settled(upgrade.waiting_order)
        assert customer.failed == {}
        assert customer.holding().keys() == {"ABAN"}

    def test_completes_the_order_with_a_fee_that_the_previous_release_has_bought(self, upgrade):
        """Bought once, with the subtotal booked as revenue and the fee as a fee."""
        customer, order = upgrade.with_fee, upgrade.order_with_fee
        customer.wait_until_settled(order)
        assert customer.failed == {}
        assert customer.holding().keys() == {"ABAN"}
        placed = customer.step("order", "GET", f"orders/{order}/")
        [(attempts, fee)] = upgrade.query(
            "SELECT count(*), min(booked_fee) FROM trading_order JOIN settlement_attempt USING (batch_id)"
            " WHERE trading_order.id = %s",
            order,
        )
        assert (attempts, f"{fee}") == (1, placed["fee"])
        assert fee > 0

    def test_keeps_the_ledger_in_balance(self, upgrade):
        """A violation lets the command fail."""
        assert upgrade.verify_ledger()
