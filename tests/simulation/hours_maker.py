"""Hours of a night: calendars that are over, that close while runs work and that open then, and people who keep apps.

Everything here is drawn from a generator of its own, so that the rest of a seed does not depend on it. The last change
of a calendar is within the first half hour; from then on nothing changes for a day.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from engine.core.calendars import Calendar
from engine.core.desired import Mode
from engine.core.hours import KEEP_UNTIL_TAG, Hours
from engine.core.windows import WEEK_MINUTES, Span, Window
from tests.simulation.fleet_maker import Kind, world_key

if TYPE_CHECKING:
    import random

    from tests.simulation.scenario import Scenario

SHARE: Final = 0.3  # of the nights
WITH_HOURS_SHARE: Final = 0.6  # of their apps that run without an end
KEPT_SHARE: Final = 0.2  # of those that stand there
LAST_CHANGE_SECONDS: Final = 1_800.0
FAR: Final = "2027-06-01T00:00:00Z"
_DAY_MINUTES: Final = 24 * 60
_MONDAY_MINUTES: Final = 3 * _DAY_MINUTES  # from the Monday before 1970


def draw_hours(rng: random.Random, scenario: Scenario) -> None:
    """Give some of the apps hours, or leave the night as it is."""
    if rng.random() >= SHARE or scenario.kind is Kind.SCARCE:
        return
    now = scenario.world.now
    change_at = now // 60 * 60 + 60.0 * rng.randint(1, int(LAST_CHANGE_SECONDS) // 60)
    scenario.hours_settle_s = max(0.0, change_at - now) + 1.0
    change = int(change_at // 60)
    hours = (
        _hours("over", change - 3 * _DAY_MINUTES, change - 2 * _DAY_MINUTES),
        _hours("closes", change - 2 * _DAY_MINUTES, change),
        _hours("opens", change, change + 3 * _DAY_MINUTES),
    )
    apps = tuple(
        replace(app, hours=rng.choice(hours))
        if app.mode is Mode.RUNNING and app.expires is None and rng.random() < WITH_HOURS_SHARE
        else app
        for app in scenario.fleet.apps
    )
    scenario.fleet = replace(scenario.fleet, apps=apps, hours=hours)
    for app in apps:
        there = scenario.world.apps.get(world_key(scenario.fleet, app.key))
        if there is not None and rng.random() < KEPT_SHARE:
            there.tags[KEEP_UNTIL_TAG] = rng.choice([FAR, "2026-01-01T00:00:00Z", "tonight"])


def _hours(name: str, start: int, end: int) -> Hours:
    """Return hours from one minute since 1970 to another, each week."""
    first = (start + _MONDAY_MINUTES) % WEEK_MINUTES
    return Hours(name, Calendar((Window(name, (Span(first, first + end - start),)),), UTC, "UTC"))


def is_open(hours: Hours, at: float) -> bool:
    """Whether hours are open at a time in epoch seconds, by their minutes alone."""
    minute = (datetime.fromtimestamp(at, UTC).timestamp() / 60 + _MONDAY_MINUTES) % WEEK_MINUTES
    ((span,),) = (window.spans for window in hours.calendar.windows)
    return span.start <= minute < span.end or span.start <= minute + WEEK_MINUTES < span.end
