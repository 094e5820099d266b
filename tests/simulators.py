"""Start simulators for tests in milliseconds: one process imports the code once, and forks a process for each simulator."""

import argparse
import atexit
import gc
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from functools import cache

from exchange_site.simulator.server import add_arguments, serve
from exchange_site.stack.processes import PROJECT, free_port, kill, local_url
from exchange_site.stack.processes import simulator as command_line
from tests.processes import Simulator


@contextmanager
def running_simulator(folder, *options):
    """Start an exchange simulator whose book is a file in the folder, with more options of its command line."""
    port = free_port()
    pid = _fork(command_line(port=port, book=folder / "book.sqlite")[3:] + options)
    try:
        venue = Simulator(local_url(port))
        assert _becomes_true(venue.answers, seconds=15)
        yield venue
        venue.close()
    finally:
        _stop(pid)


@contextmanager
def opened_book(path):
    """Open a simulator's book, and commit what the `with` block has changed in it."""
    with closing(sqlite3.connect(path, timeout=5)) as book, book:
        yield book


def _fork(arguments):
    """Have a simulator forked, and return its process id."""
    parent = _parent()
    parent.stdin.write(json.dumps(arguments) + "\n")
    parent.stdin.flush()
    return int(parent.stdout.readline())


@cache
def _parent():
    command = (sys.executable, "-m", "tests.simulators")
    parent = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(_end, parent)
    return parent


def _end(parent):
    try:
        parent.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        kill(parent)


def _stop(pid):
    """Ask a simulator to end, and kill it if it does not end in time."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        if not _becomes_true(lambda: _has_ended(pid), seconds=8):
            os.kill(pid, signal.SIGKILL)


def _becomes_true(condition, *, seconds):
    """Wait for a condition that takes a few milliseconds: `wait_for` would be much too patient."""
    deadline = time.monotonic() + seconds
    while not (is_true := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return is_true


def _has_ended(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _fork_on_request():
    """Read command lines, fork a simulator for each, and print its process id, until nobody is left to ask."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended simulators do not stay as zombies
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    gc.freeze()  # a collection in a simulator would copy all that it shares with this process
    for line in sys.stdin:
        options = parser.parse_args(json.loads(line))
        pid = os.fork()
        if not pid:
            _serve_and_end(options)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _serve_and_end(options):
    """Serve in a forked process, and end it without the interpreter's clearing up, which takes a third of a second."""
    os.setsid()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(options)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    _fork_on_request()
