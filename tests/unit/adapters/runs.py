"""A clock and plans for the tests of what is shown while a run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.change import Action, Change, Reason
from engine.core.plan import Plan, PlanLane
from tests.fleets import an_app, key_of

if TYPE_CHECKING:
    from collections.abc import Mapping


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def plan_of(apps: Mapping[str, str], *, action: Action = Action.CREATE, lanes: int = 1) -> Plan:
    """Return a plan that makes `apps`: written keys with their instance types."""
    changes = tuple(
        Change(key_of(key), action, Reason.ABSENT, after=an_app(key, kind or None)) for key, kind in apps.items()
    )
    return Plan(
        fleet="ml-platform",
        made_at="2026-11-24T01:00:00Z",
        decisions=changes,
        lanes=tuple(PlanLane(f"11112222333{number}", "eu-west-1") for number in range(lanes)),
    )
