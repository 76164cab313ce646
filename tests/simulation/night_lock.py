"""The lock under simulation: the production lock on a real folder, with the loop's clock.

Who has it is written down beside it, so that two holders at once are seen, and somebody who is refused while nobody
has it. A kill closes the descriptors as the kernel does, without asking the lock.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.adapters.state.lock import FleetLock, Holder
from engine.adapters.state.state_dir import StateDir
from engine.core.errors import LockHeldError
from tests.simulation.fleet_maker import FLEET_NAME

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

    from tests.simulation.virtual_loop import VirtualLoop
    from tests.simulation.watch import Watch

HOLDER: Final = Holder(os.getpid(), "host", "ann", "2026-11-24T01:00:00Z", "r", "apply")


class NightLock:
    """The lock of one night's runs. `worker` is the task that has it."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._folder = tempfile.TemporaryDirectory(prefix="appfleet-night-")
        self._state = StateDir.open(Path(self._folder.name) / "state")
        self._held: FleetLock | None = None
        self.worker: asyncio.Task[object] | None = None

    @asynccontextmanager
    async def held(self, loop: VirtualLoop, task: asyncio.Task[object], timeout_s: float) -> AsyncIterator[None]:
        """Hold the lock. Raises LockHeldError when another run has it until the time is up."""
        lock = FleetLock(self._state, FLEET_NAME)
        asked_at = loop.time()
        try:
            async with lock.acquire(HOLDER, timeout_s, clock=loop.time):
                if loop.time() > asked_at:
                    self._watch.seen.add("lock.waited_for")
                before, self.worker, self._held = self.worker, task, lock
                if before is not None:
                    self._watch.violation("two runs have the lock of one fleet")
                try:
                    yield
                finally:
                    self.worker = None
        except LockHeldError:
            self._watch.seen.add("lock.refused")
            if self.worker is None:
                self._watch.violation("a run was refused although no other works")
            if loop.time() < asked_at + timeout_s:
                self._watch.violation(f"a run was refused after {loop.time() - asked_at:.1f} of {timeout_s:.1f} s")
            raise

    def kill(self) -> None:
        """End the run that has the lock, as the kernel ends it."""
        lock, self.worker = self._held, None
        if lock is None:
            return
        for name in ("_file_fd", "_folder_fd"):
            descriptor = getattr(lock, name)
            setattr(lock, name, None)
            if descriptor is not None:
                os.close(descriptor)

    def close(self) -> None:
        """Take the folder away."""
        self._state.close()
        self._folder.cleanup()
