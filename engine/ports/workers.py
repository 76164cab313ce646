"""The seam to an engine that runs a function elsewhere: in other processes, or on other machines.

An engine needs to know nothing of shards: it takes a function and plain values, and returns plain values. Not here:
what is done with a worker that is lost (`app.by_workers`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from engine.ports.events import Event

Values = Mapping[str, Any]  # texts, numbers, lists and tables


class WorkerLostError(Exception):
    """The worker of a task is gone, or cannot be reached any more: nobody knows how far it got. Its text says which."""


class Line(Protocol):
    """What joins a task to whoever gave it, as the task sees it."""

    def tell(self, event: Event) -> None:
        """Pass an event on. Never raises."""
        ...

    def on_stop(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the name of a signal each time that the task is to stop, also for those before."""
        ...


# A function of a module, found there by whoever runs it.
Work = Callable[[Values, Line], Values]


class Workers(Protocol):
    """Workers, each of which does one task at a time."""

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    async def submit(self, task: Callable[[], Values]) -> Values:
        """Do a task on the next free worker, and return what it returns; it is made when there is one.

        Raises WorkerLostError, and whatever the work raises.
        """
        ...

    async def stop(self, signal: str, *, at_once: bool = False) -> None:
        """Tell all tasks that are being done to stop; `at_once` ends workers of this machine with what they do."""
        ...
