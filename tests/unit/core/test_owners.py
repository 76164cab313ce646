"""User profiles and spaces in a plan: made before their apps, never replaced, and only when it is allowed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from engine.core.change import Action, Change, OwnerChange, OwnerReason, Reason
from engine.core.desired import DesiredApp, DesiredFleet, DesiredOwner, Mode
from engine.core.errors import AccessDenied
from engine.core.finding import Finding
from engine.core.identity import SPACE, USER, Owner
from engine.core.observed import ObservedOwner, Ownership
from engine.core.offboarding import with_owner_deletes
from engine.core.owners import (
    WantedOwners,
    declared_owners,
    domains_with_new_profiles,
    holders_needed,
    owners_needed,
    with_owners,
    with_sso_warning,
)
from engine.core.plan import Plan
from engine.core.plan_json import plan_from_json
from engine.core.stages import ordered_steps, owner_ranks
from tests.fleets import CANVAS, LAB, SOURCE, a_fleet, a_row, an_app, key_of, observe
from tests.rounds import owned

ALICE = Owner("research", USER, "alice")
SPACE_OWNER = Owner("research", SPACE, "alice-lab")
PROFILE = DesiredOwner(ALICE, SOURCE, execution_role="arn:aws:iam::111122223333:role/studio", sso_identity="a@x")
LAB_SPACE = DesiredOwner(
    SPACE_OWNER,
    SOURCE,
    tags=(("team", "vision"),),
    settings={"SpaceManagedResources": "ENABLED"},
    owner_user="alice",
    sharing="Private",
    app_type="JupyterLab",
    ebs_gb=20,
    idle_minutes=60,
)


def fleet(*owners: DesiredOwner) -> DesiredFleet:
    return replace(a_fleet(an_app(LAB), an_app(CANVAS)), owners=owners or (PROFILE, LAB_SPACE))


def plan(*keys: str, action: Action = Action.CREATE) -> Plan:
    changes = tuple(Change(key_of(key), action, Reason.ABSENT, None, an_app(key)) for key in sorted(keys))
    return Plan("ml", "2026-11-24T00:00:00Z", changes)


def seen(owner: Owner, status: str = "InService", **more: Any) -> ObservedOwner:
    return ObservedOwner(owner, status, 1_000.0, **more)


def test_a_plan_without_creates_needs_nobody() -> None:
    assert owners_needed(plan(LAB, action=Action.NONE), fleet()) == ()


def test_only_declared_owners_of_creates_are_needed() -> None:
    assert owners_needed(plan(LAB, CANVAS), fleet()) == (SPACE_OWNER, ALICE)
    assert owners_needed(plan(LAB, CANVAS), fleet(PROFILE)) == (ALICE,)


def test_the_profile_of_a_space_is_looked_at_only_when_the_space_is_missing() -> None:
    assert holders_needed(fleet(), {SPACE_OWNER: None}) == (ALICE,)
    assert holders_needed(fleet(), {SPACE_OWNER: seen(SPACE_OWNER, "Deleting")}) == (ALICE,)
    assert holders_needed(fleet(), {SPACE_OWNER: seen(SPACE_OWNER)}) == ()
    assert holders_needed(fleet(), {SPACE_OWNER: None, ALICE: None}) == ()


def test_what_is_missing_is_made_profile_first_and_the_apps_stay_planned() -> None:
    made = owned(plan(LAB), fleet(), {SPACE_OWNER: None, ALICE: None}, create=True)
    assert [(change.owner, change.action, change.reason) for change in made.owners] == [
        (ALICE, Action.CREATE, OwnerReason.ABSENT),
        (SPACE_OWNER, Action.CREATE, OwnerReason.ABSENT),
    ]
    assert made.summary["create"] == 1
    assert made.fingerprint != plan(LAB).fingerprint


def test_what_is_there_changes_nothing() -> None:
    before = plan(LAB, CANVAS)
    assert owned(before, fleet(), {SPACE_OWNER: seen(SPACE_OWNER), ALICE: seen(ALICE)}, create=True) is before
    assert owned(before, fleet(), {}, create=False) is before


def test_without_leave_the_apps_are_skipped_with_one_finding_an_owner() -> None:
    made = owned(plan(LAB, CANVAS), fleet(), {SPACE_OWNER: None, ALICE: None}, create=False)
    assert {change.reason for change in made.decisions} == {Reason.OWNER_MISSING}
    assert made.changes == ()
    assert made.owners == ()
    assert [finding.key for finding in made.findings] == [str(SPACE_OWNER), str(ALICE)]
    assert all("[owners] create = true" in finding.message for finding in made.findings)


def test_an_owner_being_deleted_is_made_again_after_that_or_named() -> None:
    rows = {ALICE: seen(ALICE, "Deleting")}
    (change,) = owned(plan(CANVAS), fleet(), rows, create=True).owners
    assert change.reason is OwnerReason.DELETING
    (finding,) = owned(plan(CANVAS), fleet(), rows, create=False).findings
    assert "is being deleted" in finding.message


@pytest.mark.parametrize("status", ["Pending", "Updating"])
def test_an_owner_that_is_starting_is_waited_for(status: str) -> None:
    made = owned(plan(CANVAS), fleet(), {ALICE: seen(ALICE, status)}, create=False)
    assert [(change.action, change.reason) for change in made.owners] == [(Action.NONE, OwnerReason.PENDING)]
    assert made.summary["create"] == 1


@pytest.mark.parametrize("create", [True, False])
def test_a_failed_owner_is_never_replaced_and_its_apps_are_skipped(create: bool) -> None:
    made = owned(plan(CANVAS), fleet(), {ALICE: seen(ALICE, "Failed")}, create=create)
    assert made.owners == ()
    assert [change.reason for change in made.decisions] == [Reason.OWNER_MISSING]


def test_a_space_whose_profile_has_failed_is_not_made() -> None:
    rows = {SPACE_OWNER: None, ALICE: seen(ALICE, "Failed")}
    made = owned(plan(LAB, CANVAS), fleet(), rows, create=True)
    assert made.owners == ()
    assert "user profile alice is Failed" in made.findings[0].message
    alone = owned(plan(LAB), fleet(), rows, create=True)
    assert [finding.key for finding in alone.findings] == [str(SPACE_OWNER)]


def test_a_space_is_made_without_a_profile_that_could_not_be_looked_at_or_is_not_declared() -> None:
    for declared in (fleet(), fleet(LAB_SPACE), fleet(replace(LAB_SPACE, owner_user=None))):
        (change,) = owned(plan(LAB), declared, {SPACE_OWNER: None}, create=True).owners
        assert change.owner == SPACE_OWNER


def test_a_plan_with_owners_reads_back_as_the_same_document() -> None:
    rows = {SPACE_OWNER: seen(SPACE_OWNER, "Deleting"), ALICE: None}
    made = owned(plan(LAB), fleet(), rows, create=True)
    document = made.to_json()
    assert plan_from_json(document).to_json() == document
    entry = document["owners"][1]
    assert entry["before"] == {"status": "Deleting", "generation": 1_000.0}
    assert entry["after"] == {
        "owner_user": "alice",
        "sharing": "Private",
        "app_type": "JupyterLab",
        "ebs_gb": 20,
        "idle_minutes": 60,
        "settings": {"SpaceManagedResources": "ENABLED"},
        "tags": {"team": "vision"},
    }


def test_profiles_in_a_domain_with_sso_get_a_warning_and_others_none() -> None:
    made = owned(plan(CANVAS), fleet(), {ALICE: None}, create=True)
    assert domains_with_new_profiles(made) == ("research",)
    assert "1 user profile will be made" in with_sso_warning(made, "research", "SSO").findings[0].message
    assert with_sso_warning(made, "research", "IAM") is made
    assert with_sso_warning(made, "other", "SSO") is made
    two = replace(made, owners=(*made.owners, replace(made.owners[0], owner=ALICE._replace(name="bob"))))
    assert "2 user profiles" in with_sso_warning(two, "research", "SSO").findings[0].message


def test_an_owner_has_the_rank_of_the_first_app_that_needs_it_and_a_profile_that_of_its_space() -> None:
    made = owned(plan(LAB), fleet(), {SPACE_OWNER: None, ALICE: None}, create=True)
    assert owner_ranks(made, ordered_steps(made)) == {SPACE_OWNER: 0, ALICE: 0}
    going = OwnerChange(Owner("research", SPACE, "old"), Action.DELETE, OwnerReason.OFFBOARDED)
    assert owner_ranks(replace(made, owners=(going,)), ordered_steps(made)) == {going.owner: 1}


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("action", [Action.CREATE, Action.DELETE_THEN_CREATE])
@pytest.mark.parametrize("status", ["InService", "Pending", "Updating", "Update_Failed"])
@pytest.mark.parametrize(
    ("there", "why"),
    [
        ({"owner_user": "mallory"}, "space alice-lab belongs to mallory, and the fleet declares it as alice's"),
        ({"app_type": "CodeEditor"}, "space alice-lab is a space for CodeEditor, and the fleet declares JupyterLab"),
    ],
)
def test_a_space_of_somebody_else_or_of_another_type_is_named_and_its_app_is_left_out(
    create: bool, action: Action, status: str, there: dict[str, str], why: str
) -> None:
    rows = {SPACE_OWNER: seen(SPACE_OWNER, status, **there), ALICE: seen(ALICE)}
    made = owned(plan(LAB, CANVAS, action=action), fleet(), rows, create=create)
    assert [(change.key.app_type, change.action) for change in made.changes] == [("Canvas", action)]
    (finding,) = made.findings
    assert (finding.rule, finding.enforcement, finding.key) == ("owners", "skip", str(SPACE_OWNER))
    assert finding.message.startswith(why)
    assert "1 app that needs it is skipped" in finding.message


@pytest.mark.parametrize("there", [{"owner_user": "ALICE", "app_type": "JupyterLab"}, {"owner_user": ""}, {}])
def test_a_space_that_is_as_declared_or_says_nothing_of_it_is_used(there: dict[str, str]) -> None:
    before = plan(LAB)
    assert owned(before, fleet(), {SPACE_OWNER: seen(SPACE_OWNER, **there)}, create=True) is before


def test_a_space_of_somebody_else_that_is_going_is_made_anew() -> None:
    rows = {SPACE_OWNER: seen(SPACE_OWNER, "Deleting", owner_user="mallory"), ALICE: seen(ALICE)}
    (change,) = owned(plan(LAB), fleet(), rows, create=True).owners
    assert (change.action, change.reason) == (Action.CREATE, OwnerReason.DELETING)


# Letting a team go.


def ours(owner: Owner, status: str = "InService", **more: Any) -> ObservedOwner:
    return seen(owner, status, ownership=Ownership.OURS, **more)


def test_a_space_and_its_profile_go_when_the_apps_in_them_do() -> None:
    rows = {SPACE_OWNER: ours(SPACE_OWNER, owner_user="alice"), ALICE: ours(ALICE)}
    observed = observe(a_row(LAB))
    made = with_owner_deletes(plan(LAB, action=Action.DELETE), (PROFILE, LAB_SPACE), rows, observed)
    assert [(change.owner, change.action) for change in made.owners] == [
        (ALICE, Action.DELETE),
        (SPACE_OWNER, Action.DELETE),
    ]


def test_an_owner_in_which_an_app_stays_is_left_with_its_profile() -> None:
    rows = {SPACE_OWNER: ours(SPACE_OWNER, owner_user="alice"), ALICE: ours(ALICE)}
    made = with_owner_deletes(plan(), (PROFILE, LAB_SPACE), rows, observe(a_row(LAB)))
    assert made.owners == ()
    assert [finding.key for finding in made.findings] == [str(SPACE_OWNER), str(ALICE)]
    assert "alice-lab" in made.findings[1].message


def test_an_owner_that_nobody_says_is_ours_is_left() -> None:
    made = with_owner_deletes(plan(), (PROFILE,), {ALICE: seen(ALICE, ownership=Ownership.NOBODY)}, observe())
    assert made.owners == ()
    assert "it has no tag appfleet:managed-by, so appfleet did not make it" in made.findings[0].message


def test_an_owner_that_another_fleet_made_is_left_with_that_fleets_name() -> None:
    row = seen(ALICE, ownership=Ownership.FOREIGN, managed_by="others")
    (finding,) = with_owner_deletes(plan(), (PROFILE,), {ALICE: row}, observe()).findings
    assert "names the fleet 'others'. Offboard it from that fleet" in finding.message


def test_an_owner_whose_tag_could_not_be_read_is_left_and_nobody_says_whose_it_is() -> None:
    row = seen(ALICE, unread_because="ListTags failed with ThrottlingException")
    made = with_owner_deletes(plan(), (PROFILE,), {ALICE: row}, observe())
    assert made.owners == ()
    (finding,) = made.findings
    assert "could not be read (ListTags failed with ThrottlingException). Run again" in finding.message
    assert "appfleet did not make it" not in finding.message


def test_an_owner_stays_where_nobody_knows_what_lives_in_its_domain() -> None:
    observed = observe(errors={"research": AccessDenied("ListApps is denied")})
    made = with_owner_deletes(plan(), (PROFILE,), {ALICE: ours(ALICE)}, observed)
    assert made.owners == ()
    assert "the apps of its domain could not be listed. Run again" in made.findings[0].message


def test_an_owner_that_is_gone_or_going_is_nobodys_business() -> None:
    made = with_owner_deletes(plan(), (PROFILE, LAB_SPACE), {ALICE: seen(ALICE, "Deleting")}, observe())
    assert made.owners == ()
    assert made.findings == ()


OURS = {"ownership": Ownership.OURS, "managed_by": "ml"}
DEFAULT = {"DefaultResourceSpec": {"InstanceType": "ml.t3.medium"}}
IDLE_90 = {
    "JupyterLabAppSettings": {"AppLifecycleManagement": {"IdleSettings": {"IdleTimeoutInMinutes": 90}}, **DEFAULT}
}
LAB_SPACE_THERE = {"owner_user": "alice", "app_type": "JupyterLab", "sharing": "Private", "ebs_gb": 20}
AS_DECLARED = {
    "SpaceManagedResources": "ENABLED",
    "SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 20}},
}


def a_space(**more: Any) -> ObservedOwner:
    return seen(SPACE_OWNER, **{**LAB_SPACE_THERE, **more})


def test_a_space_that_differs_is_updated_in_place_when_a_policy_says_so_and_its_tag_is_ours() -> None:
    row = a_space(settings={**AS_DECLARED, **IDLE_90}, **OURS)
    made = owned(plan(), fleet(LAB_SPACE), {SPACE_OWNER: row}, update=True, watched=[SPACE_OWNER])
    (change,) = made.owners
    assert (change.action, change.reason) == (Action.UPDATE, OwnerReason.OWNER_DRIFT)
    assert [one.field for one in change.updates] == ["idle_minutes"]
    assert made.owner_drift == ()
    assert made.has_changes
    shown = change.to_json()
    assert shown["key"] == "research/space/alice-lab"
    assert shown["differs"] == [{"field": "idle_minutes", "declared": 60, "observed": 90}]
    assert plan_from_json(made.to_json()).fingerprint == made.fingerprint


def test_without_update_a_difference_is_reported_and_nothing_is_done() -> None:
    row = a_space(settings={**AS_DECLARED, **IDLE_90})
    made = owned(plan(), fleet(LAB_SPACE), {SPACE_OWNER: row}, watched=[SPACE_OWNER])
    (change,) = made.owner_drift
    assert (change.action, change.reason, change.updates) == (Action.NONE, OwnerReason.OWNER_DRIFT, ())
    assert (made.owners, made.has_changes) == ((), False)
    assert made.to_json()["drift"] == [], "those are apps"
    (entry,) = made.to_json()["owners"]
    assert (entry["key"], entry["action"], entry["reason"]) == ("research/space/alice-lab", "none", "owner_drift")
    back = plan_from_json(made.to_json())
    assert [one.owner for one in back.owner_drift] == [SPACE_OWNER]
    assert back.decisions == ()


@pytest.mark.parametrize(
    ("whose", "why"),
    [
        ({"ownership": Ownership.NOBODY}, "it has no tag appfleet:managed-by"),
        ({"ownership": Ownership.FOREIGN, "managed_by": "other"}, "names the fleet 'other'"),
        ({"unread_because": "denied"}, "its tags could not be read (denied)"),
    ],
)
def test_what_this_fleet_does_not_manage_is_never_updated(whose: dict[str, Any], why: str) -> None:
    row = a_space(settings={**AS_DECLARED, **IDLE_90}, **whose)
    made = owned(plan(), fleet(LAB_SPACE), {SPACE_OWNER: row}, update=True, watched=[SPACE_OWNER])
    assert made.owners == ()
    assert len(made.owner_drift) == 1
    (finding,) = made.findings
    unread = ("uncompared", "skip") if "unread_because" in whose else ("owners", "advisory")
    assert (finding.rule, finding.enforcement, finding.key) == (*unread, str(SPACE_OWNER))
    assert why in finding.message


def test_what_no_call_changes_is_named() -> None:
    volume = {"SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 40}}}
    row = a_space(settings={**AS_DECLARED, **volume, **IDLE_90}, ebs_gb=40, **OURS)
    still = replace(LAB_SPACE, idle_minutes=90)
    made = owned(plan(), fleet(still), {SPACE_OWNER: row}, update=True, watched=[SPACE_OWNER])
    assert [one.field for one in made.owner_drift[0].differs] == ["ebs_gb"]
    assert "ebs_gb: declared 20, observed 40" in made.findings[0].message
    assert "a volume never shrinks" in made.findings[0].message


def test_a_space_takes_the_spec_of_its_app_as_its_default_and_is_updated_before_the_app_is_made() -> None:
    row = a_space(settings={**AS_DECLARED}, **OURS)
    bare = replace(LAB_SPACE, idle_minutes=None)
    made = owned(plan(LAB), fleet(bare), {SPACE_OWNER: row}, update=True)
    (change,) = made.owners
    assert change.after is not None
    assert change.after.default == an_app(LAB).spec
    assert [one.field for one in change.differs] == ["default.instance_type"]
    assert [one.key for one in made.changes] == [key_of(LAB)]
    reported = owned(plan(LAB), fleet(bare), {SPACE_OWNER: row})
    assert reported.owner_drift == (), "a default that nobody set is nobody's drift"


@pytest.mark.parametrize("app", [an_app(LAB, mode=Mode.ABSENT), an_app(LAB, expires=date(2026, 1, 1))])
def test_an_app_that_shall_not_be_there_sets_no_default(app: DesiredApp) -> None:
    declared = declared_owners(replace(a_fleet(app), owners=(LAB_SPACE,)), date(2026, 11, 24))
    assert declared[SPACE_OWNER].default is None


def test_what_is_changing_or_gone_is_compared_by_a_later_run() -> None:
    for row in (None, a_space(status="Updating", settings=IDLE_90), a_space(status="Deleting", settings=IDLE_90)):
        made = owned(plan(), fleet(LAB_SPACE), {SPACE_OWNER: row}, update=True, watched=[SPACE_OWNER])
        assert (made.owners, made.owner_drift, made.findings) == ((), (), ())


def test_a_strangers_space_is_named_although_nothing_is_made_in_it() -> None:
    row = a_space(settings=AS_DECLARED, owner_user="mallory")
    made = owned(plan(), fleet(LAB_SPACE), {SPACE_OWNER: row}, watched=[SPACE_OWNER])
    assert "belongs to mallory" in made.findings[0].message


OTHER_TYPE = {"JupyterLabAppSettings": {"DefaultResourceSpec": {"InstanceType": "ml.g5.xlarge"}}}


def test_a_default_that_somebody_changed_is_set_before_the_app_is_made_and_nothing_else_is() -> None:
    """No policy updates: the default is part of making the app, and how long the space may idle is only reported."""
    row = a_space(settings={**AS_DECLARED, **OTHER_TYPE}, **OURS)
    made = owned(plan(LAB), fleet(LAB_SPACE), {SPACE_OWNER: row})
    (change,) = made.owners
    assert (change.action, change.reason) == (Action.UPDATE, OwnerReason.OWNER_DRIFT)
    assert [(one.field, one.declared, one.observed) for one in change.updates] == [
        ("default.instance_type", "ml.t3.medium", "ml.g5.xlarge")
    ]
    assert change.after is not None
    assert (change.after.idle_minutes, change.after.settings) == (None, {})
    (reported,) = made.owner_drift
    assert (reported.action, [one.field for one in reported.differs]) == (Action.NONE, ["idle_minutes"])
    assert [one.key for one in made.changes] == [key_of(LAB)]


@pytest.mark.parametrize("keys", [(LAB,), ()])
def test_a_default_that_somebody_changed_is_only_reported_where_no_app_is_made_or_the_space_is_not_ours(
    keys: tuple[str, ...],
) -> None:
    row = a_space(settings={**AS_DECLARED, **OTHER_TYPE}, ownership=Ownership.NOBODY if keys else Ownership.OURS)
    declared = replace(LAB_SPACE, idle_minutes=None)
    made = owned(plan(*keys), fleet(declared), {SPACE_OWNER: row}, watched=[SPACE_OWNER])
    assert made.owners == ()
    (reported,) = made.owner_drift
    assert [one.field for one in reported.differs] == ["default.instance_type"]


def test_only_a_profile_of_ours_with_a_user_has_that_user_assigned_later() -> None:
    """What is gone, going, failed, changed anyway, not ours or not declared any more is not: each by its own name."""
    names = ("alice", "going", "failed", "theirs", "nameless", "undeclared", "gone")
    owners = {name: Owner("research", USER, name) for name in names}
    rows: dict[Owner, ObservedOwner | None] = {
        owner: ours(owner, sso_identity=f"{owner.name}@x") for owner in owners.values()
    }
    rows |= {
        owners["going"]: ours(owners["going"], status="Deleting", sso_identity="going@x"),
        owners["failed"]: ours(owners["failed"], status="Failed", sso_identity="failed@x"),
        owners["theirs"]: seen(owners["theirs"], ownership=Ownership.FOREIGN, sso_identity="theirs@x"),
        owners["nameless"]: ours(owners["nameless"]),
        owners["gone"]: None,
    }
    declared = {owner: DesiredOwner(owner, SOURCE) for name, owner in owners.items() if name != "undeclared"}
    made = with_owners(plan(), declared, rows, WantedOwners(unassigned=frozenset(owners.values())))
    (change,) = made.owners
    assert (change.owner, change.action, change.reason) == (ALICE, Action.NONE, OwnerReason.UNASSIGNED)
    assert change.after is not None
    assert (change.after.sso_identity, change.after.sso_is_guessed) == ("alice@x", False), "the name that is there"


def test_a_profile_that_is_waited_for_anyway_is_planned_once() -> None:
    row = ours(ALICE, status="Updating", sso_identity="a@x")
    wanted = WantedOwners(needed=(ALICE,), unassigned=frozenset({ALICE}))
    (change,) = with_owners(plan(CANVAS), {ALICE: PROFILE}, {ALICE: row}, wanted).owners
    assert change.reason is OwnerReason.PENDING


def moving(row: ObservedOwner, **more: Any) -> Plan:
    return owned(plan(), fleet(PROFILE), {ALICE: row}, watched=[ALICE], from_fleet="old", **more)


def test_what_the_old_name_manages_moves_and_is_updated_later() -> None:
    settings = {"ExecutionRole": "arn:aws:iam::111122223333:role/other"}
    row = seen(ALICE, settings=settings, sso_identity="a@x", ownership=Ownership.FOREIGN, managed_by="old")
    made = moving(row, update=True)
    assert [(one.action, one.reason) for one in made.owners] == [(Action.ADOPT, OwnerReason.FROM_FLEET)]
    assert (made.owner_drift, made.findings) == ((), ())
    told = moving(row)
    assert [one.action for one in told.owners] == [Action.ADOPT]
    assert [one.differs[0].field for one in told.owner_drift] == ["execution_role"], "without update it is reported"
    others = moving(replace(row, managed_by="others"))
    assert others.owners == ()
    nothing = Finding("adopt", "advisory", "", "no declared app moves")
    asked = replace(plan(), findings=(nothing,))
    for it, findings in ((row, ()), (replace(row, managed_by="others"), (nothing,))):
        made = owned(asked, fleet(PROFILE), {ALICE: it}, watched=[ALICE], from_fleet="old")
        assert made.findings == findings, "that nothing moves is not said where a profile does"


def test_whose_nobody_can_read_is_not_moved_and_named() -> None:
    made = moving(seen(ALICE, settings={}, unread_because="denied"))
    assert made.owners == ()
    assert any("its tags could not be read (denied)" in one.message for one in made.findings)
    assert {one.enforcement for one in made.findings} == {"skip"}
