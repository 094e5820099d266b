"""The matrix of faults, kinds of order and modes. Ordinary runs test each fault once, `task test:faults` all cells."""

import time

import pytest

KINDS = ("large", "pool")
ONCE, LOAD = "once", "under load"
REPEATS = 3


def each(*names, modes=(ONCE, LOAD)):
    """Parametrize a test by (name, kind, mode). Every run has one case for each name; only the matrix has the others."""
    cases = []
    for number, name in enumerate(names):
        for kind in KINDS:
            for mode in modes:
                ordinary = kind == KINDS[number % 2] and mode == modes[0]
                marks = () if ordinary else (pytest.mark.matrix,)
                cases.append(pytest.param(name, kind, mode, id=f"{name}, {kind}, {mode}", marks=marks))
    return pytest.mark.parametrize(("name", "kind", "mode"), cases)


def begin(fault, world, trade, mode):
    """Strike with a fault while customers buy. `fault` is a context manager that is entered before they start."""
    if mode == ONCE:
        with fault(world, trade):
            trade.start()
        return
    with trade.load():
        for _ in range(REPEATS):
            with fault(world, trade):
                time.sleep(0.3)
            time.sleep(0.3)
