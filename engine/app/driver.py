"""Gives each shard to a worker, and the shard of a worker that is lost to another one.

Not here: what a worker does (`shard_work`), and what comes before and after the shards (`by_workers`).
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from engine.adapters.dask_workers import opened_workers
from engine.app.shard_run import SHARD_LOST
from engine.app.shard_work import APPLY, task_of, trouble_in, work
from engine.core.crew import Crew
from engine.core.errors import BugError, ExitCode
from engine.core.limits import SHARD_LOCK_WAIT_SECONDS, SHARD_TRIES_MAX_COUNT, WORKERS_END_MAX_SECONDS
from engine.core.shards import Shard
from engine.core.text import clean
from engine.core.trouble import Trouble
from engine.executor.asking import at_once
from engine.ports.events import RunInterrupted, ShardFinished, ShardStarted, WorkerLost, WorkersStarted
from engine.ports.workers import WorkerLostError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from engine.app.options import AppOptions
    from engine.core.bucket_url import BucketUrl
    from engine.ports.events import Emit
    from engine.ports.workers import Values, Workers

LOST_HINT: Final = "Run the same command again: existing apps are kept. The log says how the workers ended"


@asynccontextmanager
async def opened_driver(options: AppOptions, emit: Emit, deadline_s: float) -> AsyncIterator[Driver]:
    """Yield who gives the shards to workers. Raises AppfleetError, and KeyboardInterrupt after a second signal."""
    loop = asyncio.get_running_loop()
    crew, began = options.crew or Crew(), loop.time()
    with TemporaryDirectory(prefix="appfleet-", ignore_cleanup_errors=True) as name:
        driver = Driver(options, emit, Path(name), deadline_s)
        with options.signals.directed_to(driver.stop, loop.call_soon_threadsafe):
            try:
                async with opened_workers(crew, work, emit, driver.folder / "workers") as workers:
                    driver.workers = workers
                    emit(WorkersStarted(workers.count, round(loop.time() - began, 3), crew.scheduler))
                    yield driver
            except asyncio.CancelledError:
                if not driver.is_aborted:
                    raise
                raise KeyboardInterrupt(driver.signal) from None
            finally:
                driver.is_over()


class Driver:
    """Gives shards to workers, and gives a shard of a worker that is lost to another one."""

    def __init__(self, options: AppOptions, emit: Emit, folder: Path, deadline_s: float) -> None:
        self.folder = folder
        self.signal = ""
        self.is_aborted = False
        self.applied: list[Values] = []
        self.workers: Workers | None = None
        self._options = options
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._deadline_s = deadline_s
        self._main = asyncio.current_task()
        self._given_up = asyncio.Event()
        self._alarms: list[asyncio.TimerHandle] = []
        self._telling: set[asyncio.Task[None]] = set()
        self.restart_clock()

    @property
    def count(self) -> int:
        """How many shards there are."""
        return 0 if self.workers is None else self.workers.count

    def was_aborted_in_order(self) -> bool:
        """Whether a second signal, and nothing else, cancelled the task; it may go on then."""
        if not self.is_aborted or self._main is None:
            return False
        self._main.uncancel()
        return True

    def restart_clock(self) -> None:
        """Start the time of the run again: what passed before was a person's."""
        self.is_over()
        self._deadline_at = self._loop.time() + self._deadline_s
        # Each shard ends by itself at the deadline. This is for one that hangs.
        self._alarms.append(self._loop.call_at(self._deadline_at + WORKERS_END_MAX_SECONDS, self._given_up.set))

    def is_over(self) -> None:
        """Watch no more."""
        for alarm in self._alarms:
            alarm.cancel()

    def stop(self, signal: str) -> None:
        """Handle a signal by its name: the first one stops every shard in order, a second one ends the workers."""
        self.is_aborted = bool(self.signal)
        if not self.is_aborted:
            self.signal = signal
            self._emit(RunInterrupted(f"{signal}; every shard finishes its calls and makes no new ones", signal))
            self._alarms.append(self._loop.call_later(WORKERS_END_MAX_SECONDS, self._given_up.set))
        task = self._loop.create_task(self._tell_stop(signal))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell_stop(self, signal: str) -> None:
        if self.workers is not None:
            await self.workers.stop(signal, at_once=self.is_aborted)
        if self.is_aborted and self._main is not None:
            self._main.cancel()

    async def each(self, step: str, plans: Path | BucketUrl) -> list[Values]:
        """Do a step for every shard, all at once; return what came of each."""
        if self.workers is None:  # pragma: no cover - whoever calls has opened them
            raise BugError("there are no workers")
        count = self.count
        return await at_once(
            self._one(self.workers, partial(self._task, step, plans, Shard(index, count))) for index in range(count)
        )

    def _task(self, step: str, plans: Path | BucketUrl, shard: Shard, tries: int) -> dict[str, Any]:
        lock_s = self._options.lock_timeout_s
        return task_of(
            self._options,
            plans,
            step,
            shard,
            deadline_s=max(self._deadline_at - self._loop.time(), 1.0),
            # The worker before may be cut off from us and not from AWS: until it ends, it holds its lanes.
            lock_timeout_s=lock_s if tries == 1 else max(lock_s, SHARD_LOCK_WAIT_SECONDS),
        )

    async def _one(self, workers: Workers, make_task: partial[dict[str, Any]]) -> Values:
        step, _, shard = make_task.args
        for tries in range(1, SHARD_TRIES_MAX_COUNT + 1):
            if self.signal:
                return self._noted(step, nothing_done(ExitCode.INTERRUPTED))
            self._emit(ShardStarted(str(shard), step, tries))
            try:
                result = await self._submitted(workers, partial(make_task, tries))
            except WorkerLostError as lost:
                self._emit(WorkerLost(str(shard), step, tries, clean(str(lost))))
                continue
            error = trouble_in(result)
            texts = ("", "", "") if error is None else (error.code, error.message, error.hint)
            self._emit(
                ShardFinished(
                    str(shard),
                    step,
                    result["seconds"],
                    result["exit_code"],
                    result["summary"],
                    result["run_id"],
                    *texts,
                )
            )
            return self._noted(step, result)
        why = f"shard {shard}: its worker was lost {SHARD_TRIES_MAX_COUNT} times"
        return self._noted(step, nothing_done(ExitCode.FAILED, Trouble(SHARD_LOST, why, LOST_HINT)))

    def _noted(self, step: str, result: Values) -> Values:
        """Keep what came of a shard that was applied, also where another one ends them all with an error."""
        if step == APPLY:
            self.applied.append(result)
        return result

    async def _submitted(self, workers: Workers, make_task: Callable[[], Values]) -> Values:
        """Return what a worker returned. Raises WorkerLostError, also for one that does not end when it has to."""
        doing = [asyncio.ensure_future(workers.submit(make_task)), asyncio.ensure_future(self._given_up.wait())]
        try:
            await asyncio.wait(doing, return_when=asyncio.FIRST_COMPLETED)
            if not doing[0].done():
                raise WorkerLostError(f"it did not end within {WORKERS_END_MAX_SECONDS:g} s of its stop or deadline")
            result: Values = doing[0].result()  # type: ignore[assignment]  # the other one is a bool
            return result
        finally:
            for one in doing:
                one.cancel()
            await asyncio.gather(*doing, return_exceptions=True)


def nothing_done(code: ExitCode, error: Trouble | None = None) -> Values:
    """Return the result of a shard that no worker has."""
    why = None if error is None else error.to_json()
    return {"run_id": "", "exit_code": int(code), "summary": {}, "error": why, "seconds": 0.0}
