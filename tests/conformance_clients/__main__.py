"""`python -m tests.conformance_clients [NAME …]`: make the calls of the table with each client, and say what is wrong.

Exit status 0 if every client got every answer that the documentation names; 1 if one did not, or could not be tried.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from exchange_site.simulator import DEFAULT_API_KEY, DEFAULT_API_SECRET
from exchange_site.stack.processes import free_port, local_url, simulator, start, stop, wait_for_answer
from tests.conformance_clients.clients import CLIENTS, CannotPrepare
from tests.conformance_clients.table import CALLS, Script


def main(names):
    below = Path(os.environ.get("DATA_DIR") or ".data").resolve() / "conformance"
    chosen = [client for client in CLIENTS if not names or client.folder in names or client.name in names]
    if not chosen:
        say(f"There is no such client. There are {', '.join(client.folder for client in CLIENTS)}.")
        return 1
    results = [try_client(client, below=below) for client in chosen]
    print_table(results)
    return 0 if all(result["right"] == len(CALLS) for result in results) else 1


def try_client(client, *, below):
    began = time.monotonic()
    if not client.is_possible():
        return result(client, began, note="skipped: this machine has no node and npm")
    say(f"{client.name}: preparing its environment")
    try:
        command = client.prepare(below=below)
    except CannotPrepare as error:
        say(f"{client.name}: {error}")
        return result(client, began, note="skipped: its environment cannot be made")
    with running_venue() as venue, running_driver(command, venue) as ask:
        right = make_calls(client, venue, ask)
    return result(client, began, right=right)


def make_calls(client, venue, ask):
    """Make the calls, and return how many were answered as the documentation says."""
    script, right = Script(venue=venue), 0
    for number, call in enumerate(CALLS, start=1):
        wrong = judge(script, call, ask)
        right += not wrong
        for sentence in wrong:
            say(f"{client.name}: {number}. {call['name']} ({call['method']} {call['path']}): {sentence}")
        if number % 10 == 0:
            say(f"{client.name}: {number} of {len(CALLS)} calls, {number - right} with another answer")
    return right


def judge(script, call, ask):
    try:
        return script.judge(call, ask(script.prepare(call)))
    except (KeyError, ValueError) as error:  # a call that needs an answer that was not had, a driver that has ended
        return [f"not made: {type(error).__name__} {error}"]


@contextmanager
def running_venue():
    """Run a simulator with a new book, without any spread."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        process = start(
            (*simulator(port=port, book=Path(folder) / "book.sqlite"), "--spread", "0"), output=subprocess.DEVNULL
        )
        try:
            wait_for_answer(f"{local_url(port)}/control/limits", seconds=20, by=process)
            yield local_url(port)
        finally:
            stop(process)


@contextmanager
def running_driver(command, venue):
    """Run a driver; yields a function that has it make a call and returns the answer."""
    arguments = [*command, venue, DEFAULT_API_KEY, DEFAULT_API_SECRET]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:

        def ask(call):
            driver.stdin.write(json.dumps(call) + "\n")
            driver.stdin.flush()
            return json.loads(driver.stdout.readline())

        try:
            yield ask
        finally:
            driver.stdin.close()
            stop(driver)


def result(client, began, *, right=0, note=""):
    return {"name": client.name, "right": right, "seconds": time.monotonic() - began, "note": note}


def print_table(results):
    say("")
    say(f"{'client':24}{'as documented':>16}{'seconds':>10}")
    for row in results:
        count = f"{row['right']} of {len(CALLS)}"
        say(f"{row['name']:24}{count:>16}{row['seconds']:10.1f}  {row['note']}".rstrip())


def say(sentence):
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
