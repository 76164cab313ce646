"""A simulator over HTTP in a thread of its own, for use inside a process that has another event loop, or none."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from engine.simulator.faces.http_face import Server, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from engine.simulator.world.world import World

T = TypeVar("T")

STOP_MAX_SECONDS: Final = 10.0


class SimulatorThread:
    """A context manager: inside it a simulator answers at `url`.

    The world belongs to the thread while it runs; look at it, or change it, through `run`.
    """

    def __init__(
        self,
        world: World,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.world = world
        self.url = ""
        self._where = host, port
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="appfleet-simulator", daemon=True)

    def __enter__(self) -> Self:
        """Start, and wait until it answers. Raises what kept it from starting."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join(STOP_MAX_SECONDS)
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it and wait for its thread."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_MAX_SECONDS)

    def run(self, work: Callable[[World], T]) -> T:
        """Call `work` with the world between two requests, and give what it gives."""

        async def inside() -> T:
            self.world.advance(self._clock())
            return work(self.world)

        if self._loop is None or not self._thread.is_alive():
            return work(self.world)
        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result(STOP_MAX_SECONDS)

    def stats(self) -> dict[str, Any]:
        """Return what the world counted."""
        return self.run(lambda world: world.stats_json())

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits in __enter__
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        server: Server = await serve(self.world, *self._where, self._clock)
        try:
            self._stop = server.stopped
            self._loop = asyncio.get_running_loop()
            self.url = server.url
            self._ready.set()
            await server.stopped.wait()
        finally:
            await server.close()
