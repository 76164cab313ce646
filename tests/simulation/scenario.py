"""A night from a seed: the fleet, what stands there already, the service's limits, and everything that goes wrong.

All chance comes from generators that the seed begins, so a seed tells the whole story again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from engine.core.settings import Backoff, Backoffs, Execution, Observe, Safety, Settings, Tolerance
from engine.simulator.world.quotas import Quotas, Wording
from engine.simulator.world.request_limit import RequestLimit
from engine.simulator.world.world import Timing
from tests.simulation.delay_maker import draw_delays
from tests.simulation.fleet_maker import Kind, give_away, make_fleet, place_what_stands, with_expired
from tests.simulation.guard_maker import draw_guards, heal_guards
from tests.simulation.hours_maker import draw_hours
from tests.simulation.owner_maker import draw_owners, heal_owners
from tests.simulation.plan_maker import draw_plans, heal_plans
from tests.simulation.sign_in_maker import draw_sign_in
from tests.simulation.sim_world import SimWorld
from tests.simulation.trouble_maker import (
    Disturbance,
    draw_disturbances,
    draw_troubles,
    with_aborted_reads,
    with_lost_locks,
    with_offboarding,
    with_rivals,
)
from tests.simulation.update_maker import draw_updates

if TYPE_CHECKING:
    from engine.core.desired import DesiredApp, DesiredFleet
    from engine.core.identity import Lane
    from engine.simulator.world.faults import Fault, FaultRule
    from engine.simulator.world.records import AppId
    from engine.simulator.world.training_plans import TrainingPlan
    from tests.simulation.sim_cloud import Call

DRAWING: Final = 9  # one more whenever the same seed comes to play another night: what seeds.txt says is of a drawing
EPOCH: Final = 1_790_000_000.0  # the wall clock when the loop's time is 0
CANARY_SHARE: Final = 0.8
HEALED_SETTLE_SECONDS: Final = 300.0  # at least: with slow answers a listing alone takes most of a minute
TICK_SECONDS: Final = 1e-5
LATE_SHARE: Final = 0.75  # of the longer wait of [observe]: how late a lost call may still be carried out
LAG_SHARE: Final = 0.2  # and how long a listing may lag behind; both together stay below the wait


@dataclass(slots=True)
class Scenario:
    """Everything that a seed decides. Times are the loop's, in seconds, unless a name says `wall`."""

    seed: int
    kind: Kind
    rng: random.Random
    fleet: DesiredFleet
    lanes: dict[str, Lane]
    world: SimWorld
    settings: Settings
    weights: dict[str, float]
    prune: bool
    adopt: bool
    shuffled: bool
    page_rows: int
    latency: tuple[float, float]
    slow_share: float
    late_max_s: float
    app_late_max_s: float = 0.0
    freeze_probability: float = 0.0
    ticks: int = 0
    freeze: tuple[float, float] = (0.0, 0.0)  # in epoch seconds: nothing is deleted or replaced
    faults: list[FaultRule] = field(default_factory=list)
    strange: list[tuple[AppId, float, float]] = field(default_factory=list)
    disturbances: tuple[Disturbance, ...] = ()
    compares: bool = False  # every run compares all owners, as --owners does
    hours_settle_s: float = 0.0  # after the night began, until no calendar changes for a day
    plans: list[TrainingPlan] = field(default_factory=list)  # also those that the world does not have

    def weight(self, app: DesiredApp) -> float:
        """Return the app's priority."""
        return self.weights.get(app.team, 0.0)

    def draw_latency(self) -> float:
        """Return how long half a call takes."""
        if self.slow_share and self.rng.random() < self.slow_share:
            return self.rng.uniform(1.0, 6.0)
        low, high = self.latency
        if low < high:
            return self.rng.uniform(low, high)
        self.ticks += 1  # so that calls which leave together arrive in the order in which they left
        return low + self.ticks * TICK_SECONDS

    def draw_fault(self, call: Call) -> Fault | None:
        """Return what happens to one call."""
        for rule in self.faults:
            if (fault := rule.draw(call.operation, self.world.now, self.rng)) is not None:
                return fault
        return None

    def strange_keys(self, now: float) -> set[AppId]:
        """Name the apps that show a status which nobody knows."""
        return {key for key, since, until in self.strange if since <= now < until} if self.strange else set()

    def heal(self, now_wall: float) -> None:
        """End all trouble: what comes now is a service without faults, with room for everything, and waited for."""
        world, execution = self.world, self.settings.execution
        settle_timeout = max(execution.settle_timeout, HEALED_SETTLE_SECONDS)
        self.settings = replace(self.settings, execution=replace(execution, settle_timeout=settle_timeout))
        world.advance(now_wall)
        self.faults.clear()
        self.strange.clear()
        self.slow_share = self.freeze_probability = 0.0
        world.failures.clear()
        world.update_failures.clear()
        world.clear_changes()
        world.after_first_create.clear()
        world.quotas = Quotas()
        world.set_request_limit("CreateApp", RequestLimit(max(2.0, self.settings.execution.create_rate_max / 4), 5.0))
        world.set_request_limit("*", RequestLimit(50.0, 50.0))
        world.settle_everything()
        heal_owners(self)
        heal_plans(self)
        heal_guards(self)


def make_scenario(seed: int) -> Scenario:
    """Return the night of a seed."""
    rng = random.Random(seed)
    kind = _kind(rng)
    settings = _settings(rng, kind)
    wait = settings.observe.second_after
    world = SimWorld(
        timing=_timing(rng, kind),
        quotas=Quotas(wording=rng.choice(list(Wording)) if kind is Kind.STORM else Wording.SERVICE_QUOTAS),
        rng=random.Random(seed + 1),
    )
    world.advance(EPOCH)
    fleet, lanes = make_fleet(rng, world, kind)
    fleet = with_expired(random.Random(seed + 9), fleet, kind)
    teams = sorted({app.team for app in fleet.apps})
    scenario = Scenario(
        seed=seed,
        kind=kind,
        rng=random.Random(seed + 2),
        fleet=fleet,
        lanes=lanes,
        world=world,
        settings=settings,
        weights={team: float(rng.randrange(3)) for team in teams} if rng.random() < 0.4 else {},
        prune=rng.random() < 0.4,
        adopt=random.Random(seed + 6).random() < 0.2,
        shuffled=rng.random() < 0.5 and kind is not Kind.SCARCE,  # there, the order is what is looked at
        page_rows=rng.choice([3, 10, 25, 100]) if kind is Kind.STORM else 100,
        latency=(0.1, 0.1) if kind is Kind.SCARCE else rng.choice([(0.01, 0.1), (0.05, 0.6), (0.3, 2.0)]),
        slow_share=rng.choice([0.0, 0.0, 0.03]) if kind is Kind.STORM else 0.0,
        late_max_s=LATE_SHARE * wait,
        app_late_max_s=LATE_SHARE * wait,
    )
    if kind is not Kind.SCARCE:
        place_what_stands(rng, world, fleet, prune=scenario.prune)
        give_away(random.Random(seed + 7), world)
    if kind is Kind.STORM:
        world.lag_max_s = rng.choice([0.0, 0.0, LAG_SHARE * wait])
        draw_troubles(rng, scenario)
        scenario.disturbances = with_rivals(random.Random(seed + 5), draw_disturbances(rng))
        scenario.disturbances = with_lost_locks(random.Random(seed + 14), scenario.disturbances)
    elif kind is Kind.SCARCE:
        scenario.disturbances = (Disturbance(deadline_s=900.0),)
    scenario.settings = _with_tolerance(random.Random(seed + 31), scenario.settings, kind)
    draw_plans(random.Random(seed + 26), scenario)
    draw_owners(random.Random(seed + 8), scenario)
    draw_sign_in(random.Random(seed + 24), scenario)
    draw_updates(random.Random(seed + 25), scenario)
    scenario.disturbances = with_offboarding(random.Random(seed + 10), scenario.disturbances)
    scenario.disturbances = with_aborted_reads(random.Random(seed + 12), scenario.disturbances)
    draw_delays(random.Random(seed + 21), scenario)
    draw_guards(random.Random(seed + 27), scenario)
    draw_hours(random.Random(seed + 31), scenario)
    return scenario


def kind_of(seed: int) -> Kind:
    """Return the kind of the night of a seed, without the night."""
    return _kind(random.Random(seed))


def _kind(rng: random.Random) -> Kind:
    return rng.choices([Kind.CALM, Kind.SCARCE, Kind.STORM], [1, 1, 10])[0]


def _settings(rng: random.Random, kind: Kind) -> Settings:
    storm = kind is Kind.STORM
    rate = rng.choice([0.5, 2.0, 5.0, 20.0])
    first = rng.uniform(3.0, 8.0)
    return Settings(
        execution=Execution(
            create_rate=rate,
            create_rate_max=rate * rng.choice([1.0, 4.0, 10.0]),
            read_rate=rng.choice([2.0, 5.0, 10.0]),
            concurrency=rng.choice([1, 2, 4, 16, 16]) if storm else 16,
            settle_timeout=rng.choice([60.0, 300.0, 1200.0]) if storm else 1200.0,
            deadline=10_800.0,
        ),
        backoffs=Backoffs(
            throttling=Backoff(1.0, rng.choice([10.0, 60.0]), 2.0, 900.0),
            limit=Backoff(rng.choice([2.0, 5.0]), rng.choice([30.0, 120.0]), 2.0, rng.choice([60.0, 300.0, 1200.0])),
            transient=Backoff(1.0, rng.choice([10.0, 30.0]), 2.0, rng.choice([60.0, 300.0])),
            capacity=Backoff(rng.choice([5.0, 30.0]), 120.0, 2.0, rng.choice([60.0, 600.0])),
        ),
        observe=Observe(first_after=first, second_after=rng.uniform(1.2, 2.0) * first),
        safety=Safety(replace_on_drift=rng.random() < 0.5, quarantine_after=rng.choice([1, 2, 3])),
    )


def _with_tolerance(rng: random.Random, settings: Settings, kind: Kind) -> Settings:
    """Let some fleets know no canary, and give up sooner or later."""
    if kind is not Kind.STORM:
        return settings
    tolerance = Tolerance(
        canary=rng.random() < CANARY_SHARE,
        failures_max=rng.choice([1, 2, 3, 5]),
        failure_share_max=rng.choice([0.3, 0.5, 1.0]),
        failure_floor=rng.choice([2, 5, 10]),
    )
    return replace(settings, tolerance=tolerance)


def _timing(rng: random.Random, kind: Kind) -> Timing:
    pending, deleting = rng.choice([(1.0, 5.0), (10.0, 45.0)]), rng.choice([(1.0, 3.0), (10.0, 40.0)])
    if kind is Kind.SCARCE:
        return Timing(app_pending=(5.0, 5.0), app_deleting=(5.0, 5.0))
    return Timing(app_pending=pending, app_deleting=deleting)
