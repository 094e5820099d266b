"""A TCP proxy that can mute, hold and cut its connections, as a faulty network does."""

import asyncio
import threading
from contextlib import contextmanager, suppress

from exchange_site.stack.processes import free_port


class Proxy:
    """Passes all data between its own port and the port `target`."""

    def __init__(self, target):
        self.port, self._target = free_port(), target
        self._muted, self._held, self._late_after, self._lines = False, None, None, set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._call(self._open())

    @contextmanager
    def muted(self):
        """Pass requests and drop answers without an error, inside the `with` block. Then cut the connections."""
        self._muted = True
        try:
            yield
        finally:
            self._call(self._cut_muted())

    @contextmanager
    def held(self, *, then_cut=False):
        """Hold all data inside the `with` block. Then deliver it, or with `then_cut` drop it and cut the connections."""
        self._call(self._hold())
        try:
            yield
        finally:
            if then_cut:
                self.cut()
            self._call(self._release())

    @contextmanager
    def late(self, *, after=0):
        """Pass requests and hold answers inside the `with` block, each after so many bytes. Then deliver the rest."""
        self._late_after = after
        try:
            with self.held():
                yield
        finally:
            self._late_after = None

    def close_door(self):
        """Refuse new connections from now on."""
        self._call(self._refuse())

    def lead_to(self, target):
        """Connect new connections to the port `target`; those that exist stay where they are."""
        self._target = target

    def cut(self):
        """Reset every connection."""
        self._call(self._cut())

    def close(self):
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _open(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _accept(self, reader, writer):
        ends = [writer]
        line = asyncio.current_task()
        self._lines.add(line)
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
            ends.append(there_writer)
            passing = {
                asyncio.create_task(self._pass(reader, there_writer, answers=False)),
                asyncio.create_task(self._pass(there_reader, writer, answers=True)),
            }
            try:
                await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in passing:
                    task.cancel()
                await asyncio.gather(*passing, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._lines.discard(line)
            for end in ends:
                end.transport.abort()

    async def _pass(self, reader, writer, *, answers):
        with suppress(OSError):
            while data := await reader.read(65536):
                if self._late_after is not None:
                    passing = self._late_after if answers else len(data)
                    writer.write(data[:passing])
                    data = data[passing:]
                while self._held and data:
                    await self._held.wait()
                if not (self._muted and answers):
                    writer.write(data)
                    await writer.drain()

    async def _hold(self):
        self._held = asyncio.Event()

    async def _release(self):
        held, self._held = self._held, None
        held.set()

    async def _cut_muted(self):
        """Cut, and hear again at once: a client that connects anew does so within a millisecond."""
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        self._muted = False
        await asyncio.gather(*lines, return_exceptions=True)

    async def _cut(self):
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    async def _refuse(self):
        self._server.close()

    async def _close(self):
        self._server.close()
        await self._cut()
