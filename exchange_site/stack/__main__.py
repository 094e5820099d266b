"""`python -m exchange_site.stack dev | prepare | demo [--exit] | manage …`, which the Taskfile calls."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from exchange_site.stack.binaries import NoServers, server_user
from exchange_site.stack.environment import (
    data_dir,
    leave_out_foreign_variables,
    prepare_environment,
    refuse_wrong_values,
)
from exchange_site.stack.processes import PROJECT, end_with, manage
from exchange_site.stack.refusals import StackRefused, explain_os_error, open_folder
from exchange_site.stack.running import WITH_PARENT, claim, find_running_stack
from exchange_site.stack.servers import ServerFailed, create_database

_BY_SIGNAL: Final = 128
_INTERRUPTED: Final = _BY_SIGNAL + signal.SIGINT
"""Exit codes of a shell's programs that a signal has ended."""
_TELLING: Final = (signal.SIGTERM, signal.SIGHUP)


def main(arguments: list[str]) -> int:
    """Run a command and return its exit code. Expected errors are printed as a sentence, without a traceback."""
    if arguments[:1] == [WITH_PARENT]:
        end_with(int(arguments[1]), number=signal.SIGTERM)
        arguments = arguments[2:]
    command, *rest = arguments or ["help"]
    if command not in _COMMANDS:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    leave_out_foreign_variables()
    open_closed_streams()
    print_what_the_terminal_can_show()
    try:
        return _COMMANDS[command](rest)
    except (StackRefused, NoServers, ServerFailed) as error:
        sys.stderr.write(f"{error}\n")
    except OSError as error:
        sys.stderr.write(f"{explain_os_error(error, data_dir())}\n")
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 1


def open_closed_streams() -> None:
    """Open /dev/null where this process was started without stdin, stdout or stderr; files would get their numbers.

    A file that has got such a number already loses it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)  # noqa: FBT003  os takes it by position only
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115  it stays open


def print_what_the_terminal_can_show() -> None:
    """Print a question mark for a character that the encoding of the locale lacks, as ISO-8859-1 lacks bullets."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def set_umask() -> int:
    """Let nobody else write to the files of the stack, and the servers' user read them. Return the umask of the shell.

    Where the servers run as this user, what the shell hides stays hidden.
    """
    given = os.umask(0o022)
    if server_user() is None:
        os.umask(given | 0o022)
    return given


def _end_cleanly() -> None:
    """End as on Ctrl-C when told to, or when the terminal is closed: also the programs that prepare the servers."""

    def end(number: int, _: object) -> None:
        raise SystemExit(_BY_SIGNAL + number)

    for number in _TELLING:
        _hear(number, end)


def _hear(number: int, handler: Callable[[int, object], object]) -> None:
    """Handle a signal, unless nohup or a shell lets this process ignore it."""
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, handler)


# Imports are deferred so that no command loads the modules of the others.


def _dev(arguments: list[str]) -> int:
    set_umask()
    _end_cleanly()
    if arguments:
        raise StackRefused(
            f"There is no {arguments[0]}: task dev has no options. Variables say what is to be different:"
            " PORT=8001 task dev"
        )
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
    set_umask()
    _end_cleanly()
    from exchange_site.stack.demo.run import run_demo

    return run_demo(arguments)


def _manage(arguments: list[str]) -> int:
    """Run manage.py against the running stack; if there is none, start its servers for this command only."""
    umask = set_umask()
    _end_cleanly()
    running = find_running_stack(data_dir())
    if running:
        return _run(arguments, {**running.environment, **running.owner}, umask=umask)
    with claim(open_folder(data_dir())):
        return _run_with_own_servers(arguments, umask=umask)


def _run_with_own_servers(arguments: list[str], *, umask: int) -> int:
    refuse_wrong_values()
    servers, environment = prepare_environment(data_dir())
    with ExitStack() as running:
        for server in servers:
            running.enter_context(server.running())
        if "POSTGRES_PORT" in environment:
            create_database({**os.environ, **environment})
        return _run(arguments, environment, umask=umask)


def _run(arguments: list[str], environment: dict[str, str], *, umask: int) -> int:
    """Run manage.py with the umask of the shell, for the files that the command writes. It decides when it ends.

    The terminal's signals reach it too, so Ctrl-C is left to it. SIGTERM and SIGHUP are passed on, as soon as it runs.
    """
    given = {name: value for name, value in os.environ.items() if value or name not in environment}
    variables = {**environment, **given}
    _hear(signal.SIGINT, lambda *_: None)
    early: list[int] = []
    pass_on: Callable[[int], None] = early.append
    for number in _TELLING:
        _hear(number, lambda number, _: pass_on(number))
    child = subprocess.Popen(manage(*arguments), env=variables, cwd=PROJECT, umask=umask)  # noqa: S603  a command of ours
    pass_on = child.send_signal
    for missed in early:
        pass_on(missed)
    return child.wait()


_COMMANDS: Final[dict[str, Callable[[list[str]], int]]] = {
    "dev": _dev,
    "prepare": _prepare,
    "supervise": _supervise,
    "demo": _demo,
    "manage": _manage,
}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
