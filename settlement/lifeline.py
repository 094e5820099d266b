"""Kill a worker that says nothing any more. A script of its own, without any package: it runs beside each worker.

    python -I -S lifeline.py PID SECONDS

The worker writes to this process's standard input while its event loop goes on. The end of the input is the end of the
worker. Seconds are counted in waits, so that a pause of the whole machine is no silence.
"""

import os
import select
import signal
import sys

_WAIT_SECONDS = 0.5


def main() -> None:
    """Wait for the worker's end, or end it after so many seconds of silence."""
    pid, most = int(sys.argv[1]), float(sys.argv[2])
    # Of a terminal or supervisor: the worker decides when it ends.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    silent = 0.0
    while silent < most:
        if not select.select([0], [], [], _WAIT_SECONDS)[0]:
            silent += _WAIT_SECONDS
        elif os.read(0, 4096):
            silent = 0.0
        else:
            return
    os.write(
        2, f'{{"level": "CRITICAL", "message": "worker {pid} has been frozen for {silent:.0f} s: killed"}}\n'.encode()
    )
    os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
