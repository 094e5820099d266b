"""SQL statements name only the tables of their own app."""

import re

import pytest

from exchange_site.stack.processes import PROJECT

APPS = ("wallets", "trading", "settlement")
TABLE = re.compile(r"\b(wallets|trading|settlement|procrastinate)_[a-z_0-9]+")
STATEMENTS = sorted(path.relative_to(PROJECT) for app in APPS for path in (PROJECT / app).glob("sql/*.sql"))

FOREIGN = {
    "trading/sql/place_order.sql": (
        "procrastinate",
        "one statement writes the order and its job: it halves the time of placing",
    ),
    "trading/sql/place_orders.sql": (
        "procrastinate",
        "one statement writes the orders and their jobs: it halves the time of placing",
    ),
    "trading/sql/verify_orders.sql": (
        "wallets",
        "orders and their movements are compared in one snapshot, by the million",
    ),
    "trading/sql/order_results.sql": (
        "wallets",
        "the orders of a day are found by their movements, and summed up in one statement, by the million",
    ),
    "settlement/sql/verify_fills.sql": (
        "wallets",
        "attempts and their movements are compared in one snapshot, by the million",
    ),
    "settlement/sql/verify_venues.sql": (
        "wallets",
        "attempts and the wallets of their movements are compared in one snapshot, by the million",
    ),
    "settlement/sql/forget_attempts.sql": (
        "procrastinate",
        "Procrastinate has no call that gives a job its attempts back",
    ),
    "settlement/sql/delete_waiting_claims.sql": (
        "procrastinate",
        "a claim deletes the jobs that request it; in a long backlog, a part of them",
    ),
}
"""Statements that name tables of another app, that app, and the reason."""


def foreign_tables(text, *, app):
    code = re.sub(r"--.*", "", text)
    return {table.group(1) for table in TABLE.finditer(code)} - {app}


class TestSql:
    def test_is_found_in_the_apps(self):
        assert len(STATEMENTS) > 10

    @pytest.mark.parametrize("path", STATEMENTS, ids=str)
    def test_names_only_tables_of_its_own_app(self, path):
        found = foreign_tables((PROJECT / path).read_text(), app=path.parts[0])
        allowed = {FOREIGN[str(path)][0]} if str(path) in FOREIGN else set()
        assert found == allowed

    def test_on_procrastinates_tables_is_in_one_module(self):
        """Only settlement/queue.py uses Procrastinate's tables and models, besides the statements above."""
        sources = [
            path
            for app in APPS
            for path in (PROJECT / app).rglob("*.py")
            if "migrations" not in path.relative_to(PROJECT).parts
        ]
        naming = {
            str(path.relative_to(PROJECT))
            for path in sources
            if re.search(r"procrastinate_(jobs|events|workers)|ProcrastinateJob\.objects", path.read_text())
        }
        assert naming == {"settlement/queue.py"}

    def test_is_run_only_by_one_module(self):
        """Only wallets/runtime/sql.py opens a cursor, which the backend makes; all other modules run SQL files by name."""
        allowed = {"wallets/runtime/sql.py", "wallets/runtime/postgres/base.py"}
        sources = [
            path
            for app in APPS
            for path in (PROJECT / app).rglob("*.py")
            if "migrations" not in path.relative_to(PROJECT).parts
        ]
        running = {str(path.relative_to(PROJECT)) for path in sources if "cursor()" in path.read_text()}
        assert running <= allowed
