"""Whether a store keeps the conditions of writes: some take every write, say 200, and lose what two runs write at once.

A run asks before it relies on a lease. The probe writes one small object of its own, under a name that never changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.errors import StateError
from engine.ports.objects import WriteRefusedError

if TYPE_CHECKING:
    from engine.ports.objects import ObjectStore

PROBE_NAME: Final = "probe"
_DATA: Final = b"appfleet looks here whether this store keeps the conditions of writes.\n"
_NO_VERSION: Final = '"00000000000000000000000000000000"'
_HINT: Final = (
    "Use an Amazon S3 bucket, or a store that supports conditional writes (If-None-Match, If-Match). "
    "Otherwise one run would overwrite the state of another; nothing was called"
)


async def probe(store: ObjectStore, where: str) -> None:
    """Raise StateError for a store that ignores conditions, and CloudError for one that cannot be used.

    `where` is its address, for the reader of the error.
    """
    try:
        await store.put(PROBE_NAME, _DATA, replaces=None)
    except WriteRefusedError:
        pass  # an earlier run wrote it
    else:
        await _refused(store, where, None, "If-None-Match: *")
    await _refused(store, where, _NO_VERSION, "If-Match")


async def _refused(store: ObjectStore, where: str, replaces: str | None, condition: str) -> None:
    """See that a write is refused whose condition does not hold."""
    try:
        await store.put(PROBE_NAME, _DATA, replaces=replaces)
    except WriteRefusedError:
        return
    raise StateError(f"{where} accepts a write although its condition ({condition}) fails", hint=_HINT)
