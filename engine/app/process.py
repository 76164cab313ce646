"""The process around one command: its signals, its open files, its state folder, and a write that does not hang.

What the command line takes of the adapters before it knows which command it runs, so everything here is light.
"""

from __future__ import annotations

from engine.adapters.patient_write import write_patiently
from engine.adapters.resources import require_open_files, shortage_of
from engine.adapters.signals import Signals, caught_here, name_of
from engine.adapters.state.state_dir import CRASH_PREFIX, STATE_DIR_NAME

__all__ = [
    "CRASH_PREFIX", "STATE_DIR_NAME", "Signals", "caught_here",
    "name_of", "require_open_files", "shortage_of", "write_patiently",
]  # fmt: skip
