"""Deliberate bugs about what comes late: half-done replaces, stale rows, absences, doubts, looks that are old."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from engine.core import decision
from engine.core.observed import AppStatus
from engine.executor import adoption, begin, changes, course, judge
from engine.executor.judge import Verdict
from engine.executor.kinds import app_watch
from engine.executor.kinds.apps import AppOperation
from engine.executor.step import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.executor.kinds.owners import OwnerOperation


def half_done_replace_is_forgotten() -> Any:
    """Let `done_once` speak of apps that were deleted to be replaced."""
    return patch.object(decision, "_is_half_replaced", lambda *_: False)


def judged_wrongly(kind: type[AppOperation | OwnerOperation], name: str, wrong: Callable[..., Any]) -> Any:
    """Let one function of the judge be `wrong` for operations of one kind, and right for the others."""
    right = getattr(judge, name)

    def of_kind(operation: Any, *more: Any) -> Any:
        return wrong(operation, *more) if isinstance(operation, kind) else right(operation, *more)

    return patch.object(judge, name, of_kind)


def old_row_in_service_is_believed() -> Any:
    """Believe good news of an earlier generation."""
    right = judge._settling

    def settling(operation: Any, row: Any, scan: Any) -> Verdict:
        in_service = row is not None and row.status is AppStatus.IN_SERVICE
        return Verdict.IN_SERVICE if in_service else right(operation, row, scan)

    return judged_wrongly(AppOperation, "_settling", settling)


def absence_is_not_asked_about() -> Any:
    """Believe what a listing does not show."""
    return patch.object(app_watch, "needs_asking", lambda _, verdict, __: verdict is Verdict.ASK)


@contextmanager
def absent_once_is_gone() -> Iterator[None]:
    """Believe the first look that shows nothing."""
    with absence_is_not_asked_about(), judged_wrongly(AppOperation, "missed_twice", lambda *_: True):
        yield


def calls_in_doubt_are_forgotten() -> Any:
    """Begin each key as if no run had been there before."""
    return patch.object(begin, "begin_in_doubt", lambda *_: False)


def create_comes_before_a_late_delete() -> Any:
    """Create at once after a delete that had to be sent twice."""
    return patch.object(course, "created_again_at", lambda _: AT_ONCE)


@contextmanager
def an_old_look_will_do() -> Iterator[None]:
    """Delete on a look of whatever age."""
    with (
        patch.object(changes, "require_fresh", lambda _: None),
        patch.object(adoption, "require_fresh", lambda _: None),
    ):
        yield
