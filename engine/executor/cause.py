"""Why a run makes no new calls."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Why no new calls are made."""

    INTERRUPTED = "interrupted"
    DEADLINE = "deadline"
    LOCK_LOST = "lock_lost"
    BUG = "bug"
