"""Compare the privileges in the database with those of `grants`, and grant or revoke the difference."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import LiteralString, NamedTuple

from psycopg.sql import SQL, Composed, Identifier

from exchange_site.database.grants import ROUTINES, TABLES, list_privileges
from wallets.runtime import sql


class Privilege(NamedTuple):
    """A privilege on an object, both in the words of GRANT, such as `UPDATE (balance)` on `TABLE wallets_wallet`."""

    object: str
    privilege: str


def list_held(*, role: str | None) -> set[Privilege]:
    """Return the privileges of a role in this database, or those of everybody for None."""
    return {Privilege(*row) for row in sql.fetch_all("exchange_site.held_privileges", role=role)}


def list_wanted() -> set[Privilege]:
    """Return the privileges that the application's role should have on all that exists.

    Tables and columns of `grants` may be missing, while migrations are half done or undone.
    """
    objects = _list_objects()
    wanted = _list_entrances(objects)
    wanted |= {Privilege(name, privilege) for name, parts in objects["ROUTINE"].items() for privilege in parts}
    for table in TABLES.keys() & objects["TABLE"].keys():
        for name, column in list_privileges(TABLES[table]):
            if column is None:
                wanted.add(Privilege(f"TABLE {table}", name))
            elif column in objects["TABLE"][table]:
                wanted.add(Privilege(f"TABLE {table}", f"{name} ({column})"))
            if name == "INSERT":
                wanted |= {Privilege(sequence, "USAGE") for sequence in objects["SEQUENCE"].get(table, ())}
    return wanted


def adjust_privileges(*, role: str) -> Iterator[Composed]:
    """Yield the statements that give a role the wanted privileges, and take all others from it and from everybody.

    To revoke a privilege on a table also revokes it on each column, so the statements after that have to be asked for
    again.
    """
    held, wanted = list_held(role=role), list_wanted()
    yield from _statements("REVOKE {} ON {} FROM {}", held - wanted, Identifier(role))
    yield from _statements(
        "REVOKE {} ON {} FROM {}", list_held(role=None) - _list_entrances(_list_objects()), SQL("PUBLIC")
    )
    yield from _statements("GRANT {} ON {} TO {}", wanted - held, Identifier(role))


def _statements(
    template: LiteralString, privileges: Iterable[Privilege], grantee: SQL | Identifier
) -> Iterator[Composed]:
    """Yield one statement for each object. The catalogue has quoted the names of objects and columns."""
    by_object = defaultdict(list)
    for each in sorted(privileges):
        by_object[each.object].append(each.privilege)
    for name, listed in by_object.items():
        yield SQL(template).format(SQL(", ".join(listed)), SQL(name), grantee)


def _list_entrances(objects: dict[str, dict[str, list[str]]]) -> set[Privilege]:
    """Return the privileges to enter the database and its schema, which everybody may have."""
    return {Privilege(name, privilege) for name, parts in objects["ENTRANCE"].items() for privilege in parts}


def _list_objects() -> dict[str, dict[str, list[str]]]:
    """Return the parts of each object, by kind and name; see grantable_objects.sql."""
    found: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for kind, name, parts in sql.fetch_all("exchange_site.grantable_objects", routines=ROUTINES):
        found[kind][name] = parts
    return found
