"""The rules for migrations that `task check` enforces: the previous release works on the new schema, without a long lock."""

import tomllib

import pytest
from django.db.migrations.loader import MigrationLoader
from django_migration_linter.sql_analyser.postgresql import PostgresqlAnalyser

from exchange_site.stack.processes import PROJECT
from tests.upgrade.linting.management.commands import lintmigrations  # noqa: F401  gives the analyser our rules

BAD = {
    "NOT_NULL": [
        'ALTER TABLE "trading_coin" ADD COLUMN "places" smallint NOT NULL CHECK ("places" >= 0);',
        'ALTER TABLE "trading_coin" ALTER COLUMN "note" SET NOT NULL;',
        'ALTER TABLE "trading_coin" ADD COLUMN "a" smallint DEFAULT 8 NOT NULL;|ALTER TABLE "trading_coin" ADD COLUMN "b" text NOT NULL;',
        'ALTER TABLE "trading_coin" ADD COLUMN "a" int DEFAULT 8 NOT NULL;|ALTER TABLE "trading_coin" ALTER COLUMN "a" DROP DEFAULT;',
    ],
    "CREATE_INDEX": [
        'CREATE INDEX "orders_by_state" ON "trading_order" ("state");',
        'CREATE TABLE "mine" ("id" int);|CREATE INDEX "of_mine" ON "mine" ("id");|CREATE INDEX "x" ON "trading_order" ("state") WHERE ("id" > 1);',
        "create index x on trading_coin (name);",
    ],
    "ADD_UNIQUE": [
        'ALTER TABLE "trading_coin" ADD CONSTRAINT "one_name" UNIQUE ("name");',
        'CREATE UNIQUE INDEX CONCURRENTLY "one_name" ON "trading_coin" ("name");',
    ],
    "LONG_LOCK": [
        'ALTER TABLE "trading_order" ADD CONSTRAINT "positive" CHECK ("amount" > 0);',
        'ALTER TABLE "trading_order" ADD CONSTRAINT "to_coin" FOREIGN KEY ("coin_id") REFERENCES "trading_coin" ("id") DEFERRABLE;',
        'ALTER TABLE "wallets_user" ADD COLUMN "subject" uuid DEFAULT (GEN_RANDOM_UUID()) NOT NULL;',
        'ALTER TABLE "trading_order" ADD COLUMN "kind" text GENERATED ALWAYS AS (\'a\') STORED;',
        'BEGIN;|ALTER TABLE "trading_order" ADD CONSTRAINT "p" CHECK ("amount" > 0) NOT VALID;|ALTER TABLE "trading_order" VALIDATE CONSTRAINT "p";|COMMIT;',
    ],
    "DESTROYS": [
        "TRUNCATE wallets_transaction;",
        "delete from trading_order where id < 1000;",
        "drop table if exists trading_order;",
        "alter table trading_order drop column reason;",
        "ALTER TABLE trading_order|    DROP COLUMN reason;",
    ],
    "DROP_TABLE": ['DROP TABLE "trading_review" CASCADE;'],
    "DROP_COLUMN": ['ALTER TABLE "trading_order" DROP COLUMN "reason" CASCADE;'],
    "RENAMES": [
        'ALTER TABLE "trading_order" RENAME COLUMN "reason" TO "why";',
        'ALTER TABLE "trading_order" RENAME TO "trading_orders";',
        "alter table trading_order rename reason to why;",
    ],
    "ALTER_COLUMN": ['ALTER TABLE "trading_order" ALTER COLUMN "reason" TYPE varchar(400);'],
}
GOOD = [
    'ALTER TABLE "trading_order" ADD COLUMN "note" varchar(20) NULL;',
    'ALTER TABLE "trading_order" ADD COLUMN "places" smallint DEFAULT 8 NOT NULL CHECK ("places" >= 0);',
    'BEGIN;|ALTER TABLE "trading_order" ADD CONSTRAINT "p" CHECK ("amount" > 0) NOT VALID;|COMMIT;',
    'BEGIN;|ALTER TABLE "trading_order" VALIDATE CONSTRAINT "p";|COMMIT;',
    'CREATE INDEX CONCURRENTLY "x" ON "trading_order" ("state") WHERE NOT ("state" = \'held\');',
    'CREATE TABLE "mine" ("id" int NOT NULL UNIQUE);|CREATE INDEX "of_mine" ON "mine" ("id") WHERE NOT ("id" = 0);|ALTER TABLE "mine" ADD CONSTRAINT "c" CHECK ("id" > 0);|ALTER TABLE "mine" ADD CONSTRAINT "u" UNIQUE ("id");',
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$|BEGIN|    DELETE FROM wallets_knownaddress WHERE user_id = NEW.id;|END $$;",
]


def faults_of(migration):
    analyser = PostgresqlAnalyser([])
    analyser.analyse(migration.split("|"))
    return {issue.code for issue in [*analyser.errors, *analyser.warnings]}


class TestALintedMigration:
    @pytest.mark.parametrize(("fault", "migration"), [(fault, sql) for fault, listed in BAD.items() for sql in listed])
    def test_may_not(self, fault, migration):
        assert fault in faults_of(migration)

    @pytest.mark.parametrize("migration", GOOD)
    def test_may(self, migration):
        assert faults_of(migration) == set()


def test_every_exception_is_a_migration():
    rules = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["django_migration_linter"]
    known = {name for _, name in MigrationLoader(None).disk_migrations}
    assert set(rules["ignore_name"]) <= known
