"""Negate each comparison of a module, one at a time, and expect that a test fails each time.

`python -m tests.negating` does so for all modules of `GUARDED`; with paths, for these. A comparison whose negation no
test notices is printed, and the exit status is 1. Comparisons that the database makes count too: each keyword argument
of `filter`, `exclude` and `Q`.

The module's file does not change. A test run with NEGATED=path:number imports the module with that comparison negated:
this module is then pytest's plugin, and an import hook. All runs share one Postgres. As many runs as there are at once
have databases of their own, which are made once.
"""

import ast
import importlib.abc
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import CodeType, ModuleType

ROOT = Path(__file__).resolve().parents[1]
GUARDED = {
    "settlement/gate.py": ["tests/settlement/test_gate.py"],
    "settlement/figures.py": ["tests/settlement/test_gate.py"],
    "settlement/services/intervening/weighing.py": ["tests/settlement/test_excesses.py"],
    "settlement/fence.py": ["tests/settlement/test_fence.py"],
    "settlement/services/recognising.py": ["tests/settlement/test_recognising.py"],
    "settlement/services/adopting.py": ["tests/settlement/test_adopting.py"],
    "settlement/services/unknown_orders.py": ["tests/settlement/test_adopting.py"],
    "settlement/services/restoring/asking.py": ["tests/settlement/test_asking_the_venue.py"],
    "settlement/services/restoring/after.py": ["tests/settlement/test_asking_the_venue.py"],
}
"""Modules of comparisons that money depends on, each with the tests that must notice when one is negated."""

_PURE = {"tests/settlement/test_gate.py"}
"""Tests that need neither Django nor a fixture of ours: without plugins a run takes a second."""

_NOT_NEEDED = ("schemathesis", "hypothesispytest", "pytest_cov")
"""Plugins that take seconds to import."""

_AS_IT_IS = -1
"""The number of no comparison."""

_RUNS_AT_ONCE = int(os.environ.get("NEGATING_RUNS", "2"))
_NEGATION: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


class Negate(ast.NodeTransformer):
    """Negate one comparison: the one with this number, in the order of the source."""

    def __init__(self, number: int) -> None:
        self.number, self.count, self.place = number, 0, ""

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        for index, operator in enumerate(node.ops):
            if self._is_next(node):
                node.ops[index] = _NEGATION[type(operator)]()
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if _is_condition(node):
            for keyword in [keyword for keyword in node.keywords if keyword.arg]:
                if self._is_next(node):
                    self.place += f", {keyword.arg}"
                    node.keywords.remove(keyword)
                    node.args.append(_negated(keyword))
        return self.generic_visit(node)

    def _is_next(self, node: ast.expr) -> bool:
        is_this = self.count == self.number
        if is_this:
            self.place = f"{node.lineno}: {ast.unparse(node)}"
        self.count += 1
        return is_this


def _is_condition(node: ast.Call) -> bool:
    """Say whether a call's keyword arguments are comparisons that the database makes."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr in {"filter", "exclude"}
    return isinstance(node.func, ast.Name) and node.func.id == "Q"


def _negated(keyword: ast.keyword) -> ast.expr:
    """Return `~Q(keyword)`, in a module that may not know the name `Q`."""
    condition = f"{keyword.arg}={ast.unparse(keyword.value)}"
    return ast.parse(f"~__import__('django.db.models', fromlist=['Q']).Q({condition})", mode="eval").body


def count_comparisons(path: str) -> int:
    """Return the number of comparisons in a file."""
    counter = Negate(_AS_IT_IS)
    counter.visit(ast.parse((ROOT / path).read_text()))
    return counter.count


def describe(path: str, number: int) -> str:
    """Return the line and the text of a comparison."""
    negate = Negate(number)
    negate.visit(ast.parse((ROOT / path).read_text()))
    return f"{path}:{negate.place}"


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Import one module with one comparison negated."""

    def __init__(self, path: str, number: int) -> None:
        self.path, self.number = path, number
        self.name = path.removesuffix(".py").replace("/", ".")

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None):
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, ROOT / self.path, loader=self)

    def get_source(self, fullname: str) -> str:
        return (ROOT / self.path).read_text()

    def get_code(self, fullname: str) -> CodeType:
        tree = Negate(self.number).visit(ast.parse(self.get_source(fullname)))
        return compile(ast.fix_missing_locations(tree), str(ROOT / self.path), "exec")


if negated := os.environ.get("NEGATED"):
    sys.meta_path.insert(0, _Finder(negated.rpartition(":")[0], int(negated.rpartition(":")[2])))


def fails(path: str, number: int, *, database: str) -> bool:
    """Say whether the tests fail when a comparison is negated. `database` is kept, and used by one run at a time."""
    tests = GUARDED[path]
    command = [sys.executable, "-m", "pytest", "-p", "tests.negating", "-q", "-x", "--no-header", "--tb=no"]
    environment = {**os.environ, "NEGATED": f"{path}:{number}", "POSTGRES_DB": database}
    if _PURE.issuperset(tests):
        command += ["-c", os.devnull, "--rootdir", str(ROOT), "--noconftest"]
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    else:
        command += ["--reuse-db", *(f"-pno:{name}" for name in _NOT_NEEDED)]
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    sys.stdout.write("." if run.returncode else "!")
    sys.stdout.flush()
    return run.returncode != 0


def negate_all(path: str, databases: list[str]) -> list[str] | None:
    """Return the comparisons of a module whose negation no test notices, or None if the tests fail without one."""
    numbers = range(count_comparisons(path))
    began, free = time.monotonic(), SimpleQueue[str]()
    for database in databases:
        free.put(database)

    def is_noticed(number: int) -> bool:
        database = free.get()
        try:
            return fails(path, number, database=database)
        finally:
            free.put(database)

    if any(fails(path, _AS_IT_IS, database=database) for database in databases):
        return None
    with ThreadPoolExecutor(len(databases)) as pool:
        noticed = list(pool.map(is_noticed, numbers))
    if any(fails(path, _AS_IT_IS, database=database) for database in databases):
        return None  # a failed run has left something behind, so the later ones prove nothing
    seconds = time.monotonic() - began
    sys.stdout.write(f"\n{path}: {sum(noticed)} of {len(numbers)} negations make a test fail, in {seconds:.0f} s\n")
    sys.stdout.flush()
    return [describe(path, number) for number in numbers if not noticed[number]]


def main(paths: list[str]) -> int:
    paths = paths or list(GUARDED)
    databases = [f"negating_{number}" for number in range(_RUNS_AT_ONCE)]
    if not all(_PURE.issuperset(GUARDED[path]) for path in paths):
        importlib.import_module("tests.servers")  # starts one Postgres, which the runs find in their environment
    unnoticed = []
    for path in paths:
        found = negate_all(path, databases)
        if found is None:
            sys.stdout.write(f"\n{path}: its tests fail as they are\n")
            return 1
        unnoticed += found
    sys.stdout.writelines(f"no test notices the negation of {place}\n" for place in unnoticed)
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
