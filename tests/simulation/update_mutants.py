"""Deliberate bugs about updates: of what is not ours, of what was not looked at, and ends that nobody has seen."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from engine.core.outcome import Outcome
from engine.executor import changes, course, retry
from engine.executor.operation import Phase
from engine.executor.step import End


def tag_is_not_read_again() -> Any:
    """Update whatever the tag says by now."""
    right = course.with_tag
    return patch.object(changes, "with_tag", lambda one, found: None if _is_update(one) else right(one, found))


def is_not_read_again() -> Any:
    """Update without the look just before it."""
    right = changes._not_as_planned

    async def looked(lane: Any, reach: Any, operation: Any) -> Any:
        return None if _is_update(operation) else await right(lane, reach, operation)

    return patch.object(changes, "_not_as_planned", looked)


def lost_one_is_believed() -> Any:
    """Take an update without an answer for one that was carried out."""
    right = course.after_lost_answer

    def lost(operation: Any, *more: Any) -> Any:
        return End(Outcome.UPDATED) if _is_update(operation) else right(operation, *more)

    return patch.object(retry, "after_lost_answer", lost)


def accepted_one_is_done() -> Any:
    """Take an accepted update for one that has settled."""
    return patch.object(changes, "after_update", lambda *_: End(Outcome.UPDATED))


def _is_update(operation: Any) -> bool:
    return bool(operation.phase is Phase.UPDATE)
