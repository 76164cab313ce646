"""Owners in a run, in virtual time over the world in memory: order, quotas, lost answers, and their apps."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from engine.adapters.pace import ThrottlePace
from engine.app.answers import auth_mode, look_at_owners
from engine.core.desired import DesiredFleet, DesiredOwner, Mode
from engine.core.errors import Rejected, ScanIncomplete
from engine.core.facts import Unknown
from engine.core.identity import SPACE, USER, Owner
from engine.core.limits import DRAIN_MAX_SECONDS
from engine.core.observed import Ownership
from engine.core.offboarding import with_owner_deletes
from engine.core.outcome import Outcome
from engine.core.owners import holders_needed, owners_needed
from engine.core.planner import plan_fleet
from engine.core.settings import Backoff, Settings
from engine.executor.calls import StoppedError
from engine.executor.control import Control
from engine.executor.fleet_run import FleetRun
from engine.executor.link import Link
from engine.executor.owner_scan import OwnerScanner
from engine.ports.journal import NOTHING_REMEMBERED
from engine.ports.owners import OwnerDetail, OwnerPage, OwnerRow
from engine.simulator.faces.memory_face import MemoryCloud
from engine.simulator.service import app_operations, owner_operations
from engine.simulator.world.faults import Fault, FaultKind, FaultRule
from engine.simulator.world.quotas import USER_PROFILES
from engine.simulator.world.records import app_id
from engine.simulator.world.world import Timing, World
from tests.fleets import LANE, SOURCE, a_fleet, an_app, options
from tests.rounds import owned, seen_of, with_ownership
from tests.simulation.virtual_loop import VirtualLoop
from tests.throttle_clock import throttle_on_loop_clock
from tests.unit.executor.parts import decisive

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.core.errors import AppfleetError
    from engine.core.identity import OwnerKind
    from engine.core.outcome import ApplyReport
    from engine.ports.cloud import Cloud
    from engine.ports.journal import Memory
    from engine.simulator.faces.memory_face import SimulatedCall

EPOCH = 1_800_000_000.0
DOMAIN_ID = "d-research"
ALICE = Owner("research", USER, "alice")
BOB = Owner("research", USER, "bob")
SPACE_A = Owner("research", SPACE, "alice-lab")
LAB_A = "research/space/alice-lab/JupyterLab/default"
CANVAS_A = "research/user/alice/Canvas/default"
CANVAS_B = "research/user/bob/Canvas/default"


class NoteBook:
    """A journal that makes everything durable and remembers nothing."""

    broken = ""

    def __init__(self, *, durable: bool = True, on_delete: Callable[[], None] = lambda: None) -> None:
        self.durable = durable
        self.on_delete = on_delete

    def intend(self, key: object, operation: str, spec_hash: str, at: float) -> None: ...
    async def intend_durably(self, *_: object, **__: object) -> bool:
        self.on_delete()
        return self.durable

    def conclude(self, *_: object, **__: object) -> None: ...
    def note_seen_failed(self, *_: object, **__: object) -> None: ...
    def conclude_owner(self, *_: object, **__: object) -> None: ...
    def note_rate(self, *_: object) -> None: ...
    def note_domain_size(self, *_: object) -> None: ...
    def note_shape(self, *_: object, **__: object) -> None: ...

    def note_owners_compared(self, *_: object) -> None: ...
    def owe_assignment(self, *_: object) -> None: ...
    def settle_assignment(self, *_: object) -> None: ...


class Stage:
    """A world with one empty domain, and runs over it."""

    def __init__(self) -> None:
        times = (2.0, 2.0)
        timing = Timing(app_pending=times, app_deleting=times, profile_pending=times, space_pending=times,
                        profile_deleting=times, space_deleting=times)  # fmt: skip
        self.world = World(account=LANE.account, timing=timing)
        self.world.advance(EPOCH)
        self.domain = owner_operations.add_domain(self.world, DOMAIN_ID, LANE.region, LANE.account, name="research")
        profile = DesiredOwner(ALICE, SOURCE)
        space = DesiredOwner(SPACE_A, SOURCE, owner_user="alice", sharing="Private", app_type="JupyterLab")
        apps = (an_app(LAB_A), an_app(CANVAS_A, None), an_app(CANVAS_B, None))
        self.fleet: DesiredFleet = replace(
            a_fleet(*apps, domains=["research"]), owners=(space, profile, DesiredOwner(BOB, SOURCE))
        )
        self.events: list[Any] = []
        self.on_call: dict[str, Callable[[FleetRun], None]] = {}  # once each, just before the call of an operation
        self.on_adopt: Callable[[], None] = lambda: None
        self.settings = Settings()
        self.journal = NoteBook()
        self.memory: Memory = NOTHING_REMEMBERED
        self.unreachable: dict[str, AppfleetError] = {}
        self.latency: Callable[[SimulatedCall], Awaitable[None]] | None = None
        self.run: FleetRun | None = None
        self.time = 0.0
        self.at: list[tuple[float, Callable[[FleetRun], None]]] = []

    def tell(self, run: FleetRun, event: Any) -> None:
        self.events.append(event)
        if event.name == "app.adopt_started":
            self.on_adopt()
        if event.name == "owner.call_started" and (act := self.on_call.pop(event.operation, None)) is not None:
            act(run)

    def fault(self, kind: FaultKind, operation: str, *, count: int = 1, **more: Any) -> None:
        self.world.faults.rules.append(FaultRule(Fault(kind, **more), operation, max_count=count))

    def do(self, work: Callable[[FleetRun], Awaitable[Any]]) -> Any:
        loop = VirtualLoop(None)
        loop.start_at(self.time)

        async def main() -> Any:
            clock = lambda: EPOCH + loop.time()  # noqa: E731
            cloud = MemoryCloud(self.world, clock, account=LANE.account, region=LANE.region, latency=self.latency)
            run = self.run = FleetRun(
                fleet="ml", links={"research": Link(self.fleet.domains[0], LANE, cloud)}, unreachable=self.unreachable,
                settings=self.settings, control=Control(self.settings.execution.deadline, lambda _: None),
                journal=self.journal, memory=self.memory, make_pace=lambda: ThrottlePace(1.0),
                emit=lambda event: self.tell(run, event), wall=clock, jitter=random.Random(1).random,
            )  # fmt: skip
            for after, act in self.at:
                loop.call_later(after, act, run)
            return await work(run)

        try:
            with throttle_on_loop_clock():
                return loop.run_until_complete(main())
        finally:
            self.time = loop.time() + 1.0
            loop.close()

    def apply(self, *, create: bool = True, wait: bool = True) -> ApplyReport:
        async def work(run: FleetRun) -> ApplyReport:
            observed = await run.observe({"research": None})
            plan = plan_fleet(self.fleet, observed, options())
            seen = await seen_of(run, owners_needed(plan, self.fleet))
            seen |= await seen_of(run, holders_needed(self.fleet, seen))
            plan = owned(plan, self.fleet, seen, create=create)
            return await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=wait)

        return self.do(work)  # type: ignore[no-any-return]

    def let_go(self) -> ApplyReport:
        async def work(run: FleetRun) -> ApplyReport:
            scanner = run.owner_scanner("research")
            rows = {**await scanner.all_of(USER), **await scanner.all_of(SPACE)}
            rows = {key: replace(row, ownership=Ownership.OURS) for key, row in rows.items()}
            gone = replace(self.fleet, apps=tuple(replace(app, mode=Mode.ABSENT) for app in self.fleet.apps))
            observed = await run.observe({"research": None})
            keys = list(observed.domains["research"].apps)
            alive = [key for key in keys if observed.domains["research"].apps[key].status.is_alive]
            observed = await with_ownership(run, observed, decisive(alive))
            plan = with_owner_deletes(plan_fleet(gone, observed, options()), self.fleet.owners, rows, observed)
            return await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)

        return self.do(work)  # type: ignore[no-any-return]

    def profile(self, name: str, **more: Any) -> None:
        owner_operations.create_profile(self.world, self.domain, name, at_once=True, **more)


def outcomes(report: ApplyReport) -> dict[str, str]:
    return {str(result.key): result.outcome.value for result in report.apps}


def owners_of(report: ApplyReport) -> dict[Owner, Outcome]:
    return {result.owner: result.outcome for result in report.owners}


def code_of(report: ApplyReport, owner: Owner) -> str:
    (error,) = (result.error for result in report.owners if result.owner == owner)
    return "" if error is None else error.code


def all_created(report: ApplyReport) -> bool:
    return set(outcomes(report).values()) == {"created"} and report.exit_code == 0


def test_profiles_come_before_spaces_and_spaces_before_their_apps() -> None:
    stage = Stage()
    report = stage.apply()
    assert all_created(report)
    assert owners_of(report) == {ALICE: Outcome.CREATED, BOB: Outcome.CREATED, SPACE_A: Outcome.CREATED}
    calls = [(event.name, str(getattr(event, "key", ""))) for event in stage.events]
    started = [key for name, key in calls if name in ("owner.call_started", "app.create_started")]
    assert started.index(str(ALICE)) < started.index(str(SPACE_A)) < started.index(LAB_A)
    assert report.to_json()["owners"][0]["outcome"] == "created"
    assert stage.world.domains[DOMAIN_ID].spaces["alice-lab"].tags == {"appfleet:managed-by": "ml"}


@pytest.mark.parametrize("kind", [FaultKind.RESET_AFTER, FaultKind.RESET_BEFORE, FaultKind.THROTTLE, FaultKind.REFUSED])
@pytest.mark.parametrize("operation", ["CreateUserProfile", "CreateSpace"])
def test_a_lost_or_refused_call_is_looked_for_and_made_once(kind: FaultKind, operation: str) -> None:
    stage = Stage()
    stage.fault(kind, operation, count=2)
    assert all_created(stage.apply())


def test_an_owner_that_somebody_else_made_meanwhile_is_adopted() -> None:
    stage = Stage()
    stage.at = [(0.05, lambda _: stage.profile("alice")), (0.05, lambda _: stage.profile("bob"))]
    report = stage.apply()
    assert set(owners_of(report).values()) <= {Outcome.ADOPTED, Outcome.CREATED}
    assert set(outcomes(report).values()) == {"created"}


def test_an_owner_that_is_starting_is_waited_for_and_one_that_goes_is_made_again() -> None:
    stage = Stage()
    owner_operations.create_profile(stage.world, stage.domain, "bob")
    stage.profile("alice")
    owner_operations.delete_profile(stage.world, stage.domain, "alice")
    report = stage.apply()
    assert all_created(report)
    assert owners_of(report) == {ALICE: Outcome.CREATED, BOB: Outcome.UNCHANGED, SPACE_A: Outcome.CREATED}


def test_a_full_quota_parks_profiles_alone_and_what_needs_them_is_skipped_with_their_name() -> None:
    stage = Stage()
    stage.profile("bob")
    stage.world.quotas.set(USER_PROFILES, 1)
    report = stage.apply()
    assert owners_of(report) == {ALICE: Outcome.PARKED, SPACE_A: Outcome.SKIPPED}
    assert outcomes(report) == {LAB_A: "skipped", CANVAS_A: "skipped", CANVAS_B: "created"}
    (told,) = (result.error for result in report.apps if str(result.key) == CANVAS_A)
    assert told is not None
    assert "user profile alice" in told.message
    assert report.exit_code == 3


def test_a_quota_of_nothing_ends_at_once() -> None:
    stage = Stage()
    stage.world.quotas.set(USER_PROFILES, 0)
    report = stage.apply()
    assert set(owners_of(report).values()) == {Outcome.FAILED, Outcome.SKIPPED}


def test_denied_profiles_end_their_apps_and_not_the_others() -> None:
    stage = Stage()
    stage.profile("bob")
    stage.fault(FaultKind.ACCESS_DENIED, "CreateUserProfile", count=9)
    report = stage.apply()
    assert owners_of(report) == {ALICE: Outcome.FAILED, SPACE_A: Outcome.SKIPPED}
    assert outcomes(report)[CANVAS_B] == "created"


def test_expired_credentials_stop_the_lane_with_everything_accounted_for() -> None:
    stage = Stage()
    stage.fault(FaultKind.EXPIRED_CREDENTIALS, "CreateUserProfile", count=99)
    report = stage.apply()
    assert len(report.apps) == len(report.owners) == 3
    assert set(outcomes(report).values()) == {"skipped"}
    assert report.exit_code == 1


def test_a_signal_ends_owners_and_what_waits_for_them() -> None:
    stage = Stage()
    stage.at = [(1.5, lambda run: run.control.interrupt())]
    report = stage.apply()
    assert report.interrupted
    assert len(report.apps) == len(report.owners) == 3
    assert set(outcomes(report).values()) <= {"interrupted", "skipped", "still_pending", "created"}


def test_a_second_signal_ends_calls_in_flight_too() -> None:
    stage = Stage()
    stage.at = [(1.5, lambda run: run.control.interrupt()), (1.51, lambda run: run.control.abort())]
    report = stage.apply()
    assert len(report.apps) == len(report.owners) == 3


def test_a_team_goes_apps_first_then_spaces_then_profiles() -> None:
    stage = Stage()
    stage.fleet = replace(stage.fleet, name="ml")
    assert all_created(stage.apply())
    stage.events.clear()
    report = stage.let_go()
    assert set(outcomes(report).values()) == {"deleted"}
    assert set(owners_of(report).values()) == {Outcome.DELETED}
    assert report.exit_code == 0
    assert stage.domain.profiles == {}
    assert stage.domain.spaces == {}


@pytest.mark.parametrize("kind", [FaultKind.RESET_AFTER, FaultKind.RESET_BEFORE, FaultKind.UNAVAILABLE])
@pytest.mark.parametrize("operation", ["DeleteSpace", "DeleteUserProfile", "DescribeSpace"])
def test_a_delete_whose_answer_is_lost_is_looked_for(kind: FaultKind, operation: str) -> None:
    stage = Stage()
    assert all_created(stage.apply())
    stage.fault(kind, operation)
    assert set(owners_of(stage.let_go()).values()) == {Outcome.DELETED}


def test_nothing_is_deleted_whose_intent_is_not_durable() -> None:
    stage = Stage()
    assert all_created(stage.apply())
    stage.journal = NoteBook(durable=False)
    report = stage.let_go()
    assert set(owners_of(report).values()) == {Outcome.SKIPPED}
    assert len(stage.domain.profiles) == 2


def test_a_profile_in_which_somebody_makes_an_app_meanwhile_stays() -> None:
    stage = Stage()
    assert all_created(stage.apply())

    def intrude(_: object) -> None:
        key = app_id(DOMAIN_ID, USER, "bob", "KernelGateway", "own")
        app_operations.place_app(stage.world, stage.domain, key, "bob", an_app().spec, {}, "InService")

    stage.at = [(0.5, intrude)]
    report = stage.let_go()
    assert owners_of(report)[BOB] is Outcome.FAILED
    assert "bob" in stage.domain.profiles


@pytest.mark.parametrize("denied", [0, 1])
def test_a_profile_stays_while_one_of_its_apps_stays_whichever_of_them_ends_first(denied: int) -> None:
    stage = Stage()
    stage.fleet = replace(
        stage.fleet,
        apps=tuple(an_app(f"research/user/bob/{kind}/default", None) for kind in ("Canvas", "JupyterServer")),
        owners=(DesiredOwner(BOB, SOURCE),),
    )
    assert all_created(stage.apply())
    deletes = 0

    async def on_the_way(call: SimulatedCall) -> None:
        nonlocal deletes
        if call.operation == "DeleteApp":
            if deletes == denied:
                stage.fault(FaultKind.ACCESS_DENIED, "DeleteApp")
            deletes += 1

    stage.latency = on_the_way
    stage.events.clear()
    report = stage.let_go()
    assert sorted(outcomes(report).values()) == ["deleted", "failed"]
    assert owners_of(report)[BOB] is Outcome.SKIPPED
    assert not any(event.name == "owner.call_started" for event in stage.events)


def test_what_cannot_be_looked_at_is_left_out_and_said() -> None:
    stage = Stage()
    stage.fault(FaultKind.ACCESS_DENIED, "Describe*", count=9)
    found = stage.do(lambda run: look_at_owners(run, [ALICE]))
    assert "DescribeUserProfile failed with AccessDenied" in found[ALICE].why
    assert isinstance(stage.do(lambda run: auth_mode(run, "research")), Unknown)
    assert [event.name for event in stage.events if event.name == "owner.unread"] == ["owner.unread"] * 2
    stage.world.faults.rules.clear()
    assert stage.do(lambda run: auth_mode(run, "research")) == "IAM"


LOOKS: dict[str, Callable[[FleetRun], Awaitable[Any]]] = {
    "owners": lambda run: look_at_owners(run, [ALICE]),
    "auth mode": lambda run: auth_mode(run, "research"),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_second_signal_cuts_off_a_look_before_planning(look: Callable[[FleetRun], Awaitable[Any]]) -> None:
    stage = Stage()
    stage.latency = lambda _: asyncio.sleep(30.0)
    stage.at = [(1.0, lambda run: run.control.interrupt()), (1.5, lambda run: run.control.abort())]
    with pytest.raises(StoppedError):
        stage.do(look)
    assert stage.time == pytest.approx(2.5)  # the signal, and the second that the stage adds


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_first_signal_ends_the_back_off_of_a_look(look: Callable[[FleetRun], Awaitable[Any]]) -> None:
    stage = Stage()
    backoffs = replace(stage.settings.backoffs, throttling=Backoff(100.0, 100.0, 2.0, 900.0))
    stage.settings = replace(stage.settings, backoffs=backoffs)
    stage.fault(FaultKind.THROTTLE, "Describe*", count=9)
    stage.at = [(1.0, lambda run: run.control.interrupt())]
    with pytest.raises(StoppedError):
        stage.do(look)
    assert stage.time == pytest.approx(2.0)


def test_a_second_signal_says_of_what_was_never_called_that_it_was_not() -> None:
    stage = Stage()
    stage.latency = lambda _: asyncio.sleep(0.4)
    stage.at = [(5.0, lambda run: run.control.interrupt()), (5.0, lambda run: run.control.abort())]
    report = stage.apply()
    words = {str(result.owner): result.error.message for result in report.owners if result.error is not None}
    attempts = {str(result.owner): result.attempts for result in report.owners}
    assert words
    assert all(("before its call" in word) is (attempts[owner] == 0) for owner, word in words.items())


def test_many_owners_are_found_in_a_listing_and_few_are_asked_for() -> None:
    stage = Stage()
    names = [f"u{number:03}" for number in range(250)]
    for name in names[:-1]:
        stage.profile(name)
    wanted = [Owner("research", USER, name) for name in names]
    found = stage.do(lambda run: look_at_owners(run, wanted))
    assert [owner.name for owner, row in found.items() if row is None] == ["u249"]
    assert stage.world.stats.to_json()["calls"]["ListUserProfiles"]["ok"] == 3
    few = stage.do(lambda run: look_at_owners(run, [Owner("research", USER, "U000"), *wanted[-4:]]))
    assert [row is None for row in few.values()].count(True) == 1


# What other people and the service do meanwhile.


def test_a_profile_that_fails_ends_what_needs_it() -> None:
    stage = Stage()

    def fail(_: object) -> None:
        stage.domain.profiles["alice"].status = "Failed"

    stage.at = [(1.6, fail)]
    report = stage.apply()
    assert owners_of(report) == {ALICE: Outcome.FAILED, BOB: Outcome.CREATED, SPACE_A: Outcome.SKIPPED}


@pytest.mark.parametrize("starting", [False, True])
def test_a_profile_that_somebody_deletes_meanwhile_is_said_to_be_removed(*, starting: bool) -> None:
    """One of ours, and one that was being made before the run and is only waited for."""
    stage = Stage()
    stage.world.timing = replace(stage.world.timing, profile_pending=(60.0, 60.0))
    if starting:
        owner_operations.create_profile(stage.world, stage.domain, "alice")

    def remove(_: object) -> None:
        stage.domain.profiles["alice"].status = "Deleting"

    stage.at = [(4.0, remove)]
    report = stage.apply()
    assert code_of(report, ALICE) == "removed_during_run"


def test_a_space_of_somebody_else_under_the_name_is_a_conflict() -> None:
    stage = Stage()
    stage.profile("bob")

    def take(_: object) -> None:
        owner_operations.create_space(
            stage.world, stage.domain, "alice-lab", owner="bob", sharing="Private", at_once=True
        )

    stage.at = [(1.0, take)]
    assert code_of(stage.apply(), SPACE_A) == "conflict"


def test_what_does_not_settle_in_time_is_still_pending_and_its_apps_are_skipped() -> None:
    stage = Stage()
    stage.world.timing = replace(stage.world.timing, profile_pending=(1e6, 1e6))
    report = stage.apply()
    assert owners_of(report) == {ALICE: Outcome.STILL_PENDING, BOB: Outcome.STILL_PENDING, SPACE_A: Outcome.SKIPPED}
    assert report.exit_code == 3


def test_a_call_whose_outcome_never_shows_is_said_to_be_unknown() -> None:
    stage = Stage()
    stage.fleet = replace(stage.fleet, apps=stage.fleet.apps[-1:])  # bob's

    def storm(_: object) -> None:
        stage.fault(FaultKind.RESET_BEFORE, "CreateUserProfile", count=9_999)

    stage.at = [(0.0, storm)]
    (ended,) = stage.apply().owners
    assert ended.outcome is Outcome.FAILED
    assert ended.error is not None
    assert ended.error.code == "unknown"


def test_looks_that_fail_for_long_enough_end_in_unknown() -> None:
    stage = Stage()
    stage.fleet = replace(stage.fleet, apps=stage.fleet.apps[-1:])
    stage.fault(FaultKind.RESET_AFTER, "CreateUserProfile")
    stage.at = [(3.0, lambda _: stage.fault(FaultKind.ACCESS_DENIED, "DescribeUserProfile", count=9_999))]
    (ended,) = stage.apply().owners
    assert ended.error is not None
    assert ended.error.code == "unknown"


def test_credentials_that_expire_while_waiting_stop_the_lane() -> None:
    stage = Stage()
    stage.at = [(1.0, lambda _: stage.fault(FaultKind.EXPIRED_CREDENTIALS, "Describe*", count=99))]
    report = stage.apply()
    assert report.exit_code == 1
    assert len(report.apps) == len(report.owners) == 3


def test_the_deadline_ends_owners_in_order() -> None:
    stage = Stage()
    stage.settings = replace(stage.settings, execution=replace(stage.settings.execution, deadline=2.0))
    report = stage.apply()
    assert {str(result.outcome) for result in report.owners} <= {"still_pending", "skipped"}


def test_a_signal_while_an_answer_is_lost_still_looks_it_up() -> None:
    stage = Stage()
    stage.fleet = replace(stage.fleet, apps=stage.fleet.apps[-1:])
    stage.fault(FaultKind.RESET_AFTER, "CreateUserProfile")
    stage.at = [(2.0, lambda run: run.control.interrupt())]
    (ended,) = stage.apply().owners
    assert ended.outcome is Outcome.STILL_PENDING or ended.outcome is Outcome.CREATED


def test_an_owner_that_was_made_again_since_the_plan_is_not_deleted() -> None:
    stage = Stage()
    assert all_created(stage.apply())

    def again(_: object) -> None:
        stage.domain.profiles["bob"].created_at += 100.0

    stage.at = [(0.5, again)]
    assert code_of(stage.let_go(), BOB) == "changed_since_plan"


def test_an_owner_that_somebody_else_is_deleting_already_is_awaited() -> None:
    stage = Stage()
    assert all_created(stage.apply())

    def going(_: object) -> None:
        stage.domain.profiles["bob"].status = "Deleting"

    def gone(_: object) -> None:
        stage.domain.profiles.pop("bob")

    stage.at = [(0.5, going), (30.0, gone)]
    assert owners_of(stage.let_go())[BOB] is Outcome.DELETED


def test_an_owner_that_is_gone_before_its_delete_is_deleted() -> None:
    stage = Stage()
    assert all_created(stage.apply())

    def gone(_: object) -> None:
        stage.domain.profiles.pop("bob")

    stage.at = [(0.5, gone)]
    assert owners_of(stage.let_go())[BOB] is Outcome.DELETED


def test_the_name_in_use_without_an_owner_to_see_is_tried_again() -> None:
    stage = Stage()
    stage.fault(FaultKind.ERROR, "CreateUserProfile", code="ResourceInUse", message="in use")
    assert all_created(stage.apply())


class Pages:
    """A cloud whose listing does not fit together: `second` is what comes for a token."""

    def __init__(self, second: object) -> None:
        self.second = second

    async def list_owners(self, _domain_id: str, kind: OwnerKind, *, token: str = "") -> OwnerPage:
        if token and isinstance(self.second, Exception):
            raise self.second
        return OwnerPage((OwnerRow(kind, "u0", "InService", 1.0),), "again")

    async def describe_owner(self, _domain_id: str, kind: OwnerKind, name: str) -> OwnerDetail:
        return OwnerDetail(OwnerRow(kind, name, "InService", 1.0), "arn", "")


@pytest.mark.parametrize("second", [Rejected("NextToken is not valid"), None])
def test_a_listing_that_does_not_fit_together_is_completed_one_by_one(second: object) -> None:
    stage = Stage()
    wanted = [Owner("research", USER, f"u{number}") for number in range(8)]

    async def work(run: FleetRun) -> Any:
        reach = run.reach("research")
        scanner = OwnerScanner(replace(reach, link=replace(reach.link, cloud=cast("Cloud", Pages(second)))))
        with pytest.raises(ScanIncomplete):
            await scanner.all_of(USER)
        return await scanner.look(wanted)

    found = stage.do(work)
    assert len(found) == 8
    assert None not in found.values()


def test_a_listing_that_is_refused_at_once_is_an_error() -> None:
    stage = Stage()
    stage.fault(FaultKind.ERROR, "ListUserProfiles", code="ValidationException", message="no such domain")
    wanted = [Owner("research", USER, f"u{number}") for number in range(8)]
    found = stage.do(lambda run: look_at_owners(run, wanted))
    assert all(isinstance(found[owner], Unknown) for owner in wanted)
    assert stage.events[-1].name == "owner.unread"


# Just before a call.


def only_bob(stage: Stage) -> Stage:
    stage.fleet = replace(stage.fleet, apps=stage.fleet.apps[-1:])
    return stage


def slow(stage: Stage) -> Stage:
    stage.world.timing = replace(stage.world.timing, profile_pending=(10.0, 10.0), profile_deleting=(10.0, 10.0))
    return stage


def test_a_profile_that_somebody_is_making_is_adopted_when_it_is_in_service() -> None:
    stage = slow(only_bob(Stage()))

    def make(_: FleetRun) -> None:
        owner_operations.create_profile(stage.world, stage.domain, "bob")

    stage.on_call["CreateUserProfile"] = make
    assert owners_of(stage.apply()) == {BOB: Outcome.ADOPTED}


def test_a_profile_that_is_going_under_the_name_is_waited_for() -> None:
    stage = slow(only_bob(Stage()))

    def going(_: FleetRun) -> None:
        stage.profile("bob")
        owner_operations.delete_profile(stage.world, stage.domain, "bob")

    stage.on_call["CreateUserProfile"] = going
    assert owners_of(stage.apply()) == {BOB: Outcome.CREATED}


def test_what_was_going_under_an_unknown_create_does_not_free_it_before_two_looks() -> None:
    """The first create may still come, however soon the old profile is gone."""
    stage = slow(only_bob(Stage()))
    asked: list[float] = []

    def going(_: FleetRun) -> None:
        stage.fault(FaultKind.RESET_AFTER, "CreateUserProfile")
        stage.profile("bob")
        owner_operations.delete_profile(stage.world, stage.domain, "bob")

    async def note(call: SimulatedCall) -> None:
        if call.operation == "CreateUserProfile" and call.phase == "request":
            asked.append(stage.world.now)

    stage.on_call["CreateUserProfile"] = going
    stage.latency = note
    assert owners_of(stage.apply()) == {BOB: Outcome.CREATED}
    observe = stage.settings.observe
    assert len(asked) == 2
    assert asked[1] - asked[0] >= observe.first_after + observe.second_after


@pytest.mark.parametrize(
    ("kind", "more", "ended"),
    [
        (FaultKind.THROTTLE, {}, Outcome.INTERRUPTED),
        (FaultKind.ERROR, {"code": "ResourceLimitExceeded", "message": "full"}, Outcome.PARKED),
        (FaultKind.ERROR, {"code": "ResourceInUse", "message": "in use"}, Outcome.INTERRUPTED),
        (FaultKind.EMPTY_AFTER, {}, Outcome.CREATED),
        (FaultKind.RESET_BEFORE, {}, Outcome.INTERRUPTED),
    ],
)
def test_a_signal_during_a_call_ends_it_by_what_it_came_to(
    kind: FaultKind, more: dict[str, Any], ended: Outcome
) -> None:
    stage = only_bob(Stage())

    def stop(run: FleetRun) -> None:
        stage.fault(kind, "CreateUserProfile", **more)
        run.control.interrupt()

    stage.on_call["CreateUserProfile"] = stop
    assert owners_of(stage.apply()) == {BOB: ended}


def test_a_signal_during_a_call_that_is_accepted_leaves_it_pending() -> None:
    stage = only_bob(Stage())
    stage.on_call["CreateUserProfile"] = lambda run: run.control.interrupt()
    assert owners_of(stage.apply()) == {BOB: Outcome.STILL_PENDING}


def test_what_cannot_be_looked_up_before_the_end_is_unknown() -> None:
    stage = only_bob(Stage())

    def stop(run: FleetRun) -> None:
        stage.fault(FaultKind.RESET_AFTER, "CreateUserProfile")
        stage.fault(FaultKind.ACCESS_DENIED, "Describe*", count=999)
        run.control.interrupt()

    stage.on_call["CreateUserProfile"] = stop
    assert code_of(stage.apply(), BOB) == "unknown"


def test_an_owners_call_that_is_lost_behind_the_deadline_of_an_interrupted_run_is_unknown_and_nothing_is_read() -> None:
    """The other one, lost before, was to be looked up just then; both are left to the next run."""
    stage = Stage()
    stage.fleet = replace(stage.fleet, apps=(an_app(CANVAS_A, None), an_app(CANVAS_B, None)))
    stage.settings = replace(
        stage.settings,
        execution=replace(stage.settings.execution, deadline=30.0),
        observe=replace(stage.settings.observe, first_after=33.0, second_after=1.0),
    )
    stage.fault(FaultKind.RESET_AFTER, "CreateUserProfile", count=2)
    stage.at = [(28.0, lambda run: run.control.interrupt())]
    reads: list[float] = []

    async def latency(call: SimulatedCall) -> None:
        if call.operation == "CreateUserProfile" and call.phase == "request" and call.owner == "bob":
            await asyncio.sleep(40.0)
        elif call.phase == "request" and stage.run is not None:
            reads.append(stage.run.control.now())

    stage.latency = latency
    report = stage.apply()
    assert not report.bug
    assert owners_of(report) == {ALICE: Outcome.FAILED, BOB: Outcome.FAILED}
    assert {code_of(report, owner) for owner in (ALICE, BOB)} == {"unknown"}
    assert max(reads) < 30.0
    assert report.seconds == pytest.approx(28.0 + DRAIN_MAX_SECONDS)


def test_a_signal_between_intent_and_delete_sends_nothing() -> None:
    stage = Stage()
    assert all_created(stage.apply())
    stopped: list[FleetRun] = []
    stage.at = [(0.0, stopped.append)]
    owners_before = len(stage.domain.spaces)

    calls: list[int] = []

    def count() -> None:
        calls.append(1)
        if len(calls) > 3:  # the three apps come first
            stopped[0].control.interrupt()

    stage.journal = NoteBook(on_delete=count)
    report = stage.let_go()
    assert set(owners_of(report).values()) == {Outcome.INTERRUPTED}
    assert len(stage.domain.spaces) == owners_before


def test_an_owner_that_goes_between_the_look_and_the_delete_is_deleted() -> None:
    stage = Stage()
    assert all_created(stage.apply())

    def take(_: FleetRun) -> None:
        stage.domain.spaces.pop("alice-lab")

    stage.on_call["DeleteSpace"] = take
    assert owners_of(stage.let_go())[SPACE_A] is Outcome.DELETED


def test_credentials_that_expire_in_a_call_stop_the_lane() -> None:
    stage = only_bob(Stage())
    stage.on_call["CreateUserProfile"] = lambda _: stage.fault(FaultKind.EXPIRED_CREDENTIALS, "*", count=99)
    assert owners_of(stage.apply()) == {BOB: Outcome.SKIPPED}
