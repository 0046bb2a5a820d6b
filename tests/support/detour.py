"""A way round to a server of this machine, which can be cut, frozen, mended, and led elsewhere.

Stands for the network between the operator and the API server, and for the Service by which
workers find the operator. Bytes pass as they are, so TLS stays between the two ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, Final

BLOCK: Final = 1 << 16


class Detour:
    """Listens on `port` of the loopback address and passes everything on to a port there, until `close`."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._open = True
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="detour", daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._connect, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Close every connection, and each new one at once."""
        self._do(self._set(is_open=False, flows=True))

    def freeze(self) -> None:
        """Pass nothing on: connections stand, new ones too, and no byte arrives."""
        self._do(self._set(is_open=True, flows=False))

    def mend(self) -> None:
        """Pass everything on again."""
        self._do(self._set(is_open=True, flows=True))

    def lead_to(self, target: int) -> None:
        """Pass new connections on to another port; those that stand are closed."""
        self._target = target
        self.cut()
        self.mend()

    def close(self) -> None:
        """End it, with all connections."""
        self.cut()
        self._server.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _set(self, *, is_open: bool, flows: bool) -> None:
        self._open = is_open
        if flows:
            self._flows.set()
        else:
            self._flows.clear()
        if not is_open:
            for writer in list(self._writers):
                writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if not self._open:
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(back)
            try:
                await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
            finally:
                self._writers.discard(back)
                back.transport.abort()
        except OSError:
            return
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while block := await source.read(BLOCK):
            await self._flows.wait()
            sink.write(block)
            await sink.drain()
        with contextlib.suppress(OSError):
            sink.write_eof() if sink.can_write_eof() else sink.close()
