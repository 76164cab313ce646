"""How declared user profiles and spaces are, one row each: what the plan does about them, why, and what helps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.change import Action
from engine.core.facts import Unknown
from engine.core.finding import Finding
from engine.core.observed import Ownership
from engine.core.owner_settings import Difference
from engine.core.owner_status import Keeping, OwnerCondition, OwnerLine, OwnersView, status_lines
from engine.core.owners import drift_notes
from tests.rounds import owned
from tests.unit.core.test_owners import ALICE, DEFAULT, LAB_SPACE, PROFILE, SPACE_OWNER, a_space, fleet, plan, seen
from tests.unit.core.test_owners import AS_DECLARED as ALL_BUT_LAB
from tests.unit.render.samples import a_status

if TYPE_CHECKING:
    from engine.core.desired import DesiredOwner
    from engine.core.observed import ObservedOwner

LAB_SETTINGS = {"AppLifecycleManagement": {"IdleSettings": {"IdleTimeoutInMinutes": 60}}, **DEFAULT}
AS_DECLARED = {**ALL_BUT_LAB, "JupyterLabAppSettings": LAB_SETTINGS}
OTHERS_IDLE = {**ALL_BUT_LAB, "JupyterLabAppSettings": DEFAULT}
GROWN = {**AS_DECLARED, "SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 40}}}
OURS: dict[str, Any] = {"ownership": Ownership.OURS}


def row_of(
    there: ObservedOwner | Unknown | None,
    declared: DesiredOwner = LAB_SPACE,
    *,
    create: bool = False,
    update: bool = False,
) -> OwnerLine:
    """Return the row of one owner that was compared."""
    known = {} if isinstance(there, Unknown) else {declared.owner: there}
    made = owned(plan(), fleet(declared), known, create=create, update=update, watched=[declared.owner])
    (row,) = status_lines([declared], {declared.owner: there}, made, Keeping(create, update))
    return row


def test_one_that_is_as_declared_needs_nothing() -> None:
    row = row_of(a_space(settings=AS_DECLARED))
    assert (row.condition, row.status, row.why, row.hint) == (OwnerCondition.AS_DECLARED, "InService", "", "")


def test_a_difference_is_reported_with_the_policy_that_updates_it_or_with_the_command() -> None:
    reported = row_of(a_space(settings=OTHERS_IDLE))
    assert (reported.condition, reported.action) == (OwnerCondition.DIFFERS, Action.NONE)
    assert reported.differs == (Difference("idle_minutes", 60, None),)
    assert reported.hint == "set [owners] update = true in a policy, or change the settings by hand"
    updated = row_of(a_space(settings=OTHERS_IDLE, **OURS), update=True)
    assert (updated.condition, updated.action) == (OwnerCondition.DIFFERS, Action.UPDATE)
    assert updated.hint == "run appfleet apply --owners to update"


def test_what_is_not_updated_says_why() -> None:
    nobodys = row_of(a_space(settings=OTHERS_IDLE, ownership=Ownership.NOBODY), update=True)
    assert (nobodys.condition, nobodys.action) == (OwnerCondition.DIFFERS, Action.NONE)
    assert nobodys.why == "not updated: it has no tag appfleet:managed-by"
    assert nobodys.hint.startswith("change it by hand, or let this fleet manage it")
    shrinks = row_of(a_space(settings=GROWN, ebs_gb=40, **OURS), update=True)
    assert shrinks.differs == (Difference("ebs_gb", 20, 40),)
    assert shrinks.hint.startswith("no API call changes this")


def test_somebody_elses_is_told_from_one_that_differs() -> None:
    strangers = row_of(a_space(settings=AS_DECLARED, owner_user="mallory"))
    assert strangers.condition is OwnerCondition.ANOTHERS
    assert strangers.why == "belongs to mallory, and the fleet declares it as alice's"
    assert strangers.hint.startswith("choose another name")
    foreign = row_of(a_space(settings=OTHERS_IDLE, ownership=Ownership.FOREIGN, managed_by="other"), update=True)
    assert foreign.condition is OwnerCondition.ANOTHERS
    assert foreign.why == "not updated: its tag appfleet:managed-by names the fleet 'other'"
    assert foreign.differs


@pytest.mark.parametrize("create", [False, True])
def test_a_missing_one_is_created_by_hand_or_by_a_run(create: bool) -> None:
    row = row_of(None, create=create)
    assert (row.condition, row.status) == (OwnerCondition.MISSING, "")
    assert row.hint == ("a run creates each before its first app" if create else
                        "create by hand, or set [owners] create = true in a policy")  # fmt: skip
    assert row.to_json()["status"] is None


@pytest.mark.parametrize("status", ["Pending", "Updating", "Deleting"])
def test_one_that_changes_is_looked_at_later(status: str) -> None:
    assert row_of(a_space(status=status)).condition is OwnerCondition.CHANGING


def test_one_that_failed_has_the_reason_of_the_service() -> None:
    failed = row_of(a_space(status="Failed", failure_reason="no subnet"))
    assert (failed.condition, failed.why) == (OwnerCondition.FAILED, "no subnet")
    assert "console" in failed.hint
    again = row_of(a_space(status="Update_Failed", failure_reason="no role", settings=OTHERS_IDLE, **OURS), update=True)
    assert (again.condition, again.why, again.action) == (OwnerCondition.FAILED, "no role", Action.UPDATE)
    assert again.hint == "run appfleet apply --owners to update"
    silent = row_of(
        a_space(status="Update_Failed", settings=OTHERS_IDLE, ownership=Ownership.NOBODY, failure_reason=""),
        update=True,
    )
    assert silent.why == "not updated: it has no tag appfleet:managed-by"


def test_one_that_could_not_be_read_says_so() -> None:
    assert row_of(Unknown("denied")).why == "denied"
    half = row_of(a_space(settings=None, unread_because="DescribeSpace is denied"))
    assert (half.condition, half.why) == (OwnerCondition.UNKNOWN, "DescribeSpace is denied")
    (unseen,) = status_lines([PROFILE], {}, plan(), Keeping())
    assert (unseen.condition, unseen.why) == (OwnerCondition.UNKNOWN, "it was not looked at")
    name_alone = replace(PROFILE, execution_role=None, sso_identity=None)
    assert row_of(seen(ALICE), name_alone).condition is OwnerCondition.AS_DECLARED


def test_rows_are_in_order_and_counted_and_the_document_has_them_all() -> None:
    there = {ALICE: None, SPACE_OWNER: a_space(settings=AS_DECLARED)}
    rows = status_lines([LAB_SPACE, PROFILE], there, plan(), Keeping())
    view = OwnersView(rows)
    assert [row.owner for row in view.rows] == [ALICE, SPACE_OWNER]
    assert view.amiss == 1
    assert view.to_json()["summary"] == {"as_declared": 1, "missing": 1}
    assert [entry["key"] for entry in view.to_json()["rows"]] == ["research/user/alice", "research/space/alice-lab"]


def test_a_status_with_owners_leaves_out_the_findings_that_its_rows_repeat() -> None:
    held = Finding("owners", "advisory", "research/space/x", "not updated")
    skipped = Finding("owners", "skip", "research/space/y", "missing; 1 app that needs it is skipped")
    view = replace(a_status(), findings=(held, skipped))
    assert "owners" not in view.to_json()
    asked = view.with_owners((row_of(None),))
    assert asked.findings == (skipped,)
    assert asked.to_json()["owners"]["summary"] == {"missing": 1}


def test_a_run_notes_what_differs_and_is_left_alone_unless_a_finding_says_why() -> None:
    reported = owned(plan(), fleet(LAB_SPACE), {SPACE_OWNER: a_space(settings=OTHERS_IDLE)}, watched=[SPACE_OWNER])
    (note,) = drift_notes(reported)
    assert note.startswith("1 space differs from the fleet file.")
    assert drift_notes(replace(reported, denied=True)) == ()
    assert drift_notes(plan()) == ()
    nobodys = a_space(settings=OTHERS_IDLE, ownership=Ownership.NOBODY)
    held = owned(plan(), fleet(LAB_SPACE), {SPACE_OWNER: nobodys}, update=True, watched=[SPACE_OWNER])
    assert held.owner_drift
    assert drift_notes(held) == ()
