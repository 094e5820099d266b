"""`python -m exchange_site.stack dev | prepare | demo [--exit] | manage …`, which the Taskfile calls."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from exchange_site.stack.binaries import NoServers
from exchange_site.stack.environment import data_dir, leave_out_foreign_variables, prepare_environment
from exchange_site.stack.processes import PROJECT, end_with, manage
from exchange_site.stack.refusals import StackRefused, explain_os_error, open_folder
from exchange_site.stack.running import WITH_PARENT, claim, find_running_stack
from exchange_site.stack.servers import ServerFailed, create_database


def main(arguments: list[str]) -> int:
    """Run a command and return its exit code. Expected errors are printed as a sentence, without a traceback."""
    command, *rest = arguments or ["help"]
    if command not in _COMMANDS:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    leave_out_foreign_variables()
    try:
        return _COMMANDS[command](rest)
    except (StackRefused, NoServers, ServerFailed) as error:
        sys.stderr.write(f"{error}\n")
    except OSError as error:
        sys.stderr.write(f"{explain_os_error(error, data_dir())}\n")
    return 1


# Imports are deferred so that no command loads the modules of the others.


def _dev(arguments: list[str]) -> int:
    if arguments[:1] == [WITH_PARENT]:
        end_with(int(arguments[1]), number=signal.SIGTERM)
    sys.stdout.write(f"Starting the exchange on {data_dir()}\n")  # first of all, because loading the rest takes seconds
    sys.stdout.flush()
    from exchange_site.stack.supervisor import run_stack

    run_stack()
    return 0


def _prepare(arguments: list[str]) -> int:
    from exchange_site.stack.prepare import prepare

    return prepare(columns=int(arguments[0]) if arguments else None)


def _supervise(arguments: list[str]) -> int:
    from exchange_site.stack.supervisor import supervise

    return supervise(Path(arguments[0]))


def _demo(arguments: list[str]) -> int:
    from exchange_site.stack.demo.run import run_demo

    return run_demo(arguments)


def _manage(arguments: list[str]) -> int:
    """Run manage.py against the running stack; if there is none, start its servers for this command only."""
    running = find_running_stack(data_dir())
    if running:
        return _run(arguments, {**running.environment, **running.owner})
    with claim(open_folder(data_dir())):
        return _run_with_own_servers(arguments)


def _run_with_own_servers(arguments: list[str]) -> int:
    servers, environment = prepare_environment(data_dir())
    with ExitStack() as running:
        for server in servers:
            running.enter_context(server.running())
        if "POSTGRES_PORT" in environment:
            create_database({**os.environ, **environment})
        return _run(arguments, environment)


def _run(arguments: list[str], environment: dict[str, str]) -> int:
    command = manage(*arguments)
    return subprocess.run(command, env={**environment, **os.environ}, cwd=PROJECT, check=False).returncode  # noqa: S603  a command of ours


_COMMANDS: Final[dict[str, Callable[[list[str]], int]]] = {
    "dev": _dev,
    "prepare": _prepare,
    "supervise": _supervise,
    "demo": _demo,
    "manage": _manage,
}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
