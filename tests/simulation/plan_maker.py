"""Training plans of a night: what they have reserved and for how long, which apps are declared on them, and what moves.

Everything here is drawn from a generator of its own, so that the rest of a seed does not depend on it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from engine.core.training_plans import PLAN_APP_TYPES
from engine.simulator.scenario.changes import SetTrainingPlan
from engine.simulator.world.faults import Fault, FaultKind, FaultRule
from engine.simulator.world.training_plans import STUDIO_APPS, TrainingPlan, training_plan
from tests.simulation.fleet_maker import TYPES, Kind, world_key
from tests.simulation.trouble_maker import LOST, NIGHT_SECONDS

if TYPE_CHECKING:
    import random

    from engine.core.desired import DesiredApp
    from engine.core.identity import Lane
    from tests.simulation.scenario import Scenario

SHARE: Final = 0.4  # of the nights
ON_PLAN_SHARE: Final = 0.6  # of the apps of a plan's type
DETACHED_SHARE: Final = 0.2  # of those of another
STANDING_SHARE: Final = 0.5  # of the standing apps that are declared on a plan
ROOM_COUNT: Final = 1_000  # where nothing goes wrong
DAY_SECONDS: Final = 86_400.0


def draw_plans(rng: random.Random, scenario: Scenario) -> None:
    """Put some of the apps on training plans, or leave the night as it is."""
    drawn = rng.random() < SHARE
    if not drawn or scenario.kind is Kind.SCARCE:
        return
    storm = scenario.kind is Kind.STORM
    for lane in sorted(set(scenario.lanes.values())):
        for number in range(rng.randint(1, 2)):
            made = _plan(rng, scenario, lane, f"plan{number}", storm=storm)
            scenario.plans.append(made)
            if not storm or rng.random() < 0.9:
                scenario.world.training_plans[made.arn] = made
            if storm:
                _changes(rng, scenario, made)
    scenario.fleet = replace(scenario.fleet, apps=tuple(_declared(rng, scenario, app) for app in scenario.fleet.apps))
    if storm and rng.random() < 0.3:
        fault = rng.choice([Fault(FaultKind.ACCESS_DENIED), Fault(FaultKind.THROTTLE), *LOST])
        now = scenario.world.now
        rule = FaultRule(fault, "DescribeTrainingPlan", rng.choice([0.3, 1.0]), now, now + NIGHT_SECONDS)
        scenario.faults.append(rule)


def heal_plans(scenario: Scenario) -> None:
    """Let every training plan be there, with room for everything."""
    for plan in scenario.plans:
        scenario.world.training_plans[plan.arn] = plan
        plan.total, plan.taken, plan.fixed_status, plan.full_is_refused = ROOM_COUNT, 0, "Active", True
        plan.ends_at = float("inf")
        plan.targets, plan.instance_types = (STUDIO_APPS,), TYPES


def _plan(rng: random.Random, scenario: Scenario, lane: Lane, name: str, *, storm: bool) -> TrainingPlan:
    arn = f"arn:aws:sagemaker:{lane.region}:{lane.account}:training-plan/{name}"
    now, kind = scenario.world.now, rng.choice(TYPES)
    if not storm:
        return training_plan(arn, (kind,), ROOM_COUNT, starts_at=now - DAY_SECONDS, ends_at=now + DAY_SECONDS)
    total = rng.choice([0, 1, 2, 4, 8])
    starts_at, ends_at = now - DAY_SECONDS, now + DAY_SECONDS
    match rng.choice(["all along", "all along", "all along", "ended", "ends", "starts"]):
        case "ended":
            ends_at = now - 1.0
        case "ends":
            ends_at = now + rng.uniform(1.0, NIGHT_SECONDS)
        case "starts":
            starts_at = now + rng.uniform(1.0, NIGHT_SECONDS)
    return training_plan(
        arn,
        (kind,),
        total,
        taken=rng.randint(0, min(total, 2)),
        fixed_status=rng.choice(["", "", "", "", "", "Failed", "Pending"]),
        starts_at=starts_at,
        ends_at=ends_at,
        targets=("training-job",) if rng.random() < 0.08 else (STUDIO_APPS,),
        full_is_refused=rng.random() < 0.7,
    )


def _changes(rng: random.Random, scenario: Scenario, plan: TrainingPlan) -> None:
    for _ in range(rng.randint(0, 2)):
        total = rng.choice([0, 1, 3, 20])
        status = rng.choice(["", "", "", "Expired", "Failed", "Active"])
        at = scenario.world.now + rng.uniform(5.0, NIGHT_SECONDS)
        scenario.world.schedule(at, SetTrainingPlan(plan.arn, total, total, status))


def _declared(rng: random.Random, scenario: Scenario, app: DesiredApp) -> DesiredApp:
    """Return the app on a plan of its lane that reserves its type, detached, or as it is."""
    lane, kind = scenario.lanes[app.key.domain], app.spec.instance_type
    fitting = [one for one in scenario.plans if one.lane == lane and kind in one.instance_types]
    if app.key.app_type not in PLAN_APP_TYPES or kind is None:
        return app
    if not fitting or rng.random() >= ON_PLAN_SHARE:
        detached = rng.random() < DETACHED_SHARE
        return replace(app, spec=replace(app.spec, training_plan_arn="None")) if detached else app
    plan = rng.choice(fitting)
    _standing(rng, scenario, app, plan)
    return replace(app, spec=replace(app.spec, training_plan_arn=plan.arn), fallback=())


def _standing(rng: random.Random, scenario: Scenario, app: DesiredApp, plan: TrainingPlan) -> None:
    """Let what stands there run on the plan, as an earlier night left it."""
    world = scenario.world
    there = world.apps.get(world_key(scenario.fleet, app.key))
    if there is None or there.bucket.instance_type not in plan.instance_types or rng.random() >= STANDING_SHARE:
        return
    if there.is_alive:
        world.bucket_usage[there.bucket] -= 1
        world.plan_usage[plan.arn] += 1
    there.bucket = there.bucket._replace(training_plan=plan.arn)
    there.spec = replace(there.spec, training_plan_arn=plan.arn)
