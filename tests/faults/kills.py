"""The named places at which processes die or freeze; see wallets/runtime/failpoints.py."""

from contextlib import contextmanager, suppress

POINTS_OF_API = ("orders.locked", "order.debited", "order.committed")
POINTS_OF_WORKER = ("claim.claimed", "claim.committed", "attempt.sent", "attempt.answered", "job.done")
POINTS = (*POINTS_OF_API, *POINTS_OF_WORKER, "cancel.credited", "refund.credited", "claim.refunded", "moved.refunded")
SHOTS = tuple(f"{point}={action}" for point in POINTS for action in ("kill", "stop"))


class Failpoints:
    """Arms shots, which kill or freeze a process at a place. A shot with a marker file in the folder cannot fire."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        for shot in SHOTS:
            self._marker(shot).touch()

    @contextmanager
    def armed(self, shot):
        """Let a shot hit the next process that reaches its place. Yield a function that returns its pid, or None so far."""
        self._marker(shot).unlink()
        try:
            yield lambda: self._pid_of(shot)
        finally:
            self._marker(shot).touch()

    def _pid_of(self, shot):
        with suppress(FileNotFoundError, ValueError):
            return int(self._marker(shot).read_text())
        return None

    def _marker(self, shot):
        return self.folder / shot
