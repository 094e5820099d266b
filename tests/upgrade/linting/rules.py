"""The rules of expand and contract that the linter does not have, or has with holes.

Its own rules look at a whole migration: one column with a default hides all without, and only the first index counts.
Each rule here gets a migration as the lines that `sqlmigrate` prints.
"""

import re

from django_migration_linter.sql_analyser.base import Check, CheckMode, CheckType

GROWING = (
    *("wallets_user", "wallets_wallet", "wallets_transaction", "wallets_tokenfamily", "wallets_securityevent"),
    *("trading_order", "trading_pricereading", "settlement_attempt", "settlement_batch"),
)
"""The tables that a statement should not read or rewrite as a whole while others wait for its lock."""

_CHANGE = re.compile(r'^ALTER TABLE "?(?P<table>\w+)"?', re.IGNORECASE)
_INDEX = re.compile(
    r'^CREATE (?P<unique>UNIQUE )?INDEX (?P<concurrently>CONCURRENTLY )?.*? ON "?(?P<table>\w+)"?', re.IGNORECASE
)
_NOT_NULL = re.compile(r"(?<!IS )NOT NULL", re.IGNORECASE)
_REQUIRED = re.compile(r"ALTER COLUMN \S+ SET NOT NULL", re.IGNORECASE)
_HAS_VALUE = re.compile(r"DEFAULT (?!NULL)|GENERATED ", re.IGNORECASE)
_LOSES_DEFAULT = re.compile(r"ALTER COLUMN \S+ DROP DEFAULT", re.IGNORECASE)
_CHECKED_AT_ONCE = re.compile(r"ADD CONSTRAINT .*(CHECK|FOREIGN KEY)(?!.*NOT VALID)", re.IGNORECASE)
_REWRITE = re.compile(
    r"ADD COLUMN .*(GENERATED ALWAYS AS .*STORED|DEFAULT .*(RANDOM|UUID|CLOCK_TIMESTAMP|NEXTVAL))", re.IGNORECASE
)
_UNIQUE = re.compile(r"ADD CONSTRAINT .* UNIQUE", re.IGNORECASE)
# A function's body is indented.
_DESTROYS = re.compile(r"^(TRUNCATE|DELETE FROM|DROP (TABLE|SCHEMA|OWNED))\b|DROP COLUMN", re.IGNORECASE)
_RENAMES = re.compile(r"^(ALTER TABLE .*|\s+)RENAME (?!CONSTRAINT)", re.IGNORECASE)


def needs_a_value(lines, **_):
    """Say whether a row that the previous release inserts would lack a value."""
    return any(
        _REQUIRED.search(line)
        or _LOSES_DEFAULT.search(line)
        or ("ADD COLUMN" in line.upper() and _NOT_NULL.search(line) and not _HAS_VALUE.search(line))
        for line in _changes(lines)
    )


def locks_for_an_index(lines, **_):
    """Say whether writers wait until an index is built."""
    return any(not found["concurrently"] for found in _indexes(lines))


def refuses_equal_rows(lines, **_):
    """Say whether the previous release might insert a row that is refused as not unique."""
    return any(found["unique"] for found in _indexes(lines)) or any(map(_UNIQUE.search, _changes(lines)))


def locks_for_long(lines, **_):
    """Say whether everybody waits while the rows of a table that grows are checked or written anew."""
    changes = [line for line in _changes(lines) if _CHANGE.match(line)["table"] in GROWING]
    at_once = any(_CHECKED_AT_ONCE.search(line) or _REWRITE.search(line) for line in changes)
    in_one = lines[:1] == ["BEGIN;"] and any("NOT VALID" in line for line in changes)
    return at_once or (in_one and any("VALIDATE CONSTRAINT" in line for line in changes))


def _changes(lines):
    """Return the changes of tables that were there before."""
    made = _made(lines)
    return [line for line in lines if (found := _CHANGE.match(line)) and found["table"] not in made]


def _indexes(lines):
    made = _made(lines)
    return [found for line in lines if (found := _INDEX.match(line)) and found["table"] not in made]


def _made(lines):
    return {found[1] for line in lines if (found := re.match(r'CREATE TABLE "?(\w+)', line, re.IGNORECASE))}


def _rule(code, message, function, mode=CheckMode.TRANSACTION):
    return Check(code=code, message=message, fn=function, mode=mode, type=CheckType.ERROR)


RULES = [
    _rule("NOT_NULL", "a column that the previous release does not write needs db_default or null", needs_a_value),
    _rule("CREATE_INDEX", "an index of a table that exists is built CONCURRENTLY", locks_for_an_index),
    _rule("ADD_UNIQUE", "the previous release may insert rows that are not unique", refuses_equal_rows),
    _rule("LONG_LOCK", "add the constraint NOT VALID, and validate it in the next migration", locks_for_long),
    _rule("DESTROYS", "rows are destroyed", lambda line, **_: _DESTROYS.search(line), mode=CheckMode.ONE_LINER),
    _rule(
        "RENAMES",
        "the previous release uses the old name",
        lambda line, **_: _RENAMES.search(line),
        mode=CheckMode.ONE_LINER,
    ),
]
