"""Users of new profiles are assigned beside the run: whom it assigns, what it costs, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.application import Application
from engine.core.desired import DesiredOwner
from engine.core.identity import USER, Owner
from engine.core.limits import OPTIONAL_SERVICES_MAX_SECONDS
from engine.core.outcome import Outcome
from engine.core.owners import holders_needed, owners_needed
from engine.core.planner import plan_fleet
from engine.core.sso import with_auth_mode
from engine.core.trouble import Trouble
from engine.executor.assigning import Assigning, application_of
from engine.ports.journal import NoJournal
from engine.simulator.world.faults import FaultKind
from engine.simulator.world.identity_center import application_arn, store_id
from tests.fleets import LANE, SOURCE, options
from tests.rounds import owned, seen_of
from tests.unit.executor.test_owner_run import ALICE, BOB, SPACE_A, Stage, all_created, outcomes, owners_of

if TYPE_CHECKING:
    from engine.core.finding import Finding
    from engine.core.outcome import ApplyReport
    from engine.executor.fleet_run import FleetRun
    from engine.executor.reach import Reach
    from engine.simulator.faces.memory_face import SimulatedCall

ALL = ["alice@x", "bob@x"]


def sso_stage() -> Stage:
    """Return a stage whose domain signs people in through IAM Identity Center; everybody has a user name there."""
    stage = Stage()
    stage.domain.auth_mode = "SSO"
    space = DesiredOwner(SPACE_A, SOURCE, owner_user="alice", sharing="Private", app_type="JupyterLab")
    people = (DesiredOwner(one, SOURCE, sso_identity=f"{one.name}@x") for one in (ALICE, BOB))
    stage.fleet = replace(stage.fleet, owners=(space, *people))
    return stage


async def find(run: FleetRun) -> Application:
    return await application_of(run.reach("research"), run.account_reach("research"))


def apply(stage: Stage) -> ApplyReport:
    async def work(run: FleetRun) -> ApplyReport:
        observed = await run.observe({"research": None})
        plan = plan_fleet(stage.fleet, observed, options())
        seen = await seen_of(run, owners_needed(plan, stage.fleet))
        seen |= await seen_of(run, holders_needed(stage.fleet, seen))
        plan = owned(plan, stage.fleet, seen, create=True)
        plan = with_auth_mode(plan, "research", "SSO", await find(run))
        return await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)

    return stage.do(work)  # type: ignore[no-any-return]


def assigned(stage: Stage) -> list[str]:
    return sorted(stage.world.center.users_of(stage.domain))


def said(report: ApplyReport) -> list[str]:
    return [finding.message for finding in report.findings]


def test_everybody_whose_profile_was_made_is_assigned_once_it_is_in_service() -> None:
    stage = sso_stage()
    report = apply(stage)
    assert all_created(report)
    assert assigned(stage) == ALL
    assert (report.notes, report.findings) == (("2 users assigned in IAM Identity Center",), ())
    told = [(event.name, event.key) for event in stage.events if event.name in ("owner.settled", "owner.user_assigned")]
    for owner in (ALICE, BOB):
        assert told.index(("owner.settled", owner)) < told.index(("owner.user_assigned", owner))
    again = apply(stage)
    assert (again.notes, set(outcomes(again).values())) == ((), {"unchanged"})


def test_nobody_is_assigned_whose_profile_stood_there_or_was_made_by_somebody_else() -> None:
    stage = sso_stage()
    stage.profile("bob", sso=("UserName", "bob@x"))
    stage.on_call["CreateUserProfile"] = lambda _: stage.profile("alice", sso=("UserName", "alice@x"))
    report = apply(stage)
    assert owners_of(report)[ALICE] is Outcome.ADOPTED
    assert (assigned(stage), report.notes, report.findings) == ([], (), ())


def test_whoever_is_assigned_already_is_as_good_as_assigned() -> None:
    stage = sso_stage()
    stage.world.center.known["7"] = "alice@x"
    stage.fault(FaultKind.ERROR, "CreateApplicationAssignment", code="ConflictException", message="It exists.")
    stage.world.center.assigned[application_arn(stage.domain)] = []
    report = apply(stage)
    assert all_created(report)


def test_a_user_who_is_not_in_the_identity_store_is_named_with_the_command_and_nothing_fails() -> None:
    stage = sso_stage()
    stage.world.center.users, stage.world.center.profiles_need_users = ["bob@x"], False
    report = apply(stage)
    assert all_created(report)
    assert assigned(stage) == ["bob@x"]
    (message,) = said(report)
    assert "1 user of new profiles in domain research is not assigned" in message
    assert "cannot sign in: the identity store has no user of that name yet" in message
    assert f"--application-arn {application_arn(stage.domain)} --principal-type USER" in message
    assert f"--identity-store-id {store_id(LANE)}" in message
    assert '"AttributeValue":"alice@x"' in message
    (event,) = [event for event in stage.events if event.name == "owner.user_unassigned"]
    assert (event.key, event.code) == (ALICE, "ResourceNotFoundException")


@pytest.mark.parametrize("operation", ["GetUserId", "CreateApplicationAssignment"])
def test_what_is_denied_for_one_is_denied_for_all_and_is_asked_once(operation: str) -> None:
    stage = sso_stage()
    stage.fault(FaultKind.ACCESS_DENIED, operation, count=99)
    report = apply(stage)
    assert all_created(report)
    assert sum(report.calls[operation].values()) == 1
    cause, command = sorted(said(report), key=len)
    assert "could not be assigned in IAM Identity Center: " in cause
    assert f"{operation} failed with AccessDeniedException. An administrator" in command
    assert "for user in alice@x bob@x; do aws sso-admin" in command


def test_what_is_refused_for_one_is_asked_for_the_others() -> None:
    stage = sso_stage()
    stage.fault(FaultKind.ERROR, "CreateApplicationAssignment", code="ValidationException", message="Not this one.")
    report = apply(stage)
    assert all_created(report)
    assert len(assigned(stage)) == 1
    assert any("failed with ValidationException. An administrator" in message for message in said(report))


def test_an_application_that_is_gone_says_so() -> None:
    stage = sso_stage()
    stage.fault(
        FaultKind.ERROR, "CreateApplicationAssignment", count=2, code="ResourceNotFoundException", message="No app."
    )
    assert any("CreateApplicationAssignment failed with ResourceNotFound" in one for one in said(apply(stage)))


def test_a_call_that_fails_in_a_way_that_passes_is_made_again() -> None:
    stage = sso_stage()
    for operation in ("GetUserId", "CreateApplicationAssignment"):
        stage.fault(FaultKind.THROTTLE, operation)
        stage.fault(FaultKind.RESET_AFTER, operation)
    report = apply(stage)
    assert (assigned(stage), report.findings) == (ALL, ())


def test_a_service_that_is_silent_costs_its_bound_once_and_no_app_waits_for_it() -> None:
    stage = sso_stage()

    async def silent(call: SimulatedCall) -> None:
        if call.operation == "GetUserId" and call.phase == "request":
            await stage.run.control.aborted.wait()  # type: ignore[union-attr]

    stage.latency = silent
    began = stage.time
    report = apply(stage)
    assert all_created(report)
    assert assigned(stage) == []
    assert report.seconds - began < OPTIONAL_SERVICES_MAX_SECONDS + 10.0
    assert max(app.seconds for app in report.apps) < 10.0
    assert report.calls["GetUserId"] == {"cancelled": 1}
    assert any("for user in alice@x bob@x" in message for message in said(report))


def test_a_signal_leaves_those_who_wait_to_the_command_of_the_finding() -> None:
    stage = sso_stage()

    async def slow(call: SimulatedCall) -> None:
        if call.operation == "GetUserId" and call.phase == "request" and stage.run is not None:
            stage.run.control.interrupt()

    stage.latency = slow
    report = apply(stage)
    assert report.exit_code == 130
    assert "CreateApplicationAssignment" not in report.calls
    made = [
        owner.name for owner, outcome in owners_of(report).items() if outcome is Outcome.CREATED and owner.kind == USER
    ]
    assert made
    (message,) = said(report)
    assert "cannot sign in: the run ended before that. The next run tries again. An administrator" in message


def test_no_call_is_made_for_a_lane_that_was_stopped() -> None:
    stage = sso_stage()

    async def stop(call: SimulatedCall) -> None:
        if call.operation == "GetUserId" and call.phase == "request" and stage.run is not None:
            stage.run.lanes[LANE].stop_lane(Trouble("credentials", "they expired"))

    stage.latency = stop
    report = apply(stage)
    assert report.exit_code == 1
    assert (report.calls["GetUserId"], "CreateApplicationAssignment" in report.calls) == ({"ok": 1}, False)
    assert "cannot sign in: the run ended before that. The next run tries again. An administrator" in said(report)[0]


def test_a_bug_ends_the_run_in_order() -> None:
    stage = sso_stage()
    broken = Application(LANE.region, "arn", "store")

    async def work(run: FleetRun) -> Any:
        bugs: list[BaseException] = []

        def reach_of(domain: str) -> Reach:
            if seen:
                raise RuntimeError("no such domain")
            seen.append(domain)
            return run.reach(domain)

        seen: list[str] = []
        change = replace(plan_of_owner(ALICE), assigned_to=broken)
        assigning = Assigning([change], reach_of, run.emit, bugs.append, NoJournal(), lambda: 1.0)
        async with assigning.running():
            assigning.take(result_of(ALICE))
        return [str(bug) for bug in bugs], assigning.notes, assigning.findings

    assert stage.do(work) == (["no such domain"], [], [])


def plan_of_owner(owner: Owner) -> Any:
    from engine.core.change import Action, OwnerChange, OwnerReason

    return OwnerChange(owner, Action.CREATE, OwnerReason.ABSENT, None, DesiredOwner(owner, SOURCE, sso_identity="a@x"))


def result_of(owner: Owner, outcome: Outcome = Outcome.CREATED) -> Any:
    from engine.core.change import Action
    from engine.core.outcome import OwnerResult

    return OwnerResult(owner, Action.CREATE, outcome, 1, 1.0, "arn", None)


# What planning reads.


def test_the_application_is_found_with_the_store_of_its_instance() -> None:
    stage = sso_stage()
    found = stage.do(find)
    assert found == Application(LANE.region, application_arn(stage.domain), store_id(LANE))
    assert found.instance == application_arn(stage.domain).split("/")[1]


def why(found: Application) -> str:
    assert (found.store, found.unread is None) == ("", False)
    return "" if found.unread is None else found.unread.short


def test_why_an_application_cannot_be_used_is_said() -> None:
    stage = sso_stage()
    stage.domain.auth_mode = "IAM"
    assert why(stage.do(find)).startswith("DescribeDomain names no application")
    stage = sso_stage()
    stage.fault(FaultKind.ACCESS_DENIED, "DescribeDomain")
    assert why(stage.do(find)) == "DescribeDomain failed with AccessDeniedException"
    stage = sso_stage()
    stage.fault(FaultKind.ACCESS_DENIED, "ListInstances")
    found = stage.do(find)
    assert (found.arn, why(found)) == (application_arn(stage.domain), "ListInstances failed with AccessDeniedException")


def test_an_instance_that_the_caller_does_not_see_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.ports.identity_center import InstancePage
    from engine.simulator.faces.memory_face import MemoryCloud

    async def others(_self: MemoryCloud, *, token: str = "") -> InstancePage:
        return InstancePage({f"ssoins-{token or 'a'}": "d-1234567890"}, "" if token else "b")

    monkeypatch.setattr(MemoryCloud, "instances", others)
    stage = sso_stage()
    found = stage.do(find)
    assert why(found) == f"ListInstances does not show the caller the instance {found.instance}"


def finding_rules(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.rule for finding in findings}


def test_a_plan_without_an_application_runs_and_its_report_says_what_the_plan_said() -> None:
    stage = sso_stage()
    stage.fault(FaultKind.ACCESS_DENIED, "ListInstances")
    report = apply(stage)
    assert all_created(report)
    assert (finding_rules(report.findings), assigned(stage)) == ({"assign"}, [])
    assert any('--query "Instances[?ends_with' in message for message in said(report))
