"""The migration that computes the keys of usernames, while the shop goes on."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from tests.owner import by_owner, run_as_owner
from tests.processes import at_once
from trading.services.coins import put_on_sale
from wallets.models import TokenFamily, User, Wallet
from wallets.services import naming
from wallets.services.naming import settle_names, settle_unclear_names
from wallets.services.tokens import start_token_family

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "password123"
OLD_USERS = ["ﬁnn", "finn", "coco", "сосо", "Alice", "straße", "ﬂo", "ﷺ" * 150, *(f"user{n}" for n in range(20))]
UNCLEAR = {"ﬁnn", "сосо", "ﷺ" * 150}


@pytest.fixture(autouse=True)
def few_at_once(settings, monkeypatch):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    monkeypatch.setattr(naming, "_AT_ONCE", 5)


def migrate(name=None):
    with by_owner():
        call_command("migrate", *(["wallets", name] if name else ["wallets"]), verbosity=0)


def add_as_the_previous_release(*usernames):
    """Insert users without naming the columns that it does not know."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO wallets_user (username, password, first_name, last_name, email, is_active, is_staff, "
            "is_superuser, date_joined, token_version) VALUES (%s, %s, '', '', '', true, false, false, now(), 0)",
            [(username, make_password(PASSWORD)) for username in usernames],
        )


@pytest.fixture
def before():
    """Go back to the previous release's schema with users, and forth again at the end."""
    migrate("0007")
    try:
        add_as_the_previous_release(*OLD_USERS)
        yield
    finally:
        migrate()


@contextmanager
def later_columns():
    """Let today's code stand for the previous release: give it the columns of later migrations meanwhile."""
    then = MigrationLoader(connection).project_state(("wallets", "0010_keys_of_usernames")).apps
    added = []
    for model in (User, Wallet, TokenFamily):
        known = {field.column for field in then.get_model(model._meta.label)._meta.concrete_fields}
        for field in model._meta.concrete_fields:
            kind = field.db_type(connection)
            if field.column not in known:
                default = " DEFAULT gen_random_uuid()" if kind == "uuid" else ""
                added.append((model._meta.db_table, field.column, f"{kind}{default}"))
    for table, column, kind in added:
        run_as_owner(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
    try:
        yield
    finally:
        for table, column, _ in added:
            run_as_owner(f"ALTER TABLE {table} DROP COLUMN {column}")


def unclear():
    return {user.username for user in User.objects.all() if not user.username_key or not user.username_skeleton}


def indexes():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text, indisvalid, indpred IS NOT NULL FROM pg_index "
            "WHERE indexrelid::regclass::text ~ '^user(names|s)_(have|do|with)_' ORDER BY 1"
        )
        return cursor.fetchall()


ALL_INDEXES = [
    ("usernames_do_not_look_alike", True, True),
    ("usernames_have_different_keys", True, True),
    ("users_with_an_unclear_name", True, True),
]


class TestTheMigration:
    def test_computes_the_users_that_are_there(self, before):
        migrate()
        assert unclear() == UNCLEAR
        keys = dict(User.objects.values_list("username", "username_key"))
        assert (keys["finn"], keys["Alice"], keys["straße"], keys["ﬂo"]) == ("finn", "alice", "strasse", "flo")
        assert indexes() == ALL_INDEXES
        with connection.cursor() as cursor:
            cursor.execute("SELECT convalidated FROM pg_constraint WHERE conname = 'a_replaced_token_has_its_time'")
            assert cursor.fetchone() == (True,)

    def test_can_be_stopped_and_run_again(self, before, monkeypatch):
        store, calls = naming._store, []

        def stop_at_the_third(names):
            calls.append(names)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return store(names)

        monkeypatch.setattr(naming, "_store", stop_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            migrate()
        assert User.objects.exclude(username_key=None).count() in range(5, 11), "two batches are kept"
        monkeypatch.setattr(naming, "_store", store)
        migrate()
        assert (unclear(), indexes()) == (UNCLEAR, ALL_INDEXES)

    def test_replaces_an_index_that_a_stopped_run_left_unfinished(self, before):
        migrate("0009")
        statement = "CREATE UNIQUE INDEX CONCURRENTLY usernames_have_different_keys ON wallets_user ((1))"
        with by_owner(), connection.cursor() as cursor, pytest.raises(DatabaseError):
            cursor.execute(statement)
        assert indexes() == [("usernames_have_different_keys", False, False)]
        migrate()
        assert (unclear(), indexes()) == (UNCLEAR, ALL_INDEXES)

    def test_replaces_the_constraints_of_its_earlier_form(self, before):
        migrate("0009")
        with by_owner(), connection.cursor() as cursor:
            for name, column in (("have_different_keys", "key"), ("do_not_look_alike", "skeleton")):
                cursor.execute(f"ALTER TABLE wallets_user ADD CONSTRAINT usernames_{name} UNIQUE (username_{column})")
        migrate()
        assert (unclear(), indexes()) == (UNCLEAR, ALL_INDEXES)

    def test_lets_the_shop_go_on(self, before, monkeypatch):
        """While a batch is not committed: reads, new users, sign-ins, and what refers to the batch's users."""
        store, is_stored, may_commit = naming._store, Event(), Event()

        def store_and_wait(names):
            stored = store(names)
            is_stored.set()
            assert may_commit.wait(30)
            return stored

        monkeypatch.setattr(naming, "_store", naming.transaction.atomic(store_and_wait))
        with later_columns(), ThreadPoolExecutor(1) as pool:
            migrating = pool.submit(at_once, 1, lambda _: migrate("0010"))
            try:
                assert is_stored.wait(30)
                first = User.objects.get(username="ﬁnn")
                assert first.username_key is None
                add_as_the_previous_release("newcomer", "Ｃoco2")
                TokenFamily.objects.create(
                    user_id=User.objects.get(username="finn").pk,
                    created_at=timezone.now(),
                    expires_at=timezone.now(),
                )
                for username in ("finn", "user19"):
                    assert authenticate(username=username, password=PASSWORD)
                assert start_token_family(user=User.objects.get(username="user19"), now=timezone.now(), address="::1")
                put_on_sale(name="ABAN")
            finally:
                may_commit.set()
            migrating.result()
        migrate()
        assert unclear() == UNCLEAR
        assert User.objects.get(username="Ｃoco2").username_key == "coco2"

    def test_finds_whom_the_previous_release_adds_or_renames_behind_it(self, before, monkeypatch):
        store, calls = naming._store, []

        def rename_behind(names):
            stored = store(names)
            calls.append(names)
            if len(calls) == 3:
                User.objects.filter(username="Alice").update(username="bob")
                User.objects.filter(username="finn")._raw_delete("default")  # a later release's tables are not there
            return stored

        monkeypatch.setattr(naming, "_store", rename_behind)
        with later_columns():
            migrate("0010")
        migrate()
        assert User.objects.get(username="bob").username_key == "bob"
        assert User.objects.get(username="ﬁnn").username_key == "finn"
        assert unclear() == UNCLEAR - {"ﬁnn"}


class TestNamesOfThePreviousRelease:
    def test_that_come_after_the_migration_are_computed_at_night(self):
        add_as_the_previous_release("Newcomer", "ｎewcomer")
        assert settle_unclear_names() == 1
        assert User.objects.get(username="Newcomer").username_key == "newcomer"
        assert settle_unclear_names() == 0

    def test_are_computed_anew_if_somebody_takes_one_meanwhile(self, monkeypatch):
        add_as_the_previous_release("ﬁnn", "otto")
        store, calls = naming._store, []

        def store_second(names):
            calls.append(names)
            if len(calls) == 1:
                at_once(1, lambda _: User.objects.create_user("finn"))
            return store(names)

        monkeypatch.setattr(naming, "_store", store_second)
        assert settle_names(users=User.objects.all()) == 1
        assert len(calls) == 2
        keys = User.objects.order_by("id").values_list("username_key", flat=True)
        assert list(keys) == [None, "otto", "finn"]
