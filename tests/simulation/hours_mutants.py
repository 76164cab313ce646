"""Deliberate bugs about hours: what is stopped that should run, and what is made that should not."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from engine.core import decision
from engine.core.change import Action, Reason
from engine.core.hours import HoursAt
from engine.core.observed import AppStatus
from engine.executor.kinds.apps import AppOperation


def open_hours_are_closed() -> Any:
    """Take every calendar for closed."""
    return patch.object(HoursAt, "is_outside", lambda _, hours: hours is not None)


def hours_are_ignored() -> Any:
    """Take every calendar for open."""
    return patch.object(HoursAt, "is_outside", lambda *_: False)


def tag_is_not_read_again() -> Any:
    """Stop what the plan stops, whatever was read just before."""
    return patch.object(AppOperation, "spared", lambda *_: None)


def stops_what_is_not_ours() -> Any:
    """Stop whatever runs outside its hours."""

    def decide(row: Any, *_: Any) -> Any:
        stops = row is not None and row.status is AppStatus.IN_SERVICE
        return decision.Decision(Action.DELETE if stops else Action.NONE, Reason.OUTSIDE_HOURS)

    return patch.object(decision, "_decide_outside", decide)
