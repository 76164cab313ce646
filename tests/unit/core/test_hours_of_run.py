"""What a run did because of hours: who was stopped, who started, and what was deleted for another reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from engine.core import hours_of_run as module
from engine.core.change import Action
from engine.core.desired import Mode
from engine.core.hours_of_run import hours_of_run
from engine.core.outcome import AppResult, Outcome
from tests.fleets import an_app, hours_of, key_of

if TYPE_CHECKING:
    import pytest

NIGHT = datetime(2026, 12, 4, 20, tzinfo=UTC)  # a Friday
DAY = datetime(2026, 12, 4, 10, tzinfo=UTC)
OFFICE = hours_of("Mon-Fri 08:00-19:00 Europe/Berlin")
APPS = tuple(replace(an_app(f"research/space/lab-{number}/JupyterLab/default"), hours=OFFICE) for number in range(4))
ALWAYS = an_app("research/space/always/JupyterLab/default")


def result(number: int, action: Action, outcome: Outcome) -> AppResult:
    return AppResult(APPS[number].key, action, outcome)


def test_what_is_deleted_outside_its_hours_was_stopped_and_is_back_when_they_begin() -> None:
    expired = replace(APPS[2], expires=date(2026, 12, 3))
    results = [
        result(1, Action.DELETE, Outcome.DELETED),
        result(0, Action.DELETE, Outcome.DELETED),
        result(2, Action.DELETE, Outcome.DELETED),
        result(3, Action.DELETE, Outcome.FAILED),
        AppResult(ALWAYS.key, Action.DELETE, Outcome.DELETED),
    ]
    (one,) = hours_of_run((*APPS[:2], expired, APPS[3], ALWAYS), results, NIGHT)
    assert (one.line.is_open, one.line.local, one.line.apps) == (False, "Mon 08:00", 4)
    assert (one.stopped, one.stopped_count) == ((APPS[0].key, APPS[1].key), 2)
    assert (one.started, one.started_count) == ((), 0)


def test_what_is_made_was_started_and_a_delete_inside_the_hours_has_another_reason() -> None:
    results = [
        result(0, Action.CREATE, Outcome.CREATED),
        result(1, Action.DELETE_THEN_CREATE, Outcome.REPLACED),
        result(2, Action.DELETE, Outcome.DELETED),
        result(3, Action.CREATE, Outcome.PARKED),
    ]
    (one,) = hours_of_run(APPS, results, DAY)
    assert (one.line.is_open, one.line.local) == (True, "Fri 19:00")
    assert (one.started, one.stopped) == ((APPS[0].key, APPS[1].key), ())


def test_a_fleet_without_hours_has_none_and_apps_that_are_not_kept_running_do_not_count() -> None:
    absent = replace(APPS[0], mode=Mode.ABSENT)
    assert hours_of_run((ALWAYS, absent), [result(0, Action.DELETE, Outcome.DELETED)], NIGHT) == ()


def test_of_very_many_the_first_are_kept_and_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOURS_APPS_KEPT_MAX_COUNT", 2)
    results = [result(number, Action.DELETE, Outcome.DELETED) for number in range(4)]
    (one,) = hours_of_run(APPS, results, NIGHT)
    assert (one.stopped, one.stopped_count) == ((key_of(str(APPS[0].key)), APPS[1].key), 4)
