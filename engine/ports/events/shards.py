"""Events of a run whose shards are planned and carried out by workers."""

from __future__ import annotations

from dataclasses import dataclass

from engine.ports.events.base import Event


@dataclass(frozen=True, slots=True)
class WorkersStarted(Event, name="workers.started"):
    """`count` workers are ready after `seconds`; `scheduler` is their scheduler, empty for this machine."""

    count: int
    seconds: float
    scheduler: str = ""


@dataclass(frozen=True, slots=True)
class WorkerLost(Event, name="workers.lost", level="warning"):
    """The worker of a shard is lost. The shard starts again (`shard.started`), unless this was its last try."""

    shard: str
    step: str
    tries: int
    message: str


@dataclass(frozen=True, slots=True)
class ShardStarted(Event, name="shard.started"):
    """A worker got a shard; `step` is plan or apply, `tries` counts from 1."""

    shard: str
    step: str
    tries: int


@dataclass(frozen=True, slots=True)
class ShardProgressed(Event, name="shard.progressed"):
    """So many apps of a shard have ended, of those that it changes."""

    shard: str
    ended: int
    wanted: int
    failed: int = 0


@dataclass(frozen=True, slots=True)
class ShardFinished(Event, name="shard.finished"):
    """A worker has planned or carried out a shard. `run` names that run; `code` is why it failed."""

    shard: str
    step: str
    seconds: float
    exit_code: int
    summary: dict[str, int]
    run: str = ""
    code: str = ""
    message: str = ""
    hint: str = ""

    def loudness(self) -> str:
        """Return error for a shard that could not be done."""
        return "error" if self.code else self.level
