"""What holds replaces back in a night: waves of some size, and people who are at work in some apps.

Everything here is drawn from a generator of its own, so that the rest of a seed does not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from engine.core.calendars import Calendar
from engine.core.windows import parse_freeze
from engine.simulator.world.records import IN_SERVICE
from tests.simulation.fleet_maker import Kind
from tests.simulation.trouble_maker import NIGHT_SECONDS

if TYPE_CHECKING:
    import random

    from engine.simulator.world.records import App
    from engine.simulator.world.world import World
    from tests.simulation.scenario import Scenario

SPARED_SHARE: Final = 0.6  # of the nights
AT_WORK_SHARE: Final = 0.35  # of the standing apps, from before the night
COMES_SHARE: Final = 0.2  # of the others, in the middle of it
FREEZE_SHARE: Final = 0.25  # of the nights
WAVES: Final = (1, 2, 3, 10, 1_000)
SPARES_SECONDS: Final = (60.0, 900.0, 7_200.0)
HEALTH_CHECKS_SECONDS: Final = (30.0, 300.0)


@dataclass(frozen=True, slots=True)
class ComesToWork:
    """Somebody begins to work in an app."""

    app: App
    until: float
    by_people: bool = True

    def apply(self, _: World) -> None:
        self.app.used_until = max(self.app.used_until, self.until)


def draw_guards(rng: random.Random, scenario: Scenario) -> None:
    """Draw the size of a wave, whether people are spared, who works when, and when nothing may be deleted."""
    spare_s = rng.choice(SPARES_SECONDS) if rng.random() < SPARED_SHARE else 0.0
    safety = replace(scenario.settings.safety, replace_wave=rng.choice(WAVES), spare_active=spare_s)
    scenario.settings = replace(scenario.settings, safety=safety)
    world = scenario.world
    world.timing = replace(world.timing, health_check=rng.choice(HEALTH_CHECKS_SECONDS))
    if scenario.kind is not Kind.STORM:
        return
    for app in [one for one in world.apps.values() if one.status == IN_SERVICE]:
        begins = world.now + rng.uniform(0.0, NIGHT_SECONDS)
        until = begins + rng.uniform(1.0, NIGHT_SECONDS)
        if rng.random() < AT_WORK_SHARE:
            app.used_until = until
        elif rng.random() < COMES_SHARE:
            world.schedule(begins, ComesToWork(app, until))
    if rng.random() < FREEZE_SHARE:
        _draw_freeze(rng, scenario)


def _draw_freeze(rng: random.Random, scenario: Scenario) -> None:
    """Let a freeze begin before the night or in the middle of it; it ends, too."""
    begins = datetime.fromtimestamp(scenario.world.now, UTC).replace(second=0)
    begins += timedelta(minutes=rng.choice([-5, 1, 2, rng.randint(1, int(NIGHT_SECONDS / 60))]))
    ends = begins + timedelta(minutes=rng.choice([2, 10, 60]))
    calendar = Calendar((parse_freeze(f"{begins:%a %H:%M}-{ends:%a %H:%M}"),), UTC, "UTC")
    scenario.freeze = (begins.timestamp(), ends.timestamp())
    scenario.settings = replace(scenario.settings, safety=replace(scenario.settings.safety, freeze=(calendar,)))


def heal_guards(scenario: Scenario) -> None:
    """Let everybody go home, as of long ago, and every freeze be over."""
    scenario.freeze = (0.0, 0.0)
    scenario.settings = replace(scenario.settings, safety=replace(scenario.settings.safety, freeze=()))
    for app in scenario.world.apps.values():
        app.used_until = 0.0
