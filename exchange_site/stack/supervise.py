"""supervisord, as `task dev` wants it: a closed terminal ends it, and a failed start is a failure."""

import os
import signal
from pathlib import Path
from typing import Any

from supervisor import supervisord
from supervisor.options import ServerOptions

FAILED = "failed"


class _Options(ServerOptions):  # type: ignore[misc]  # supervisor publishes no types
    def setsignals(self) -> None:
        """By itself supervisord takes a closed terminal for a request to load its configuration again."""
        ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN  # nohup
        super().setsignals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else self._stop_in_silence)

    def _stop_in_silence(self, _number: int, frame: Any) -> None:
        """The terminal is gone, and a word to it would be an error that ends supervisord before the rest."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        self.signal_receiver.receive(signal.SIGTERM, frame)


def supervise(configuration: Path) -> int:
    """Run until told to stop, and return the exit code."""
    options = _Options()
    options.realize(["--nodaemon", "-c", str(configuration)], doc=__doc__)
    options.first, options.test = True, False
    supervisord.go(options)
    options.close_httpservers()
    options.close_logger()
    return 1 if (configuration.parent / FAILED).exists() else 0
