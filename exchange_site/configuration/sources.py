"""Where values come from besides the environment: files with secrets, and the URLs of Postgres and Redis.

What cannot be used is refused with a sentence that names the variable. No sentence repeats a part of a value, because
a part of a password may be there.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote

from exchange_site.configuration.objections import Objection

_FILE: Final = "_FILE"
_LARGEST_FILE: Final = 64 * 1024
_HOST: Final = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^:,\[\]\s]+))(?::(?P<port>[0-9]{1,5}))?")
_TRUE: Final = {"1", "t", "true", "y", "yes", "on"}


class _Unusable(Exception):
    """A sentence that says why a value cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """The variables with the values of files and URLs, and what cannot be used of these."""

    variables: dict[str, str]
    objections: list[Objection] = field(default_factory=list)


def resolve(environment: Mapping[str, str], *, secrets: Collection[str]) -> Resolved:
    """Read NAME_FILE for each variable NAME in `secrets`, then split DATABASE_URL and REDIS_URL into their parts."""
    resolved = Resolved(variables=dict(environment))
    for name in secrets:
        _take_file(resolved, name)
    _take_url(resolved, "DATABASE_URL", _split_database_url)
    _take_url(resolved, "REDIS_URL", _split_redis_url)
    return resolved


def _take_file(resolved: Resolved, name: str) -> None:
    path = resolved.variables.get(f"{name}{_FILE}")
    if not path:
        return
    if resolved.variables.get(name):
        resolved.objections.append(Objection(name, f"{name} and {name}{_FILE} must not both be set."))
        return
    try:
        resolved.variables[name] = _read_secret(Path(path))
    except _Unusable as error:
        resolved.objections.append(Objection(name, f"{name}{_FILE} names a file that {error}."))


def _read_secret(path: Path) -> str:
    """Return a file's text without one newline at its end. Raises _Unusable."""
    try:
        with path.open("rb") as opened:
            content = opened.read(_LARGEST_FILE + 1)
        text = content.decode()
    except (OSError, ValueError) as error:  # no such file, a folder, no permission; no text, or a NUL in the name
        raise _Unusable("cannot be read as text") from error
    if len(content) > _LARGEST_FILE:
        raise _Unusable("is too large for a secret")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise _Unusable("is empty")
    return text


def _take_url(resolved: Resolved, name: str, split: Callable[[str], dict[str, str]]) -> None:
    text = resolved.variables.get(name)
    if not text:
        return
    try:
        parts = split(text)
    except _Unusable as error:
        resolved.objections.append(Objection(name, f"{name} {error}."))
        return
    for part, value in parts.items():
        given = resolved.variables.get(part)
        if given and not _is_same(given, value):
            sentence = f"{name} and {part} contradict each other: set only one of them, or both to the same value."
            resolved.objections.append(Objection(part, sentence))
        resolved.variables[part] = value


def _is_same(given: str, of_url: str) -> bool:
    if of_url in {"True", "False"}:
        return (given.strip().lower() in _TRUE) == (of_url == "True")
    return re.sub(r"\s", "", given) == of_url or given == of_url


def _split_database_url(text: str) -> dict[str, str]:
    """Return the variables that a URL of libpq's form stands for, as far as it has them. Raises _Unusable.

    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
    """
    url = _Url.of(text, schemes={"postgres", "postgresql"})
    hosts = [_split_host(part) for part in url.hosts.split(",")]
    ports = [port or "5432" for _, port in hosts] if any(port for _, port in hosts) else []
    parts = {
        "POSTGRES_HOST": ",".join(host for host, _ in hosts),
        "POSTGRES_PORT": ports[0] if len(set(ports)) == 1 else ",".join(ports),
        "POSTGRES_USER": url.user,
        "POSTGRES_PASSWORD": url.password,
        "POSTGRES_DB": url.path,
        **_split_parameters(url.query),
    }
    return {name: value for name, value in parts.items() if value}


def _split_parameters(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    if len(given) < len(pairs) or given.keys() - {"sslmode", "sslrootcert", "target_session_attrs"}:
        raise _Unusable(
            "may have the parameters sslmode, sslrootcert and target_session_attrs, each once, and no other"
        )
    if given.pop("target_session_attrs", "read-write") != "read-write":
        raise _Unusable("must not ask for other sessions than target_session_attrs=read-write, which is always used")
    return {f"POSTGRES_{name.upper()}": value for name, value in given.items()}


def _split_redis_url(text: str) -> dict[str, str]:
    """Return the variables that a URL stands for, as far as it has them. Raises _Unusable.

    https://www.iana.org/assignments/uri-schemes/prov/redis
    """
    url = _Url.of(text, schemes={"redis", "rediss"})
    if url.query:
        raise _Unusable("must not have parameters: the other variables of Redis stand for them")
    if not re.fullmatch("[0-9]*", url.path):
        raise _Unusable("may have only the number of a database after the host")
    host, port = _split_host(url.hosts)
    parts = {
        "REDIS_HOST": host,
        "REDIS_PORT": port,
        "REDIS_USER": url.user,
        "REDIS_PASSWORD": url.password,
        "REDIS_DB": url.path,
        "REDIS_TLS": str(url.scheme == "rediss"),
    }
    return {name: value for name, value in parts.items() if value}


def _split_host(text: str) -> tuple[str, str]:
    found = _HOST.fullmatch(text)
    if not found:
        raise _Unusable("must name a host, or host:port, after the @ (in a password, write / @ : ? # as %2F %40 …)")
    return unquote(found["six"] or found["name"]), found["port"] or ""


@dataclass(frozen=True, kw_only=True)
class _Url:
    """The parts of a URL. `hosts` is not split, because `urllib.parse` refuses several hosts."""

    scheme: str
    user: str
    password: str
    hosts: str
    path: str
    query: str

    @classmethod
    def of(cls, text: str, *, schemes: Collection[str]) -> "_Url":
        """Split a URL. Raises _Unusable unless its scheme is one of `schemes`."""
        scheme, mark, rest = text.strip().partition("://")
        if not mark or scheme.lower() not in schemes:
            raise _Unusable(f"must begin with {' or '.join(f'{name}://' for name in sorted(schemes))}")
        if "#" in rest:
            raise _Unusable("must not have a #: write it as %23")
        rest, _, query = rest.partition("?")
        authority, _, path = rest.partition("/")
        login, _, hosts = authority.rpartition("@")
        user, _, password = login.partition(":")
        return cls(
            scheme=scheme.lower(),
            user=unquote(user),
            password=unquote(password),
            hosts=hosts,
            path=unquote(path),
            query=query,
        )
