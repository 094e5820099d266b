"""Find what an OpenAPI document no longer promises that an earlier one did: the rules are those of docs/versions.md."""  # noqa: INP001  a script's part

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_ANYTHING: Final[frozenset[str]] = frozenset()
_DEEPEST: Final = 12

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Member:
    """A value in a body: the types that it may have (none: any), its listed values, and whether it is always there."""

    types: frozenset[str]
    values: frozenset[str] | None = None
    required: bool = True


def find_breaks(*, before: Json, after: Json) -> list[str]:
    """Return a line for each broken promise, such as `placeOrder: request amount is gone`."""
    old, new = _operations(before), _operations(after)
    lines = [f"{name}: the operation is gone" for name in old.keys() - new.keys()]
    for name in old.keys() & new.keys():
        lines += [f"{name}: {what}" for what in _compare(old[name], new[name], before, after)]
    return sorted(lines)


def _operations(document: Json) -> dict[str, Json]:
    """Return the operations by their ids, each with its path and method."""
    return {
        operation["operationId"]: {**operation, "place": f"{method.upper()} {path}"}
        for path, methods in document.get("paths", {}).items()
        for method, operation in methods.items()
        if method in _METHODS
    }


def _compare(old: Json, new: Json, before: Json, after: Json) -> Iterator[str]:
    if old["place"] != new["place"]:
        yield f"{old['place']} has become {new['place']}"
    yield from _compare_parameters(old, new, before, after)
    yield from _compare_requests(_body(old.get("requestBody"), before), _body(new.get("requestBody"), after))
    for status, answer in _answers(old, before).items():
        if status not in _answers(new, after):
            yield f"answer {status} is gone"
        else:
            yield from _compare_answers(status, _body(answer, before), _body(_answers(new, after)[status], after))


def _compare_parameters(old: Json, new: Json, before: Json, after: Json) -> Iterator[str]:
    had, has = _parameters(old, before), _parameters(new, after)
    yield from (f"parameter {name} is gone" for name in had.keys() - has.keys())
    for name, parameter in has.items():
        if parameter.get("required") and not had.get(name, {}).get("required"):
            yield f"parameter {name} is required"


def _compare_requests(had: dict[str, Member], has: dict[str, Member]) -> Iterator[str]:
    """Whatever a client may send today, it may send tomorrow."""
    for path, member in has.items():
        earlier = had.get(path)
        if earlier is None:
            if member.required and had and _parent(path) in {*had, ""}:
                yield f"request {path} is required"
            continue
        if member.types and earlier.types - member.types:
            yield f"request {path} takes no {_words(earlier.types - member.types)}"
        if member.values is not None and (earlier.values is None or earlier.values - member.values):
            yield f"request {path} takes fewer values"
        if member.required and not earlier.required:
            yield f"request {path} is required"
    yield from (f"request {path} is gone" for path in had.keys() - has.keys() if has)


def _compare_answers(status: str, had: dict[str, Member], has: dict[str, Member]) -> Iterator[str]:
    """Whatever a client reads today, it can read tomorrow; new members and values are not promised to stay away."""
    for path, earlier in had.items():
        member = has.get(path)
        if member is None:
            yield f"answer {status} {path} is gone"
            continue
        if earlier.types and (not member.types or member.types - earlier.types):
            yield f"answer {status} {path} may be {_words(member.types - earlier.types) or 'anything'}"
        if earlier.required and not member.required:
            yield f"answer {status} {path} may be left out"


def _words(types: frozenset[str]) -> str:
    return " or ".join(sorted(types))


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


def _parameters(operation: Json, document: Json) -> dict[str, Json]:
    found = (_resolve(each, document) for each in operation.get("parameters", []))
    return {f"{each['in']} {each['name']}": each for each in found}


def _answers(operation: Json, document: Json) -> dict[str, Json]:
    """Return the answers of success: those of refusals have one form for all."""
    return {
        status: _resolve(answer, document)
        for status, answer in operation.get("responses", {}).items()
        if str(status).startswith("2")
    }


def _body(holder: Json | None, document: Json) -> dict[str, Member]:
    """Return the members of a request's or an answer's JSON, by their paths, such as `items[].price`."""
    content = _resolve(holder or {}, document).get("content", {})
    schema = next((each.get("schema", {}) for kind, each in content.items() if "json" in kind), None)
    return {} if schema is None else _members(schema, document, path="", depth=0)


def _members(schema: Json, document: Json, *, path: str, depth: int) -> dict[str, Member]:
    schema = _resolve(schema, document)
    found: dict[str, Member] = {path: Member(types=_types(schema), values=_values(schema))} if path else {}
    if depth > _DEEPEST:
        return found
    for part in schema.get("allOf", []):
        found |= _members(part, document, path=path, depth=depth + 1)
    alternatives = [_members(each, document, path=path, depth=depth + 1) for each in _alternatives(schema)]
    if alternatives:
        found |= _any_of(alternatives, path=path)
    for name, each in schema.get("properties", {}).items():
        below = _members(each, document, path=f"{path}.{name}".lstrip("."), depth=depth + 1)
        own = below[f"{path}.{name}".lstrip(".")]
        is_required = name in schema.get("required", [])
        below[f"{path}.{name}".lstrip(".")] = Member(types=own.types, values=own.values, required=is_required)
        found |= below
    if isinstance(schema.get("items"), dict):
        found |= _members(schema["items"], document, path=f"{path}[]", depth=depth + 1)
    return found


def _any_of(alternatives: list[dict[str, Member]], *, path: str) -> dict[str, Member]:
    """Merge the alternatives of a path: a member may have the form of any of them.

    A member of an object is always there if all objects have it; an array beside them has none. So a list may become
    a list or, for clients that ask for it, a page.
    """
    merged: dict[str, Member] = {}
    for name in {name for each in alternatives for name in each}:
        members = [each[name] for each in alternatives if name in each]
        types = _ANYTHING if any(not each.types for each in members) else frozenset().union(*(m.types for m in members))
        listed = [each.values for each in members if "null" not in each.types or len(each.types) > 1]
        values = None if None in listed or not listed else frozenset().union(*(each for each in listed if each))
        alike = [each for each in alternatives if _form({name}, path=path) == _form(each, path=path)]
        required = all(name in each and each[name].required for each in alike)
        merged[name] = Member(types=types, values=values, required=required)
    return merged


def _form(names: Iterable[str], *, path: str) -> str:
    """Return whether the members at a path are those of an array, of an object, or of neither."""
    if any(name.startswith(f"{path}[]") for name in names):
        return "array"
    return "object" if any(name != path for name in names) else "value"


def _alternatives(schema: Json) -> list[Json]:
    return [*schema.get("anyOf", []), *schema.get("oneOf", [])]


def _types(schema: Json) -> frozenset[str]:
    if "x-also-accepts" in schema:  # see docs/versions.md
        return _types({"type": schema["type"]}) | _types(schema["x-also-accepts"])
    given = schema.get("type")
    if given is None:
        values = schema.get("enum", [schema["const"]] if "const" in schema else [])
        return frozenset(_NAMES[type(each)] for each in values)
    types = {given} if isinstance(given, str) else set(given)
    return frozenset(types | ({"integer"} if "number" in types else set()))


_NAMES: Final = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def _values(schema: Json) -> frozenset[str] | None:
    if "const" in schema:
        return frozenset({str(schema["const"])})
    return frozenset(map(str, schema["enum"])) if "enum" in schema else None


def _resolve(schema: Json, document: Json) -> Json:
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema
