"""The process around one command: its signals, its open files, its state folder, and a write that does not hang.

What the command line takes of the adapters before it knows which command it runs, so everything here is light.
"""

from __future__ import annotations

import gc
import time
from typing import Final

from engine.adapters.patient_write import write_patiently
from engine.adapters.resources import require_open_files, shortage_of
from engine.adapters.signals import Signals, caught_here, name_of
from engine.adapters.state.state_dir import CRASH_PREFIX, STATE_DIR_NAME

__all__ = [
    "CRASH_PREFIX", "STATE_DIR_NAME", "Signals", "caught_here", "collect_rarely",
    "name_of", "new_run_id", "require_open_files", "shortage_of", "write_patiently",
]  # fmt: skip

_COLLECTOR_THRESHOLD_OBJECTS: Final = 50_000


def collect_rarely() -> None:
    """Look for garbage less often: starting makes tens of thousands of objects that all stay, and so does a fleet."""
    gc.set_threshold(_COLLECTOR_THRESHOLD_OBJECTS, 20, 20)


def new_run_id(started: float) -> str:
    """Return the name of a run: its start in UTC and three random bytes, so that names sort by time."""
    import secrets  # not needed for what has no run

    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(started))}-{secrets.token_hex(3)}"
