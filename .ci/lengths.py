"""Check that modules, functions and parameter lists stay short: `python .ci/lengths.py`, which `task check` runs.

The limits, and the exceptions with their reasons, are in pyproject.toml under `tool.lengths`. Tests are exempt.
"""  # noqa: INP001  a script, run by `task check`

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from own_files import list_own_files

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Print each place that is too long without an exception, and each needless exception; return 1 for any."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["lengths"]
    exceptions: dict[str, str] = rules["exceptions"]
    found = {place: message for path in _modules() for place, message in _measure(path, rules)}
    problems = [f"{place}: {message}" for place, message in found.items() if place not in exceptions]
    problems += [f"{place}: no exception is needed any more" for place in exceptions.keys() - found.keys()]
    if len(exceptions) > rules["max-exceptions"]:
        problems.append(f"{len(exceptions)} exceptions, of {rules['max-exceptions']} at most")
    sys.stdout.writelines(f"{problem}\n" for problem in sorted(problems))
    return 1 if problems else 0


def _modules() -> Iterator[Path]:
    for path in list_own_files(ROOT, ".py"):
        if path.parts[0] != "tests" and "migrations" not in path.parts:
            yield path


def _measure(path: Path, rules: dict[str, int]) -> Iterator[tuple[str, str]]:
    text = (ROOT / path).read_text()
    lines = len(text.splitlines())
    if lines > rules["max-module-lines"]:
        yield str(path), f"{lines} lines, of {rules['max-module-lines']} at most"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _measure_function(path, node, rules)


def _measure_function(
    path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef, rules: dict[str, int]
) -> Iterator[tuple[str, str]]:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    arguments = node.args
    named = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    parameters = len([name for name in named if name not in {"self", "cls"}])
    if lines > rules["max-function-lines"]:
        yield f"{path}::{node.name}", f"{lines} lines, of {rules['max-function-lines']} at most"
    if parameters > rules["max-parameters"]:
        yield f"{path}::{node.name}()", f"{parameters} parameters, of {rules['max-parameters']} at most"


if __name__ == "__main__":
    sys.exit(main())
