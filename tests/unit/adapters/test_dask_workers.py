"""Workers by Dask: real ones of this machine, and those of a scheduler as a fake client shows them."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pytest

from engine.adapters import dask_workers
from engine.adapters.dask_workers import DaskWorkers, opened_workers
from engine.core.crew import Crew
from engine.core.errors import UsageError, WorkersError
from engine.ports import events
from engine.ports.workers import WorkerLostError

if TYPE_CHECKING:
    from pathlib import Path

    from engine.ports.events import Event
    from engine.ports.workers import Line, Values

TLS = Crew(scheduler="tls://dask:8786")


def work(task: Values, line: Line) -> Values:
    """Do what a task says: wait for a stop, fail, or tell who does it."""
    if task.get("fails"):
        raise ValueError("it failed")
    line.tell(events.ShardProgressed(str(os.getpid()), 1, 2))
    if task.get("waits"):
        import threading

        stopped = threading.Event()
        names: list[str] = []

        def stop(name: str) -> None:
            names.append(name)
            stopped.set()

        line.on_stop(stop)
        stopped.wait()
        return {"stops": names}
    return {"pid": os.getpid(), "ignores": signal.getsignal(signal.SIGTERM) is signal.SIG_IGN}


async def _course(folder: Path) -> None:
    told: list[Event] = []
    async with opened_workers(Crew(2), work, told.append, folder) as workers:
        assert workers.count == 2
        first, second = await asyncio.gather(workers.submit(dict), workers.submit(dict))
        assert len({first["pid"], second["pid"], os.getpid()}) == 3
        assert first["ignores"]  # a terminal sends its signals to all processes
        with pytest.raises(ValueError, match="it failed"):
            await workers.submit(lambda: {"fails": True})
        waiting = [asyncio.ensure_future(workers.submit(lambda: {"waits": True})) for _ in range(2)]
        while len(told) < 4:  # noqa: ASYNC110 - the workers are other processes
            await asyncio.sleep(0.01)
        pids = {int(event.shard) for event in told if isinstance(event, events.ShardProgressed)}
        assert pids == {first["pid"], second["pid"]}
        os.kill(first["pid"], signal.SIGKILL)
        done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        with pytest.raises(WorkerLostError):
            await done.pop()
        third = await workers.submit(dict)  # on the one that has taken its place
        assert third["pid"] not in pids
        await workers.stop("SIGTERM")
        assert (await left.pop()) == {"stops": ["SIGTERM"]}
        await workers.stop("SIGTERM", at_once=True)
        with pytest.raises(WorkerLostError):
            await workers.submit(dict)


@pytest.mark.filterwarnings("default")  # of Dask's own
def test_workers_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_workers, "WORKERS_CONNECT_MAX_SECONDS", 5.0)
    try:
        asyncio.run(_course(tmp_path))
    finally:
        _end_of_the_fork_server()


def _end_of_the_fork_server() -> None:
    from multiprocessing import forkserver

    forkserver._forkserver._stop()  # type: ignore[attr-defined]  # it lives as long as its process, which is no test's


def test_without_the_extra_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_workers, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"not installed. Install it in a clone: pip install '\.\[dask\]'"):
        asyncio.run(_open(Crew(2), tmp_path))


async def _open(crew: Crew, folder: Path) -> DaskWorkers:
    async with opened_workers(crew, work, lambda _: None, folder) as workers:
        return workers


def test_workers_that_cannot_be_started_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr(dask_workers, "_started", fails)
    with pytest.raises(WorkersError, match=r"2 workers could not be started: Nanny failed to start\. Start fewer"):
        asyncio.run(_open(Crew(2), tmp_path))


def test_a_scheduler_that_proves_who_it_is_needs_certificates(tmp_path: Path) -> None:
    import dask
    import distributed  # noqa: F401 - which adds its settings

    with (
        dask.config.set({"distributed.comm.tls.ca-file": None}),
        pytest.raises(UsageError, match=r"none are named\. Set DASK"),
    ):
        asyncio.run(_open(TLS, tmp_path))
    files = {
        "distributed.comm.tls.ca-file": str(tmp_path / "ca.pem"),
        "distributed.comm.tls.client.cert": str(tmp_path),
    }
    with dask.config.set(files), pytest.raises(UsageError, match="the certificates for tls://dask:8786 cannot be used"):
        asyncio.run(_open(TLS, tmp_path))


class Client:
    """What of Dask's client is used, as a fake that reaches the workers that a test names."""

    workers: ClassVar[Any] = {}
    error: ClassVar[Exception | None] = None

    def __init__(self, *_: object, **__: object) -> None:
        self.scheduler = self

    async def __aenter__(self) -> Self:
        if self.error is not None:
            raise self.error
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def subscribe_topic(self, _topic: str, _handler: object) -> None:
        pass

    async def identity(self) -> dict[str, Any]:
        if isinstance(self.workers, Exception):
            raise self.workers
        return {"workers": dict(self.workers)}

    async def run(self, *_: object, **__: object) -> dict[str, Any]:
        return dict(self.workers)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    class Fake(Client):
        pass

    monkeypatch.setattr("distributed.Client", Fake)
    monkeypatch.setattr(dask_workers, "WORKERS_CONNECT_MAX_SECONDS", 0.0)
    monkeypatch.setattr(dask_workers, "WORKER_LOOK_SECONDS", 0.0)
    return Fake


PLAIN = Crew(scheduler="tcp://127.0.0.1:8786")


def test_workers_with_another_appfleet_are_refused(client: type[Client], tmp_path: Path) -> None:
    client.workers = {
        "tcp://one:1": "0.0.1",
        "tcp://two:1": ModuleNotFoundError("engine"),
        "tcp://three:1": version("appfleet"),
    }
    monkey = r"this is appfleet .*, and tcp://one:1 has 0.0.1, tcp://two:1 has no working one. Install appfleet"
    with pytest.raises(WorkersError, match=monkey):
        asyncio.run(_open(PLAIN, tmp_path))


def test_as_many_shards_as_the_scheduler_has_workers(client: type[Client], tmp_path: Path) -> None:
    client.workers = dict.fromkeys(("tcp://one:1", "tcp://two:1"), version("appfleet"))
    assert asyncio.run(_open(PLAIN, tmp_path)).count == 2
    assert asyncio.run(_open(Crew(7, PLAIN.scheduler), tmp_path)).count == 7


def test_a_scheduler_without_workers_is_refused(client: type[Client], tmp_path: Path) -> None:
    client.workers = {}
    with pytest.raises(WorkersError, match=r"the Dask scheduler tcp://127\.0\.0\.1:8786 has no workers"):
        asyncio.run(_open(PLAIN, tmp_path))


def test_a_scheduler_that_cannot_be_reached_is_named(client: type[Client], tmp_path: Path) -> None:
    client.error = OSError("connection refused")
    with pytest.raises(WorkersError, match=r"scheduler tcp://127\.0\.0\.1:8786: connection refused"):
        asyncio.run(_open(PLAIN, tmp_path))


def test_why_there_is_no_connection_may_be_in_the_cause(client: type[Client], tmp_path: Path) -> None:
    client.error = OSError()
    client.error.__cause__ = ValueError("wrong version number")
    with pytest.raises(WorkersError, match=r"8786: wrong version number\. Check that it runs"):
        asyncio.run(_open(PLAIN, tmp_path))


def test_no_worker_is_waited_for_without_end(client: type[Client]) -> None:
    client.workers = {}
    with pytest.raises(WorkerLostError, match="no worker is left"):
        asyncio.run(DaskWorkers(client(), work).submit(dict))
    client.workers = OSError()
    with pytest.raises(WorkerLostError, match="the scheduler cannot be reached"):
        asyncio.run(DaskWorkers(client(), work).submit(dict))


def test_a_task_whose_worker_is_gone_is_given_up(client: type[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where Dask would keep it for a worker of that address: the scheduler forgets it."""
    client.workers = {"tcp://one:1": version("appfleet")}
    released: list[bool] = []

    class Future:
        def __await__(self) -> Any:
            client.workers = {}
            return asyncio.get_running_loop().create_future().__await__()

        def release(self) -> None:
            released.append(True)

    monkeypatch.setattr(client, "submit", lambda *_, **__: Future(), raising=False)
    workers = DaskWorkers(client(), work)
    with pytest.raises(WorkerLostError, match="worker tcp://one:1 is gone"):
        asyncio.run(workers.submit(dict))
    assert released == [True]


# What is done in a worker, done here.


class Worker:
    def __init__(self) -> None:
        self.told: list[tuple[str, bytes]] = []

    def log_event(self, topic: str, message: bytes) -> None:
        if topic == "closed":
            raise RuntimeError("the worker is being closed")
        self.told.append((topic, message))


def test_a_task_hears_each_stop_once_and_tells_events(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, heard = Worker(), list[str]()
    monkeypatch.setattr("distributed.get_worker", lambda: worker)

    def task(_: Values, line: Line) -> Values:
        line.on_stop(heard.append)
        dask_workers._stop("topic", "SIGINT")
        line.tell(events.RunWaited(1.0))
        return {"done": True}

    dask_workers._stop("topic", "SIGTERM")
    assert dask_workers._done(task, {}, "topic") == {"done": True}
    assert heard == ["SIGTERM", "SIGINT"]
    dask_workers._stop("topic", "SIGHUP")  # nobody is there any more
    assert heard == ["SIGTERM", "SIGINT"]
    assert worker.told == [("topic", pickle.dumps(events.RunWaited(1.0)))]
    dask_workers._done(lambda _, line: line.tell(events.RunWaited(1.0)) or {}, {}, "closed")  # type: ignore[func-returns-value]
    assert dask_workers._version() == version("appfleet")


def test_a_worker_leaves_signals_to_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    ignored: list[int] = []
    monkeypatch.setattr(signal, "signal", lambda number, how: ignored.append(number) if how is signal.SIG_IGN else None)
    asyncio.run(dask_workers.dask_setup(object()))
    assert ignored == [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
