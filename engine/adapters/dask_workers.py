"""Workers by Dask.distributed, on this machine or of a scheduler that runs already. The only module that imports it.

One task at a time is sent to each worker, and to that worker alone, so that Dask does none a second time by itself.
Workers of this machine end with this process, are started again when they die, and speak over TLS with a certificate
that is made for this run: otherwise every user of the machine could run code in them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Final

from engine.adapters.signals import STOPPING
from engine.core.crew import Crew
from engine.core.errors import UsageError, WorkersError
from engine.core.limits import WORKER_LOOK_SECONDS, WORKERS_CONNECT_MAX_SECONDS, WORKERS_STOP_MAX_SECONDS
from engine.core.text import clean, listed
from engine.ports.events import Emit, Event
from engine.ports.workers import Values, Work, WorkerLostError

_HERE: Final = __name__
_EXTRA: Final = ("distributed", "cryptography")
_FORK_SERVER: Final = "engine.adapters.fork_server"
_TLS_HINT: Final = (
    "Set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT and "
    "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY, as Dask documents them"
)
_NAMED_MAX_COUNT: Final = 3
_SETTINGS: Final = {
    "logging.distributed": "critical",  # the end of a worker is told as an event
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.multiprocessing-method": "forkserver",  # reads its modules once for all workers
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
}


@asynccontextmanager
async def opened_workers(crew: Crew, work: Work, emit: Emit, folder: Path) -> AsyncIterator[DaskWorkers]:
    """Yield workers that do `work`, and end those of this machine at the end; `folder` is for their files.

    `emit` gets what they tell. Raises UsageError where Dask or certificates are missing, and WorkersError.
    """
    if not all(map(find_spec, _EXTRA)):
        raise UsageError(
            "--workers and --scheduler need Dask, which is not installed",
            hint="Install it in a clone: pip install '.[dask]'",
        )
    import dask  # noqa: PLC0415 - an extra

    async with AsyncExitStack() as stack:
        # For good: to undo it would also undo what Dask adds as it is imported.
        dask.config.set({**_SETTINGS, "temporary-directory": str(folder)})
        from distributed import Client  # noqa: PLC0415 - an extra, which reads its settings as it is imported

        cluster = await stack.enter_async_context(_cluster(crew, work, folder)) if crew.is_local else None
        address = crew.scheduler if cluster is None else cluster.scheduler_address
        security = _security(crew) if cluster is None else cluster.security
        client = Client(address, security=security, asynchronous=True, timeout=WORKERS_CONNECT_MAX_SECONDS)
        try:
            await stack.enter_async_context(client)
        except (OSError, TimeoutError, ValueError) as error:  # ValueError: of one that does not speak TLS
            with suppress(Exception):
                await client.close(timeout=WORKERS_STOP_MAX_SECONDS)
            raise WorkersError(
                f"cannot connect to the Dask scheduler {crew.scheduler}: {_why(error)}",
                hint="Check that it runs, that this machine may reach it, and whether it speaks tls:// or tcp://",
            ) from None
        workers = DaskWorkers(client, work, cluster)
        client.subscribe_topic(workers.topic, lambda message: emit(pickle.loads(message[1])))  # noqa: S301 - ours
        await workers.require_fit(crew)
        yield workers


@asynccontextmanager
async def _cluster(crew: Crew, work: Work, folder: Path) -> AsyncIterator[Any]:
    """Yield the scheduler and the workers of this machine, served by a thread: the run's own may wait for an answer.

    Raises WorkersError.
    """
    try:
        cluster = await asyncio.to_thread(_started, crew, work, folder)
    except (OSError, RuntimeError, TimeoutError) as error:
        raise WorkersError(
            f"{crew.count:,} workers could not be started: {_why(error)}",
            hint="Start fewer, or give this machine more memory and processes",
        ) from None
    try:
        yield cluster
    finally:
        await asyncio.to_thread(cluster.close)


def _started(crew: Crew, work: Work, folder: Path) -> Any:
    from distributed import LocalCluster, Security  # noqa: PLC0415 - an extra
    from distributed.utils import get_mp_context  # noqa: PLC0415

    # After Dask has set what it would have read itself.
    get_mp_context().set_forkserver_preload([_FORK_SERVER, "distributed", _HERE, work.__module__])
    return LocalCluster(
        n_workers=crew.count,
        threads_per_worker=1,
        processes=True,
        asynchronous=False,
        host="127.0.0.1",
        protocol="tls://",
        security=Security.temporary(),
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # what is left of it has no pages
        memory_limit=0,
        local_directory=str(folder),
        silence_logs=logging.CRITICAL,
        preload=[_HERE],
    )


def _security(crew: Crew) -> Any:
    """Return how to prove who we are, from Dask's own variables and files. Raises UsageError."""
    from distributed import Security  # noqa: PLC0415 - an extra

    if not crew.is_verified:
        return None
    try:
        security = Security(require_encryption=True)
        context = security.get_connection_args("client").get("ssl_context")
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"the certificates for {crew.scheduler} cannot be used: {clean(str(error))}", hint=_TLS_HINT
        ) from None
    if context is None:
        raise UsageError(f"{crew.scheduler} needs certificates, and none are named", hint=_TLS_HINT)
    return security


class DaskWorkers:
    """The workers of a client of Dask. `cluster` holds those of this machine."""

    def __init__(self, client: Any, work: Work, cluster: Any = None) -> None:
        self.count = 0
        self.topic = f"appfleet-{uuid.uuid4().hex}"
        self._client = client
        self._work = work
        self._cluster = cluster
        self._busy: set[str] = set()
        self._there: set[str] = set()
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    async def require_fit(self, crew: Crew) -> None:
        """Count the workers. Raises WorkersError where there is none, or one has another appfleet."""
        found = await self._addresses()
        if not found:
            raise WorkersError(f"the Dask scheduler {crew.scheduler} has no workers", hint="Start some, then run again")
        self.count = crew.count or len(found)
        if self._cluster is not None:
            return
        ours = version("appfleet")
        theirs = await self._client.run(_version, on_error="return")
        wrong = sorted(f"{worker} has {_said(one)}" for worker, one in theirs.items() if one != ours)
        if wrong:
            raise WorkersError(
                f"this is appfleet {ours}, and {listed(wrong, _NAMED_MAX_COUNT)}",
                hint=f"Install appfleet {ours} on every worker",
            )

    async def submit(self, task: Callable[[], Values]) -> Values:
        """Do a task on the next free worker. Raises WorkerLostError."""
        address = await self._free_worker()
        self._busy.add(address)
        future = self._client.submit(
            _done, self._work, task(), self.topic, workers=[address], allow_other_workers=False, pure=False, retries=0
        )
        waiting = [asyncio.ensure_future(_result(future)), asyncio.ensure_future(self._gone(address))]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not waiting[0].done():
                raise WorkerLostError(f"worker {address} is gone")
            result: Values = await waiting[0]
            return result
        finally:
            self._looked_at = float("-inf")  # it may be gone, and must not be taken for free
            self._busy.discard(address)
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            future.release()

    async def stop(self, signal: str, *, at_once: bool = False) -> None:
        """Tell the tasks that are being done to stop; `at_once` kills the workers of this machine."""
        if at_once and self._cluster is not None:
            for nanny in self._cluster.workers.values():
                nanny.auto_restart = False
                with suppress(ProcessLookupError, TypeError):  # it has just ended
                    os.kill(nanny.pid, _KILL)
            return
        told = (self._client.run(_stop, self.topic, signal, workers=[one], on_error="ignore") for one in self._busy)
        with suppress(TimeoutError):
            async with asyncio.timeout(WORKERS_STOP_MAX_SECONDS):
                await asyncio.gather(*told, return_exceptions=True)

    async def _free_worker(self) -> str:
        """Return a worker that does nothing for us. Raises WorkerLostError where there has been none for a while."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + WORKERS_CONNECT_MAX_SECONDS
        while True:
            found = await self._addresses()
            if free := sorted(found - self._busy):
                return free[0]
            if found:
                give_up_at = loop.time() + WORKERS_CONNECT_MAX_SECONDS
            elif loop.time() > give_up_at:
                raise WorkerLostError("no worker is left")
            await asyncio.sleep(WORKER_LOOK_SECONDS)

    async def _gone(self, address: str) -> None:
        """Return when a worker is known to be gone."""
        while address in await self._addresses():  # noqa: ASYNC110 - Dask tells nobody
            await asyncio.sleep(WORKER_LOOK_SECONDS)

    async def _addresses(self) -> set[str]:
        """Return where the workers are, by one look for all tasks that ask.

        Raises WorkerLostError where the scheduler is not there any more.
        """
        loop = asyncio.get_running_loop()
        async with self._looking:
            if loop.time() - self._looked_at >= WORKER_LOOK_SECONDS:
                try:
                    async with asyncio.timeout(WORKERS_CONNECT_MAX_SECONDS):
                        self._there = set((await self._client.scheduler.identity())["workers"])
                except (OSError, TimeoutError):
                    raise WorkerLostError("the scheduler cannot be reached") from None
                self._looked_at = loop.time()
        return self._there


async def _result(future: Any) -> Any:
    """Return what a task returned. Raises WorkerLostError where its worker ended, or what it raised."""
    from distributed.client import FutureCancelledError  # noqa: PLC0415 - an extra
    from distributed.scheduler import KilledWorker  # noqa: PLC0415

    try:
        return await future
    except (KilledWorker, FutureCancelledError) as error:
        raise WorkerLostError(f"the worker ended: {type(error).__name__}") from None


def _why(error: Exception) -> str:
    """Return what went wrong, which Dask often says in the cause alone."""
    return clean(str(error) or str(error.__cause__ or "") or type(error).__name__).rstrip(".")


def _said(answer: object) -> str:
    return clean(answer) if isinstance(answer, str) else "no working one"


# What follows is done in a worker.

_KILL: Final = signal.SIGKILL
_LOCK: Final = Lock()  # a task is in a thread of its own, and stops arrive in another one
_LINES: Final[dict[str, list[_TaskLine]]] = {}  # of the tasks that are being done, by topic
_STOPS: Final[dict[str, list[str]]] = {}  # by topic: a stop may arrive before the task that it is for


class _TaskLine:
    """The line of a task, in the thread that does it."""

    def __init__(self, topic: str) -> None:
        from distributed import get_worker  # noqa: PLC0415 - an extra

        self._topic = topic
        self._worker = get_worker()
        self._listeners: list[Callable[[str], None]] = []

    def tell(self, event: Event) -> None:
        """Send an event to the client."""
        with suppress(Exception):  # of a worker that is being closed; the result does not depend on it
            self._worker.log_event(self._topic, pickle.dumps(event))

    def on_stop(self, listener: Callable[[str], None]) -> None:
        """Call `listener` for each stop, those before it included."""
        with _LOCK:
            self._listeners.append(listener)
            for name in _STOPS.get(self._topic, ()):
                listener(name)

    def stop(self, name: str) -> None:
        """Pass a stop on, from the worker's own thread, which has the lock."""
        for listener in self._listeners:
            listener(name)


def _done(work: Work, task: Values, topic: str) -> Values:
    """Do a task."""
    line = _TaskLine(topic)
    with _LOCK:
        _LINES.setdefault(topic, []).append(line)
    try:
        return work(task, line)
    finally:
        with _LOCK:
            _LINES[topic].remove(line)


def _stop(topic: str, name: str) -> None:
    with _LOCK:
        _STOPS.setdefault(topic, []).append(name)
        for line in _LINES.get(topic, ()):
            line.stop(name)


def _version() -> str:
    return version("appfleet")


async def dask_setup(_worker: object) -> None:
    """Leave signals to the process that began this worker: a terminal and a service manager send them to all."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
