"""Negate each comparison of a module, one at a time, and expect that a test fails each time.

`python -m tests.negating` does so for all modules of `GUARDED`; with paths, for these. A comparison whose negation no
test notices is printed, and the exit status is 1.

The module's file does not change. A test run with NEGATED=path:number imports the module with that comparison negated:
this module is then pytest's plugin, and an import hook.
"""

import ast
import importlib.abc
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).resolve().parents[1]
GUARDED = {
    "settlement/gate.py": ["tests/settlement/test_gate.py"],
    "settlement/figures.py": ["tests/settlement/test_gate.py"],
    "settlement/services/intervening/weighing.py": ["tests/settlement/test_excesses.py"],
    "settlement/fence.py": ["tests/settlement/test_fence.py"],
    "settlement/services/recognising.py": ["tests/settlement/test_restoring.py"],
    "settlement/services/adopting.py": ["tests/settlement/test_restoring.py"],
    "settlement/services/unknown_orders.py": ["tests/settlement/test_restoring.py"],
}
"""Modules of comparisons that money depends on, each with the tests that must notice when one is negated."""

_PURE = {"tests/settlement/test_gate.py"}
"""Tests that need neither Django nor a fixture of ours: without plugins a run takes a second."""

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
    """Negate one operator: the one with this number, in the order of the source."""

    def __init__(self, number: int) -> None:
        self.number, self.count, self.place = number, 0, ""

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        for index, operator in enumerate(node.ops):
            if self.count == self.number:
                self.place = f"{node.lineno}: {ast.unparse(node)}"
                node.ops[index] = _NEGATION[type(operator)]()
            self.count += 1
        return self.generic_visit(node)


def count_comparisons(path: str) -> int:
    """Return the number of comparisons in a file."""
    counter = Negate(-1)
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


def fails(path: str, number: int, tests: list[str]) -> bool:
    """Say whether the tests fail when a comparison is negated."""
    command = [sys.executable, "-m", "pytest", "-p", "tests.negating", "-q", "-x", "--no-header", "--tb=no"]
    environment = {**os.environ, "NEGATED": f"{path}:{number}"}
    if _PURE.issuperset(tests):
        command += ["-c", os.devnull, "--rootdir", str(ROOT), "--noconftest", "-p", "no:cacheprovider"]
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    run = subprocess.run(
        [*command, *tests],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    sys.stdout.write("." if run.returncode else "!")
    sys.stdout.flush()
    return run.returncode != 0


def main(paths: list[str]) -> int:
    unnoticed = []
    for path in paths or GUARDED:
        numbers = range(count_comparisons(path))
        if fails(path, -1, GUARDED[path]):
            sys.stdout.write(f"{path}: its tests fail as they are\n")
            return 1
        with ThreadPoolExecutor(_RUNS_AT_ONCE) as pool:
            noticed = list(pool.map(lambda number, of=path: fails(of, number, GUARDED[of]), numbers))
        unnoticed += [describe(path, number) for number in numbers if not noticed[number]]
        sys.stdout.write(f"\n{path}: {sum(noticed)} of {len(numbers)} negations make a test fail\n")
        sys.stdout.flush()
    sys.stdout.writelines(f"no test notices the negation of {place}\n" for place in unnoticed)
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
