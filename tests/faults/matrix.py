"""The matrix of faults, kinds of order and modes. Ordinary runs test each fault once, `task test:faults` all cells."""

import time

import pytest

KINDS = ("large", "pool")
ONCE, LOAD = "once", "under load"
REPEATS = 3


def each(*names, modes=(ONCE, LOAD), dialects=()):
    """Parametrize a test by (name, kind, mode). Every run has one case for each name; only the matrix has the others.

    `dialects` are the names whose faults depend on what the venue speaks. In each dialect they are played in every mode,
    with one kind of order: to the venue, a purchase for a pool is like any other.
    """
    cases = []
    for number, name in enumerate(names):
        for kind in KINDS:
            for turn, mode in enumerate(modes):
                ordinary = kind == KINDS[number % 2] and mode == modes[0]
                marks = [] if ordinary else [pytest.mark.matrix]
                if name in dialects and kind == KINDS[(number + turn) % 2]:
                    marks.append(pytest.mark.dialects)
                cases.append(pytest.param(name, kind, mode, id=f"{name}, {kind}, {mode}", marks=marks))
    return pytest.mark.parametrize(("name", "kind", "mode"), cases)


def in_dialects(parameter):
    """Return a parameter of a test, with which it is played in each dialect."""
    return pytest.param(parameter, marks=pytest.mark.dialects)


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
