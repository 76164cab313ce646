"""A store of objects by name, each write on a condition: what state is kept in that more than one machine uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One version of an object. `tag` names the version; both times are epoch seconds by the store's own clock.

    `now` is when the store answered, so `now - modified` is an age to which no other clock was asked.
    """

    data: bytes
    tag: str
    modified: float
    now: float

    @property
    def age_s(self) -> float:
        """Return the seconds since this version was written; never below zero."""
        return max(0.0, self.now - self.modified)


class WriteRefusedError(Exception):
    """The object is not the version that a write named, so nothing was written: by this request, at least.

    What stands between here and the store may send a request twice, and this be the answer to the second.
    """


class ObjectStore(Protocol):
    """A bucket and a prefix in it. Every method raises CloudError, and `put` WriteRefusedError too."""

    async def get(self, name: str) -> StoredObject | None:
        """Return the newest version of an object, or None when there is none."""
        ...

    async def put(self, name: str, data: bytes, *, replaces: str | None) -> str:
        """Write an object in place of the version `replaces`, or where there is none if that is None. Return its tag.

        After OutcomeUnknown it may have been written, and may yet be.
        """
        ...

    async def names(self, under: str) -> tuple[str, ...]:
        """Return the names of all objects below `under`, sorted."""
        ...
