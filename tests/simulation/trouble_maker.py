"""What goes wrong in a night: faults of calls, apps that fail, limits that move, other people, and ends of runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from engine.core.desired import Mode
from engine.simulator.scenario.changes import (
    AppRef,
    CreateForeignApp,
    DeleteForeignApp,
    FailApp,
    SetFailures,
    SetQuota,
    SetRequestLimit,
)
from engine.simulator.world.faults import (
    CAPACITY,
    INTERNAL,
    LIFECYCLE,
    SILENT,
    FailureRule,
    Fault,
    FaultKind,
    FaultRule,
)
from engine.simulator.world.quotas import RUNNING_APPS, Wording, bucket_quota_name, limit_message
from engine.simulator.world.request_limit import RequestLimit
from tests.simulation.fleet_maker import FLEET_NAME, FLEET_TAG, TYPES, world_key
from tests.simulation.sim_cloud import LATE, TOKEN_EXPIRED, TOKEN_REPEATS

if TYPE_CHECKING:
    import random

    from engine.core.desired import DesiredApp
    from engine.simulator.world.world import Change
    from tests.simulation.scenario import Scenario

EVER: Final = float("inf")
PAUSE_SECONDS: Final = 30.0  # between two runs
RIVAL_SHARE: Final = 0.2
LOCK_LOST_SHARE: Final = 0.1
OFFBOARD_SHARE: Final = 0.12
ABORTED_READ_SHARE: Final = 0.08
REMADE_AFTER_SECONDS: Final = 1.5  # two generations of one key are told apart by their CreationTime, to the second
NIGHT_SECONDS: Final = 600.0  # most trouble falls into the first ten minutes

LOST: Final = (
    Fault(FaultKind.RESET_BEFORE),
    Fault(FaultKind.RESET_AFTER),
    Fault(FaultKind.STALL_AFTER),
    Fault(FaultKind.STALL_AFTER, LATE),
    Fault(FaultKind.STALL_AFTER, LATE),
    Fault(FaultKind.INTERNAL_ERROR),
    Fault(FaultKind.INTERNAL_ERROR_AFTER),
    Fault(FaultKind.UNAVAILABLE),
    Fault(FaultKind.GARBAGE_AFTER),
    Fault(FaultKind.EMPTY_AFTER),
    Fault(FaultKind.REFUSED),
)
SAID: Final = (
    Fault(FaultKind.ERROR, "ResourceInUse", "Unable to create app [x] because storage is not in Available status"),
    Fault(FaultKind.ERROR, "ResourceInUse", "The app is in use."),
    Fault(FaultKind.ERROR, "LimitExceededException", "Slow down."),
    Fault(FaultKind.ERROR, "ValidationException", "1 validation error detected."),
    Fault(FaultKind.ERROR, "NobodyKnowsThisException", "Something new."),
    Fault(FaultKind.ACCESS_DENIED),
    Fault(FaultKind.THROTTLE),
)
LISTED: Final = (
    Fault(FaultKind.MISSING_ROWS),
    Fault(FaultKind.DUPLICATE_ROWS),
    Fault(FaultKind.DUPLICATE_ROWS, TOKEN_REPEATS),
    TOKEN_EXPIRED,
)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """How a run is cut short. Times are seconds after its beginning; `kill_at` counts turns of the loop.

    `offboards`: the run lets some owners go, with all that is in them. `rival_after` is when a second run of the fleet
    begins, and `rival_waits_s` how long it waits for the lock. `replaces`: some apps are replaced as --replace KEY
    does. `pause_s` is how long after this run the next one begins. At `lock_lost` somebody removes the lock's file.
    `aborts_at_read`: two signals come while this read, counted from 1, is under way before the plan.
    """

    kill_at: int = -1
    interrupts: tuple[float, ...] = ()
    deadline_s: float = EVER
    journal_breaks: float = EVER
    wait: bool = True
    lock_timeout_s: float = 0.0
    rival_after: float = EVER
    rival_waits_s: float = 0.0
    offboards: bool = False
    replaces: bool = False
    aborts_at_read: int = -1
    pause_s: float = PAUSE_SECONDS
    lock_lost: float = EVER


def draw_disturbances(rng: random.Random) -> tuple[Disturbance, ...]:
    """Return the runs that see trouble, one to three of them."""
    return tuple(_disturbance(rng) for _ in range(rng.choice([1, 1, 2, 3])))


def with_rivals(rng: random.Random, disturbances: tuple[Disturbance, ...]) -> tuple[Disturbance, ...]:
    """Let a second run begin beside some of the runs: at the same moment, or while the first works."""
    return tuple(
        replace(
            disturbance,
            rival_after=rng.choice([0.0, rng.uniform(0.0, 120.0)]),
            rival_waits_s=rng.choice([0.0, rng.uniform(1.0, 600.0)]),
        )
        if rng.random() < RIVAL_SHARE
        else disturbance
        for disturbance in disturbances
    )


def with_lost_locks(rng: random.Random, disturbances: tuple[Disturbance, ...]) -> tuple[Disturbance, ...]:
    """Let somebody remove the lock's file beside some of the runs."""
    return tuple(
        replace(disturbance, lock_lost=rng.uniform(0.0, 150.0)) if rng.random() < LOCK_LOST_SHARE else disturbance
        for disturbance in disturbances
    )


def with_offboarding(rng: random.Random, disturbances: tuple[Disturbance, ...]) -> tuple[Disturbance, ...]:
    """Let some of the runs be those that let people go."""
    return tuple(
        replace(disturbance, offboards=True) if rng.random() < OFFBOARD_SHARE else disturbance
        for disturbance in disturbances
    )


def with_aborted_reads(rng: random.Random, disturbances: tuple[Disturbance, ...]) -> tuple[Disturbance, ...]:
    """Let two signals come while some of the runs still read: at any read before the plan, the first ones most."""
    return tuple(
        replace(disturbance, aborts_at_read=int(10 ** rng.uniform(0.0, 1.7)))
        if rng.random() < ABORTED_READ_SHARE
        else disturbance
        for disturbance in disturbances
    )


def _disturbance(rng: random.Random) -> Disturbance:
    kill_at, deadline_s = -1, EVER
    interrupts: tuple[float, ...] = ()
    match rng.choice(["none", "none", "kill", "kill", "interrupt", "twice", "deadline"]):
        case "kill":
            kill_at = int(10 ** rng.uniform(0.5, 3.8))
        case "interrupt":
            interrupts = (rng.uniform(0.0, 150.0),)
        case "twice":
            first = rng.uniform(0.0, 120.0)
            interrupts = (first, first + rng.choice([0.0, rng.uniform(0.1, 40.0)]))
        case "deadline":
            deadline_s = rng.uniform(1.0, 300.0)
    breaks = rng.uniform(0.0, 120.0) if rng.random() < 0.15 else EVER
    return Disturbance(kill_at, interrupts, deadline_s, breaks, rng.random() < 0.93)


def draw_troubles(rng: random.Random, scenario: Scenario) -> None:
    """Lay the night's troubles over the scenario."""
    for draw in (_faults, _failures, _quotas, _request_limits, _other_people, _remakes):
        if rng.random() < 0.6:
            draw(rng, scenario)
    if rng.random() < 0.1:
        scenario.world.stuck_probability = rng.uniform(0.02, 0.3)
    if rng.random() < 0.1:
        app = rng.choice(scenario.fleet.apps)
        since = rng.uniform(0.0, NIGHT_SECONDS)
        scenario.strange.append((world_key(scenario.fleet, app.key), since, since + rng.uniform(10.0, 200.0)))
    if rng.random() < 0.05:
        ends_lanes = FaultKind.UNTRUSTED if len(scenario.faults) % 2 else FaultKind.EXPIRED_CREDENTIALS
        scenario.faults.insert(0, _rule(rng, scenario, Fault(ends_lanes), "*", 1.0, lasts=200.0))


def _rule(
    rng: random.Random, scenario: Scenario, fault: Fault, operation: str, probability: float, lasts: float | None = None
) -> FaultRule:
    begin = scenario.world.now + rng.choice([0.0, rng.uniform(0.0, NIGHT_SECONDS / 2)])
    return FaultRule(fault, operation, probability, begin, begin + (lasts or rng.uniform(5.0, NIGHT_SECONDS)))


def _faults(rng: random.Random, scenario: Scenario) -> None:
    rules = scenario.faults
    for _ in range(rng.randint(1, 4)):
        operation = rng.choice(["CreateApp", "CreateApp", "DeleteApp", "ListApps", "DescribeApp", "ListTags", "*"])
        rules.append(_rule(rng, scenario, rng.choice(LOST), operation, rng.choice([0.03, 0.15, 0.5])))
    for _ in range(rng.randint(0, 2)):
        operation = rng.choice(["CreateApp", "CreateApp", "DeleteApp", "ListApps", "*"])
        rules.append(_rule(rng, scenario, rng.choice(SAID), operation, rng.choice([0.02, 0.1])))
    for _ in range(rng.randint(0, 2)):
        rules.append(_rule(rng, scenario, rng.choice(LISTED), "ListApps", rng.choice([0.1, 0.5])))
    if rng.random() < 0.4:
        operation = rng.choice(["CreateApp", "ListApps", "*"])
        lasts = rng.uniform(5.0, 60.0)
        rules.append(_rule(rng, scenario, Fault(FaultKind.THROTTLE), operation, rng.choice([0.3, 0.9, 1.0]), lasts))


def _failures(rng: random.Random, scenario: Scenario) -> None:
    reasons = [CAPACITY, CAPACITY, LIFECYCLE, INTERNAL, SILENT]
    rules = [
        FailureRule(
            rng.choice(reasons), instance_type=rng.choice([*TYPES, "*"]), probability=rng.choice([0.2, 0.6, 1.0])
        )
        for _ in range(rng.randint(1, 2))
    ]
    if rng.random() < 0.2:
        rules.insert(0, FailureRule(f"ResourceLimitExceeded: {_late_limit()}", "JupyterLab", "ml.g5.xlarge"))
    scenario.world.failures = rules
    scenario.world.schedule(scenario.world.now + rng.uniform(20.0, NIGHT_SECONDS), SetFailures(()))


def _late_limit() -> str:
    return limit_message(bucket_quota_name("JupyterLab", "ml.g5.xlarge"), 1, 1, 1, Wording.SERVICE_QUOTAS)


def _quotas(rng: random.Random, scenario: Scenario) -> None:
    world, start = scenario.world, scenario.world.now
    world.quotas.zero_is_refused = rng.random() < 0.7
    for _ in range(rng.randint(1, 4)):
        name = bucket_quota_name(rng.choice(["JupyterLab", "CodeEditor", "KernelGateway"]), rng.choice(TYPES))
        world.quotas.set(name, rng.choice([0, 1, 2, 3, 5]))
        if rng.random() < 0.6:
            world.schedule(start + rng.uniform(5.0, NIGHT_SECONDS), SetQuota(name, rng.choice([0, 2, 4, 100])))
    if rng.random() < 0.3:
        world.quotas.set(RUNNING_APPS, rng.choice([3, 10, 20]))
        if rng.random() < 0.7:
            world.schedule(start + rng.uniform(5.0, NIGHT_SECONDS), SetQuota(RUNNING_APPS, 1_000))


def _request_limits(rng: random.Random, scenario: Scenario) -> None:
    world, start = scenario.world, scenario.world.now
    for operation in ("CreateApp", rng.choice(["ListApps", "*"])):
        world.set_request_limit(
            operation, RequestLimit(rng.choice([0.5, 1.0, 5.0, 20.0]), rng.choice([1.0, 3.0, 10.0]))
        )
        for _ in range(rng.randint(0, 2)):
            change = SetRequestLimit(operation, rng.choice([0.5, 2.0, 10.0]), 2.0)
            world.schedule(start + rng.uniform(5.0, NIGHT_SECONDS), change)


def _other_people(rng: random.Random, scenario: Scenario) -> None:
    """Somebody else makes, deletes and breaks apps, most of them ours."""
    world, start = scenario.world, scenario.world.now
    for _ in range(rng.randint(1, 12)):
        app = rng.choice(scenario.fleet.apps)
        ref = _ref(scenario, app)
        at = start + rng.choice([rng.uniform(0.0, 15.0), rng.uniform(0.0, NIGHT_SECONDS / 2)])
        declared = app.spec.instance_type or ""
        other = (
            rng.choice([declared, rng.choice(TYPES)]) if app.key.app_type in ("JupyterLab", "CodeEditor") else declared
        )
        broken = FailApp(ref, rng.choice(["InternalFailure", "LifecycleConfig script failed"]))
        acts: list[Change] = [CreateForeignApp(ref, other), DeleteForeignApp(ref), broken]
        world.schedule(at, rng.choice(acts))
        if rng.random() < 0.3:  # and soon makes it anew, or deletes what was made
            world.schedule(at + rng.uniform(0.0, 60.0), rng.choice(acts[:2]))


def _remakes(rng: random.Random, scenario: Scenario) -> None:
    """Somebody makes anew, under the same name and spec, what stood there when the plan was made.

    What shall not be there has the fleet's own tag again, as another machine's run of the fleet would give it: then
    its generation alone tells it from the app of the plan.
    """
    doomed = [app for app in scenario.fleet.apps if app.mode is Mode.ABSENT] or list(scenario.fleet.apps)
    for app in rng.sample(doomed, min(3, len(doomed))):
        ref, at = _ref(scenario, app), scenario.world.now + rng.uniform(REMADE_AFTER_SECONDS, 8.0)
        scenario.world.schedule(at, FailApp(ref))
        tags = ((FLEET_TAG, FLEET_NAME),) if app.mode is Mode.ABSENT else ()
        made = CreateForeignApp(ref, app.spec.instance_type or "", tags)
        scenario.world.schedule(at + rng.uniform(0.01, 2.0), made)


def _ref(scenario: Scenario, app: DesiredApp) -> AppRef:
    key = world_key(scenario.fleet, app.key)
    return AppRef(key.domain_id, key.owner_kind, app.key.owner, key.app_type, key.app_name)
