"""Adoption and the index of tags, in virtual time over the world in memory: what is looked at before a tag is set."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.change import Action, Reason
from engine.core.desired import DesiredOwner
from engine.core.errors import QuotaExceeded, ScanIncomplete
from engine.core.finding import LISTING
from engine.core.identity import USER, Owner
from engine.core.limits import TAG_PROOF_READS_MAX_COUNT, TAG_PROOF_SECONDS
from engine.core.observed import ObservedFleet, Ownership
from engine.core.ownership import WhoseAre
from engine.core.questions import CarriesFleetTag, questions_of
from engine.executor.calls import StoppedError
from engine.executor.cause import Cause
from engine.executor.ownership import OWNERS, read_index, read_ownership
from engine.ports.cloud import TaggedPage
from engine.simulator.service import app_operations
from engine.simulator.world.faults import Fault, FaultKind, FaultRule
from engine.simulator.world.records import app_id
from tests.fleets import SOURCE, an_app, options
from tests.rounds import RUNS, a_draft, answered, whole, with_ownership
from tests.unit.executor.parts import an_operation, decisive, full
from tests.unit.executor.test_owner_run import CANVAS_A, CANVAS_B, DOMAIN_ID, Stage, outcomes

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.outcome import ApplyReport
    from engine.core.plan import Plan
    from engine.executor.fleet_run import FleetRun

FLEET_TAG = "appfleet:fleet"


@pytest.fixture
def stage() -> Stage:
    """Two people with a canvas each, which somebody opened by hand."""
    made = Stage()
    for name in ("alice", "bob"):
        made.profile(name)
        place(made, name)
    made.fleet = replace(made.fleet, apps=(an_app(CANVAS_A, None), an_app(CANVAS_B, None)), owners=())
    return made


def identity(user: str) -> Any:
    return app_id(DOMAIN_ID, "user", user, "Canvas", "default")


def place(stage: Stage, user: str, **tags: str) -> None:
    given = {name.replace("_", ":"): value for name, value in tags.items()}
    app_operations.place_app(
        stage.world, stage.domain, identity(user), user, an_app(CANVAS_A, None).spec, given, "InService"
    )


def tags_of(stage: Stage, user: str) -> dict[str, str]:
    return stage.world.apps[identity(user)].tags


def adopt(stage: Stage, before: Any = lambda _run: None) -> ApplyReport:
    async def work(run: FleetRun) -> ApplyReport:
        asked = options(adopt=True)
        plan = (await whole(run, a_draft(run, stage.fleet, await run.observe({"research": None}), asked))).plan
        assert {change.action for change in plan.changes} == {Action.ADOPT}
        before(run)
        return await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)

    return stage.do(work)  # type: ignore[no-any-return]


def test_what_nobody_owns_gets_the_tag_and_nothing_else(stage: Stage) -> None:
    report = adopt(stage)
    assert outcomes(report) == {CANVAS_A: "adopted", CANVAS_B: "adopted"}
    assert [tags_of(stage, user) for user in ("alice", "bob")] == [{FLEET_TAG: "ml"}] * 2
    assert report.exit_code == 0
    assert "CreateApp" not in report.calls


@pytest.mark.parametrize("kind", [FaultKind.EXPIRED_CREDENTIALS, FaultKind.UNTRUSTED])
def test_what_ends_the_lane_while_tags_are_read_is_the_error_of_the_run(stage: Stage, kind: FaultKind) -> None:
    """Nothing is left to do then, and nobody would hear of it."""
    stage.fault(kind, "ListTags")

    async def work(run: FleetRun) -> tuple[Plan, ApplyReport]:
        asked = options(adopt=True)
        plan = (await whole(run, a_draft(run, stage.fleet, await run.observe({"research": None}), asked))).plan
        return plan, await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)

    plan, report = stage.do(work)
    assert not plan.complete
    assert [finding.rule for finding in plan.findings] == [LISTING]
    assert outcomes(report) == {CANVAS_A: "skipped", CANVAS_B: "skipped"}
    assert {app.error.message for app in report.apps if app.error is not None} == {
        "its domain could not be read (the error is named with the run)"
    }
    (error,) = report.errors
    assert error.message.startswith("domain research: ")
    assert report.exit_code == 1


def test_what_another_fleet_has_tagged_meanwhile_is_left_alone(stage: Stage) -> None:
    report = adopt(stage, lambda _run: tags_of(stage, "alice").update({FLEET_TAG: "others"}))
    assert outcomes(report) == {CANVAS_A: "skipped", CANVAS_B: "adopted"}
    (error,) = [app.error for app in report.apps if app.error is not None]
    assert "not adopted: its tag appfleet:fleet names the fleet 'others'" in error.message
    assert tags_of(stage, "alice") == {FLEET_TAG: "others"}


def test_what_is_ours_by_now_needs_no_call(stage: Stage) -> None:
    report = adopt(stage, lambda _run: tags_of(stage, "alice").update({FLEET_TAG: "ml"}))
    assert outcomes(report) == {CANVAS_A: "adopted", CANVAS_B: "adopted"}
    assert report.calls["AddTags"] == {"ok": 1}


def test_what_was_made_again_or_is_gone_since_the_plan_is_left_alone(stage: Stage) -> None:
    def meanwhile(_run: FleetRun) -> None:
        stage.world.apps[identity("alice")].created_at += 100.0
        del stage.world.apps[identity("bob")]

    report = adopt(stage, meanwhile)
    assert outcomes(report) == {CANVAS_A: "skipped", CANVAS_B: "skipped"}
    messages = sorted(app.error.message for app in report.apps if app.error is not None)
    assert messages == ["not adopted: it is gone", "not adopted: it is not the app that was there"]


def test_a_lost_answer_is_followed_by_a_look_and_not_by_a_second_tag(stage: Stage) -> None:
    stage.fault(FaultKind.RESET_AFTER, "AddTags")
    report = adopt(stage)
    assert outcomes(report) == {CANVAS_A: "adopted", CANVAS_B: "adopted"}
    assert report.calls["AddTags"] == {"unknown": 1, "ok": 1}


def test_a_denied_adoption_ends_that_app_alone(stage: Stage) -> None:
    stage.fault(FaultKind.ACCESS_DENIED, "AddTags")
    report = adopt(stage)
    assert sorted(outcomes(report).values()) == ["adopted", "failed"]


def test_a_run_that_is_stopped_adopts_no_more(stage: Stage) -> None:
    report = adopt(stage, lambda run: run.control.stop(Cause.INTERRUPTED))
    assert set(outcomes(report).values()) == {"interrupted"}
    assert tags_of(stage, "alice") == {}


@pytest.mark.parametrize("operation", ["DescribeApp", "ListTags"])
def test_a_run_that_is_stopped_between_the_looks_and_the_tag_tags_nothing(stage: Stage, operation: str) -> None:
    """A signal comes while an adoption reads."""

    async def stop(call: Any) -> None:
        if call.operation == operation and call.phase == "answer" and stage.run is not None and stage.time >= 0:
            started.append(call)
            if len(started) > reads[operation]:
                stage.run.control.stop(Cause.INTERRUPTED)

    started: list[Any] = []
    reads = {"DescribeApp": 2, "ListTags": 2}  # what planning asks
    stage.latency = stop
    report = adopt(stage)
    assert set(outcomes(report).values()) == {"interrupted"}
    assert "AddTags" not in report.calls


def test_a_quota_error_of_an_adoption_is_its_end(stage: Stage) -> None:
    """No gate stands before a call that makes nothing."""
    stage.fault(FaultKind.ERROR, "AddTags", code="ResourceLimitExceeded", message=full().message)
    assert sorted(outcomes(adopt(stage)).values()) == ["adopted", "failed"]
    assert isinstance(full(), QuotaExceeded)


def test_an_adoption_counts_against_no_quota() -> None:
    from engine.executor.kinds.apps import first_phase

    operation = an_operation(action=Action.ADOPT)
    operation.phase = first_phase(operation.change)
    assert operation.scopes == ()


# The index of tags.


def read(stage: Stage, questions: WhoseAre) -> ObservedFleet:
    async def work(run: FleetRun) -> Any:
        return await with_ownership(run, await run.observe({"research": None}), questions)

    return stage.do(work)  # type: ignore[no-any-return]


def test_of_what_is_only_named_the_index_is_asked_alone(stage: Stage) -> None:
    tags_of(stage, "alice")[FLEET_TAG] = "ml"
    tags_of(stage, "bob")[FLEET_TAG] = "others"
    keys = tuple(an_app(key).key for key in (CANVAS_A, CANVAS_B))
    rows = read(stage, WhoseAre((), keys)).domains["research"].apps
    assert [rows[key].ownership for key in keys] == [Ownership.OURS, Ownership.FOREIGN]
    assert rows[keys[1]].foreign_fleet == "others"
    assert stage.run is not None
    assert "ListTags" not in stage.run.calls()


def test_of_what_the_fleet_declares_only_the_claim_of_another_is_said(stage: Stage) -> None:
    tags_of(stage, "alice")[FLEET_TAG] = "others"
    tags_of(stage, "bob")[FLEET_TAG] = "ml"
    keys = tuple(an_app(key).key for key in (CANVAS_A, CANVAS_B))
    rows = read(stage, WhoseAre((), (), keys)).domains["research"].apps
    assert [rows[key].ownership for key in keys] == [Ownership.FOREIGN, Ownership.UNREAD]


def test_without_the_index_what_is_only_named_stays_unread(stage: Stage) -> None:
    stage.fault(FaultKind.ACCESS_DENIED, "GetResources")
    key = an_app(CANVAS_A).key
    row = read(stage, WhoseAre((), (key,))).domains["research"].apps[key]
    assert row.ownership is Ownership.UNREAD
    assert stage.events[-1].name == "lane.tag_index_unread"


def test_what_the_index_calls_ours_is_asked_once_more(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index lags: a tag that is gone may still stand in it."""
    monkeypatch.setattr("engine.executor.ownership.OWNERSHIP_READS_MAX_COUNT", 1)
    arn = stage.world.apps[identity("alice")].arn

    async def lagging(*_: Any, **__: Any) -> TaggedPage:
        return TaggedPage(((arn.upper().replace("ARN:", "arn:"), "ml"),), "")

    monkeypatch.setattr("engine.simulator.faces.memory_face.MemoryCloud.tagged_resources", lagging)
    keys = [an_app(key).key for key in (CANVAS_A, CANVAS_B)]
    rows = read(stage, decisive(keys)).domains["research"].apps
    assert [rows[key].ownership for key in keys] == [Ownership.NOBODY, Ownership.NOBODY]
    assert stage.run is not None
    assert stage.run.calls()["ListTags"] == {"ok": 1}


def test_an_index_that_repeats_itself_is_an_error(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def repeating(*_: Any, **__: Any) -> TaggedPage:
        return TaggedPage((), "again")

    monkeypatch.setattr("engine.simulator.faces.memory_face.MemoryCloud.tagged_resources", repeating)

    async def work(run: FleetRun) -> None:
        await run.observe({"research": None})
        with pytest.raises(
            ScanIncomplete,
            match="could not be completed: the service returned the same NextToken twice",
        ):
            await read_index(run, "research", OWNERS)

    stage.do(work)


# A profile with the fleet's own tag.


def refusal_of(stage: Stage, then: Callable[[], None] = lambda: None) -> tuple[str, Plan, str]:
    """Plan to prune what is ours and no longer declared, and do `then`; why that is refused."""
    stage.fleet = replace(stage.fleet, apps=())
    for user in ("alice", "bob"):
        tags_of(stage, user)[FLEET_TAG] = "ml"

    async def work(run: FleetRun) -> Any:
        draft = a_draft(run, stage.fleet, await run.observe({"research": None}), options(prune=True))
        draft = draft.knowing(await answered(run, questions_of(draft, RUNS), draft.facts))
        assert [change.reason for change in draft.plan.changes] == [Reason.NOT_DECLARED] * 2
        assert [type(question) for question in questions_of(draft, RUNS)] == [CarriesFleetTag]
        then()
        return await whole(run, draft)

    draft = stage.do(work)
    return (draft.refusal.why, draft.plan, draft.refusal.trouble.code) if draft.refusal else ("", draft.plan, "")


@pytest.mark.parametrize("denied", [False, True])
def test_a_tagged_profile_lets_nothing_be_pruned(stage: Stage, *, denied: bool) -> None:
    stage.domain.profiles["alice"].tags[FLEET_TAG] = "ml"
    if denied:
        stage.fault(FaultKind.ACCESS_DENIED, "GetResources")
    why, made, error = refusal_of(stage)
    assert "user-profile/" in why
    assert made.changes == ()
    assert error == "tagged_owner"


@pytest.mark.parametrize("denied", [False, True])
def test_without_such_a_tag_what_is_ours_is_pruned(stage: Stage, *, denied: bool) -> None:
    stage.domain.profiles["alice"].tags[FLEET_TAG] = "others"
    if denied:
        stage.fault(FaultKind.ACCESS_DENIED, "GetResources")
    gone = partial(stage.fault, FaultKind.ERROR, "ListTags", code="ResourceNotFound", message="")
    why, made, error = refusal_of(stage, gone)
    assert (why, error) == ("", "")
    assert len(made.changes) == 2


def test_where_the_tags_of_owners_cannot_be_read_nothing_is_pruned(stage: Stage) -> None:
    stage.fault(FaultKind.ACCESS_DENIED, "GetResources")
    why, made, error = refusal_of(stage, partial(stage.fault, FaultKind.ACCESS_DENIED, "ListTags", count=100))
    assert "is not known" in why
    assert made.changes == ()
    assert error == "tagged_owner"


def test_a_stopped_run_reads_no_index(stage: Stage) -> None:
    async def work(run: FleetRun) -> None:
        observed = await run.observe({"research": None})
        run.control.stop(Cause.INTERRUPTED)
        key = an_app(CANVAS_A).key
        with pytest.raises(StoppedError):
            await read_ownership(run, observed, WhoseAre((), (key,)))

    stage.do(work)


# A fleet that was renamed.


def move(stage: Stage, before: Any = lambda _run: None) -> ApplyReport:
    async def work(run: FleetRun) -> ApplyReport:
        asked = options(adopt=True, from_fleet="old")
        plan = (await whole(run, a_draft(run, stage.fleet, await run.observe({"research": None}), asked))).plan
        before(run)
        return await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)

    return stage.do(work)  # type: ignore[no-any-return]


def test_what_the_old_name_owns_is_moved_and_what_others_own_is_not(stage: Stage) -> None:
    tags_of(stage, "alice")[FLEET_TAG] = "old"
    tags_of(stage, "bob")[FLEET_TAG] = "others"
    report = move(stage)
    assert outcomes(report) == {CANVAS_A: "adopted", CANVAS_B: "skipped"}
    assert tags_of(stage, "alice") == {FLEET_TAG: "ml"}
    assert tags_of(stage, "bob") == {FLEET_TAG: "others"}
    assert set(report.calls) <= {"ListApps", "DescribeApp", "ListTags", "AddTags"}


@pytest.mark.parametrize(("now", "outcome"), [("others", "skipped"), ("ml", "adopted"), (None, "adopted")])
def test_what_changed_hands_since_the_plan_is_moved_only_from_the_old_name(
    stage: Stage, now: str | None, outcome: str
) -> None:
    for user in ("alice", "bob"):
        tags_of(stage, user)[FLEET_TAG] = "old"

    def change(_run: FleetRun) -> None:
        tags_of(stage, "alice").pop(FLEET_TAG)
        if now is not None:
            tags_of(stage, "alice")[FLEET_TAG] = now

    report = move(stage, change)
    assert outcomes(report) == {CANVAS_A: outcome, CANVAS_B: "adopted"}


def test_an_empty_tag_is_somebodys_and_is_not_taken_for_none(stage: Stage) -> None:
    report = adopt(stage, lambda _run: tags_of(stage, "alice").update({FLEET_TAG: ""}))
    assert outcomes(report) == {CANVAS_A: "skipped", CANVAS_B: "adopted"}


# The tag is read back.


def _deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr("engine.simulator.faces.memory_face.MemoryCloud.add_tags", nothing)


def test_a_yes_to_a_tag_that_does_not_show_is_no_adoption(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    _deaf(monkeypatch)
    report = adopt(stage)
    assert outcomes(report) == {CANVAS_A: "failed", CANVAS_B: "failed"}
    assert {app.error.code for app in report.apps if app.error is not None} == {"not_tagged"}
    (message,) = {app.error.message for app in report.apps if app.error is not None}
    assert message == "not adopted: AddTags was accepted, but it shows no tag appfleet:fleet"
    assert report.exit_code == 3
    assert report.calls["AddTags"] == {"ok": 2}
    assert report.calls["ListTags"]["ok"] == 2 * (1 + TAG_PROOF_READS_MAX_COUNT) + 2  # and what planning read


def test_a_tag_that_shows_late_is_an_adoption(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    _deaf(monkeypatch)
    late = TAG_PROOF_SECONDS * 2.5

    def show(_: FleetRun) -> None:
        for user in ("alice", "bob"):
            tags_of(stage, user)[FLEET_TAG] = "ml"

    stage.at = [(late, show)]
    assert outcomes(adopt(stage)) == {CANVAS_A: "adopted", CANVAS_B: "adopted"}


def test_a_tag_of_another_fleet_that_came_between_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def theirs(_self: Any, _arn: str, _tags: Any) -> None:
        for user in ("alice", "bob"):
            tags_of(stage, user)[FLEET_TAG] = "others"

    monkeypatch.setattr("engine.simulator.faces.memory_face.MemoryCloud.add_tags", theirs)
    report = adopt(stage)
    assert "adopted" not in outcomes(report).values()
    assert any("names the fleet 'others'" in app.error.message for app in report.apps if app.error is not None)


@pytest.mark.parametrize("kind", [FaultKind.THROTTLE, FaultKind.UNAVAILABLE])
def test_a_tag_that_cannot_be_read_back_at_once_is_read_again(stage: Stage, kind: FaultKind) -> None:
    stage.on_adopt = lambda: stage.fault(kind, "ListTags", count=2)
    assert outcomes(adopt(stage)) == {CANVAS_A: "adopted", CANVAS_B: "adopted"}


def test_a_tag_that_may_not_be_read_back_is_no_proof(stage: Stage) -> None:
    stage.on_adopt = lambda: stage.fault(FaultKind.ACCESS_DENIED, "ListTags", count=99)
    report = adopt(stage)
    assert "failed" in outcomes(report).values()
    assert any("its tags could not be read" in app.error.message for app in report.apps if app.error is not None)


def test_a_signal_after_the_tag_still_lets_it_be_proved(stage: Stage) -> None:
    def interrupt() -> None:
        assert stage.run is not None
        stage.run.control.stop(Cause.INTERRUPTED)

    stage.on_adopt = interrupt
    report = adopt(stage)
    assert "adopted" in outcomes(report).values()


def test_a_second_signal_leaves_the_tag_unproved_and_says_so(stage: Stage) -> None:
    def abort() -> None:
        assert stage.run is not None
        stage.run.control.interrupt()
        stage.run.control.abort()

    stage.on_adopt = abort
    assert set(outcomes(adopt(stage)).values()) <= {"interrupted", "failed"}


# The profiles that the old name made move too.

MANAGED_TAG = "appfleet:managed-by"


def move_owners(stage: Stage, before: Callable[[FleetRun], Any] = lambda _run: None) -> ApplyReport:
    people = [Owner("research", USER, name) for name in ("alice", "bob")]
    stage.fleet = replace(stage.fleet, apps=(), owners=tuple(DesiredOwner(owner, SOURCE) for owner in people))
    stage.domain.profiles["alice"].tags[MANAGED_TAG] = "old"
    stage.domain.profiles["bob"].tags[MANAGED_TAG] = "others"

    async def work(run: FleetRun) -> ApplyReport:
        asked = options(adopt=True, from_fleet="old")
        draft = a_draft(run, stage.fleet, await run.observe({"research": None}), asked, watched=people)
        plan = (await whole(run, draft)).plan
        before(run)
        return await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)

    return stage.do(work)  # type: ignore[no-any-return]


def test_a_profile_that_the_old_name_made_is_moved_and_that_of_others_is_not(stage: Stage) -> None:
    report = move_owners(stage)
    assert [(result.owner.name, result.action, result.outcome.value) for result in report.owners] == [
        ("alice", Action.ADOPT, "adopted")
    ]
    assert [stage.domain.profiles[name].tags[MANAGED_TAG] for name in ("alice", "bob")] == ["ml", "others"]


@pytest.mark.parametrize(("now", "outcome"), [("others", "skipped"), ("ml", "adopted"), (None, "skipped")])
def test_a_profile_that_changed_hands_since_the_plan_is_left_to_them(
    stage: Stage, now: str | None, outcome: str
) -> None:
    def before(_run: FleetRun) -> None:
        tags = stage.domain.profiles["alice"].tags
        del tags[MANAGED_TAG]
        tags.update({} if now is None else {MANAGED_TAG: now})

    (result,) = move_owners(stage, before).owners
    assert result.outcome.value == outcome
    assert stage.domain.profiles["alice"].tags.get(MANAGED_TAG) == now


def test_a_profile_that_is_being_deleted_since_the_plan_is_not_moved(stage: Stage) -> None:
    def before(_run: FleetRun) -> None:
        stage.domain.profiles["alice"].status = "Deleting"

    (result,) = move_owners(stage, before).owners
    assert result.outcome.value == "skipped"
    assert result.error is not None
    assert result.error.message == "user profile alice was not adopted: it is not the one that was there"


def test_a_profile_that_may_not_be_tagged_is_a_failure_and_keeps_its_tag(stage: Stage) -> None:
    stage.world.faults.rules.append(FaultRule(Fault(FaultKind.ACCESS_DENIED), "AddTags"))
    (result,) = move_owners(stage).owners
    assert result.outcome.value == "failed"
    assert stage.domain.profiles["alice"].tags[MANAGED_TAG] == "old"
