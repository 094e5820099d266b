"""`python -m exchange_site.stack dev | prepare | demo [--exit] | manage …`, which the Taskfile calls."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from exchange_site.stack.binaries import NoServers
from exchange_site.stack.environment import data_dir, prepare_environment
from exchange_site.stack.processes import PROJECT, manage
from exchange_site.stack.running import StackRefused, claim, find_running_stack
from exchange_site.stack.servers import ServerFailed, create_database


def main(arguments: list[str]) -> int:
    """Run a command and return its exit code. Expected errors are printed as a sentence, without a traceback."""
    # Imports are deferred so that no command loads the modules of the others.
    command, *rest = arguments or ["help"]
    try:
        if command == "dev":
            from exchange_site.stack.supervisor import run_stack

            run_stack()
        if command == "prepare":
            from exchange_site.stack.prepare import prepare

            return prepare()
        if command == "supervise":
            from exchange_site.stack.supervisor import supervise

            return supervise(Path(rest[0]))
        if command == "demo":
            from exchange_site.stack.demo.run import run_demo

            return run_demo(rest)
        if command == "manage":
            return _manage(rest)
    except (StackRefused, NoServers, ServerFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"{__doc__}\n")
    return 2


def _manage(arguments: list[str]) -> int:
    """Run manage.py against the running stack; if there is none, start its servers for this command only."""
    running = find_running_stack(data_dir())
    if running:
        return _run(arguments, {**running.environment, **running.owner})
    data_dir().mkdir(parents=True, exist_ok=True)
    with claim(data_dir()):
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


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
