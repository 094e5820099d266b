"""A supervisor that starts processes again when they die."""

import threading
import time
from contextlib import contextmanager

from exchange_site.stack.processes import kill, start


class Child:
    """A process that the supervisor starts again whenever it has died."""

    def __init__(self, name, command, environment, *, log):
        self.name, self.command, self.environment = name, command, environment
        self.deaths = 0
        self._log = log
        self.begin()

    def begin(self):
        self.process = start(self.command, environment=self.environment, output=self._log)
        self.began = time.monotonic()

    def revive(self):
        """Start the process again if it has died. Half a second between two starts limits the load of one that always fails."""
        if self.process.poll() is not None and time.monotonic() > self.began + 0.5:
            self.deaths += 1
            self.begin()

    def kill(self):
        """Kill the whole process group, frozen processes too."""
        kill(self.process)

    def last_words(self, lines=25):
        text = self._log.read_text(errors="replace").splitlines()
        return f"--- {self.name}, died {self.deaths} times\n" + "\n".join(text[-lines:])


class Supervisor:
    """Starts children again when they have died."""

    def __init__(self):
        self.children = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def add(self, child):
        with self._lock:
            self.children[child.name] = child

    @contextmanager
    def without(self, name):
        """Keep the child down inside the `with` block."""
        with self._lock:
            child = self.children.pop(name)
            child.kill()
        try:
            yield
        finally:
            child.begin()
            self.add(child)

    def replace(self, name, **environment):
        """Restart the child with changed environment variables."""
        with self._lock:
            child = self.children[name]
            child.kill()
            child.environment = {**child.environment, **environment}
            child.begin()

    def end(self):
        self._ending.set()
        self._thread.join()
        for child in self.children.values():
            child.kill()

    def _watch(self):
        while not self._ending.wait(0.1):
            with self._lock:
                for child in self.children.values():
                    child.revive()
