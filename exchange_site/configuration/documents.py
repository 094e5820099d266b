"""Render config.example.env and the tables of docs/configuration.md from the groups."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from textwrap import wrap
from typing import Final

from exchange_site.configuration import GROUPS
from exchange_site.configuration.ceilings import CEILINGS
from exchange_site.configuration.combinations import ALWAYS, PRODUCTION
from exchange_site.configuration.rules import Rule
from exchange_site.configuration.variables import Group, Variable, list_variables

_BEGIN: Final = "<!-- From here on written by `task docs`, from exchange_site/configuration. -->\n"
_END: Final = "<!-- To here. -->\n"
_TABLE: Final = "| variable | default | unit | what it does, and when to change it |\n|---|---|---|---|\n"
_WIDTH: Final = 120
_ALWAYS: Final = (
    "A process whose configuration is refused prints all sentences that apply and ends with exit code 1. In development"
    " and in production:"
)
_IN_PRODUCTION: Final = (
    "With `DEBUG=False`, besides. No secret may be the same as another one. A *real venue* is one that is neither the"
    " simulator (`EXCHANGE_URL` on this machine or a private network) nor a sandbox (`EXCHANGE_SANDBOX`)."
)
_CEILINGS: Final = "With `DEBUG=False` and without `LOAD_TEST=True`, which a real venue forbids:"
_EXAMPLE: Final = (
    "Every variable that the project reads, with its development default. The project does not read this file:"
    " export the variables that you need, or hand a copy of the file to your process manager. A shell, systemd and"
    " Docker Compose understand its quotes; `docker run --env-file` does not. Written by `task docs`."
)


def render_page(page: str) -> str:
    """Return docs/configuration.md with new tables between its two marker comments, and the prose unchanged."""
    before, rest = page.split(_BEGIN)
    _, after = rest.split(_END)
    sections = "\n".join([_refused(), *(_section(title, groups) for title, groups in _titled())])
    return f"{before}{_BEGIN}\n{sections}\n{_END}{after}"


def render_example() -> str:
    """Return config.example.env. Variables are commented out if their default depends on DEBUG or other variables."""
    parts = (_example(title, groups) for title, groups in _titled())
    return _comment(_EXAMPLE) + "".join(parts)


def _refused() -> str:
    """Return the section with the sentences of all rules about combinations."""
    lists = [(_ALWAYS, ALWAYS), (_IN_PRODUCTION, PRODUCTION), (_CEILINGS, CEILINGS)]
    parts = [f"{_wrapped(intro)}\n{''.join(map(_bullet, rules))}" for intro, rules in lists]
    return "## What is refused at start\n\n" + "\n".join(parts)


def _bullet(each: Rule) -> str:
    text = each.sentence.replace(each.variable, f"`{each.variable}`", 1).replace("*", r"\*")
    return "\n".join(wrap(text, _WIDTH, initial_indent="- ", subsequent_indent="  ")) + "\n"


def _wrapped(text: str) -> str:
    return "\n".join(wrap(text, _WIDTH)) + "\n"


def _titled() -> Iterator[tuple[str, list[type[Group]]]]:
    for title, groups in groupby(GROUPS, key=lambda group: group.title):
        yield title, list(groups)


def _section(title: str, groups: list[type[Group]]) -> str:
    intro = "\n".join(wrap(_intro(groups), _WIDTH))
    rows = "".join(_row(each) for each in _variables(groups))
    return f"## {title}\n\n" + (f"{intro}\n\n" if intro else "") + _TABLE + rows


def _row(each: Variable) -> str:
    cells = (f"`{each.name}`", each.words.get("shown") or _shown(each), each.words.get("unit", ""), each.meaning)
    return "| " + " | ".join(cells).replace("|  |", "| |").rstrip() + " |\n"


def _shown(each: Variable) -> str:
    default = _code(each.default or "")
    if "in_production" not in each.words:
        return default
    return f"{default}, in production {_code(each.words['in_production'])}"


def _code(text: str) -> str:
    return f"`{text}`" if text else "none"


def _example(title: str, groups: list[type[Group]]) -> str:
    lines = [f"\n# --- {title}\n", _comment(_intro(groups))]
    for each in _variables(groups):
        mark = "# " if each.default is None or "in_production" in each.words else ""
        value = each.words.get("example", each.words.get("in_production", each.default))
        shown = f"'{value}'" if value and " " in value else value
        lines += [_comment(_meaning(each)), f"{mark}{each.name}={shown}\n"]
    return "".join(lines)


def _meaning(each: Variable) -> str:
    unit = f" ({each.words['unit']})" if each.meaning and "unit" in each.words else ""
    other = f"; in production {each.words['in_production'] or 'none'}" if "in_production" in each.words else ""
    return each.meaning + unit + other


def _intro(groups: Iterable[type[Group]]) -> str:
    return " ".join(group.intro for group in groups if group.intro)


def _variables(groups: Iterable[type[Group]]) -> Iterator[Variable]:
    return (each for group in groups for each in list_variables(group))


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in wrap(text.replace("`", ""), _WIDTH - 2))
