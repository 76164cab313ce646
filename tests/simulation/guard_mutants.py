"""Deliberate bugs about what holds replaces back: waves without an end, and people who are not spared."""

from __future__ import annotations

from typing import Any, Final
from unittest.mock import patch

from engine.core import draft, waves
from engine.core.activity import Activity, Use
from engine.executor import changes


def wave_has_no_end() -> Any:
    """Replace everything in one run."""
    return patch.object(draft, "in_wave", lambda plan, _: plan)


def places_are_given_twice() -> Any:
    """Fill a whole wave although apps of the last one are still down."""
    return patch.object(waves, "_owed", lambda *_: 0)


def people_are_not_spared() -> Any:
    """Delete whoever works."""
    return patch.object(changes, "while_used", lambda *_: None)


def a_freeze_is_not_asked_about_again() -> Any:
    """Ask for a freeze in the plan alone."""
    return patch.object(changes, "frozen_until", lambda *_: "")


def a_health_check_is_a_person() -> Any:
    """Take the time of a health check for somebody at work."""

    def use(activity: Activity, now: float, within_s: float) -> Use:
        return Use.ACTIVE if activity.user_at and now - activity.user_at < within_s else Use.IDLE

    return patch.object(Activity, "use", use)


BUGS: Final = (
    ("a-wave-has-no-end", "no more replaces than a wave has places", wave_has_no_end),
    ("places-of-a-wave-are-given-twice", "what is down keeps its place", places_are_given_twice),
    ("people-at-work-are-not-spared", "spare_active", people_are_not_spared),
    ("a-freeze-is-not-asked-about-again", "no delete in a freeze", a_freeze_is_not_asked_about_again),
    ("a-health-check-is-a-person", "spared only who is known to work", a_health_check_is_a_person),
)
