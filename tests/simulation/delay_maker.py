"""What comes late in a night: calls that arrive late, rows that lag, runs that begin soon after one that was cut short.

Everything here is drawn from a generator of its own. It is of storms alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from engine.executor.course import late_max_s
from engine.simulator.world.faults import Fault, FaultKind, FaultRule
from tests.simulation.fleet_maker import Kind
from tests.simulation.sim_cloud import LATE
from tests.simulation.trouble_maker import NIGHT_SECONDS, Disturbance

if TYPE_CHECKING:
    import random

    from tests.simulation.scenario import Scenario

LATEST_SECONDS: Final = 60.0
LATE_SHARE: Final = 0.35  # of the storms: a lost call may arrive up to LATEST_SECONDS later
LAG_SHARE: Final = 0.25  # of the storms: a row may lag up to LATEST_SECONDS
FROZEN_SHARE: Final = 0.25  # of the storms: the process is stopped now and then just after it has looked at an app
SOON_SHARE: Final = 0.5  # of the runs: the next one begins at once
LATE_REPLACES_SHARE: Final = 0.8  # the same where calls arrive late
REPLACES_SHARE: Final = 0.35  # of the runs: some apps are replaced whether they have drifted or not
EARLY_SHARE: Final = 0.1  # of the runs: two signals before there is a plan


def draw_delays(rng: random.Random, scenario: Scenario) -> None:
    """Lay delays over the scenario."""
    if scenario.kind is not Kind.STORM:
        return
    if rng.random() < LATE_SHARE:
        scenario.app_late_max_s = min(LATEST_SECONDS, 0.9 * late_max_s(scenario.settings.observe))
        begin = scenario.world.now
        rule = FaultRule(Fault(FaultKind.STALL_AFTER, LATE), "DeleteApp", 0.4, begin, begin + NIGHT_SECONDS)
        scenario.faults.append(rule)
    if rng.random() < LAG_SHARE:
        scenario.world.lag_max_s = rng.uniform(20.0, LATEST_SECONDS)
    if rng.random() < FROZEN_SHARE:
        scenario.freeze_probability = rng.choice([0.1, 0.4])
    late = scenario.app_late_max_s > scenario.late_max_s
    drawn = [_delayed(rng, disturbance, late=late) for disturbance in scenario.disturbances]
    if late and len(drawn) == 1:
        drawn.append(_delayed(rng, Disturbance(), late=True))  # a run that meets what the one before it had in flight
    scenario.disturbances = tuple(drawn)


def _delayed(rng: random.Random, disturbance: Disturbance, *, late: bool) -> Disturbance:
    if rng.random() < SOON_SHARE:
        disturbance = replace(disturbance, pause_s=rng.uniform(0.0, 5.0))
    if rng.random() < (LATE_REPLACES_SHARE if late else REPLACES_SHARE):
        disturbance = replace(disturbance, replaces=True)
    if rng.random() < EARLY_SHARE:
        first = rng.uniform(0.0, 3.0)
        disturbance = replace(disturbance, interrupts=(first, first + rng.uniform(0.0, 1.0)), kill_at=-1)
    return disturbance
