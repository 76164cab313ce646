"""User profiles and spaces wherever people read of them: status, explain, the plan's last line, a dry run, a result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.cli.ask import question
from engine.core.change import Action, Change, OwnerChange, OwnerReason, Reason
from engine.core.explain import Explanation
from engine.core.finding import Finding
from engine.core.identity import SPACE, USER, Owner
from engine.core.outcome import Outcome, OwnerResult
from engine.core.owner_settings import Difference
from engine.core.owner_status import OwnerCondition, OwnerLine, OwnersView
from engine.core.text import is_safe
from engine.core.trouble import Trouble
from engine.render.explain_text import explain_text
from engine.render.layout import Paint
from engine.render.owner_status_text import OWNER_WORDS, owners_block
from engine.render.owners_text import owner_result_lines
from engine.render.plan_markdown import plan_markdown
from engine.render.plan_text import plan_text
from engine.render.report.text import report_text, result_line
from engine.render.status_markdown import status_markdown
from engine.render.status_text import status_text
from engine.render.steps_text import steps_text
from tests.fleets import LAB, a_row, an_app, key_of
from tests.unit.render.samples import HOSTILE, a_plan, a_report, a_status
from tests.unit.render.test_widths import WIDTHS, whole

if TYPE_CHECKING:
    from engine.core.plan import Plan

IDLE = Difference("idle_minutes", 90, None)
FAILED = Difference("status", "InService", "Update_Failed")
SMALLER = Difference("ebs_gb", 5, 10)
BY_HAND = "set [owners] update = true in a policy, or change the settings by hand"


def a_space(name: str) -> Owner:
    return Owner("research", SPACE, name)


ALICE = Owner("research", USER, "alice")
ROWS = (
    OwnerLine(ALICE, OwnerCondition.AS_DECLARED, "InService"),
    OwnerLine(a_space("u000-lab"), OwnerCondition.DIFFERS, "InService", differs=(IDLE,), hint=BY_HAND),
    OwnerLine(a_space("u001-lab"), OwnerCondition.DIFFERS, "InService", differs=(IDLE,), hint=BY_HAND),
    OwnerLine(a_space("u002-lab"), OwnerCondition.MISSING, hint="create by hand"),
    OwnerLine(a_space("u003-lab"), OwnerCondition.FAILED, "Update_Failed", differs=(IDLE, FAILED), why="no such role"),
    OwnerLine(a_space("u004-lab"), OwnerCondition.ANOTHERS, "InService", why="belongs to mallory"),
    OwnerLine(a_space("u005-lab"), OwnerCondition.CHANGING, "Updating"),
)  # fmt: skip
VIEW = OwnersView(ROWS)


def update_of(owner: Owner, action: Action = Action.UPDATE, *differs: Difference) -> OwnerChange:
    return OwnerChange(owner, action, OwnerReason.OWNER_DRIFT, differs=differs or (IDLE,))


def test_a_status_counts_owners_and_groups_those_that_need_attention_by_what_is_amiss() -> None:
    assert owners_block(VIEW, Paint(on=False), 200, every=False).splitlines() == [
        "User profiles and spaces: 1 as declared, 1 being changed, 2 differ, 1 missing, 1 somebody else's, 1 failed",
        "  Failed (1)",
        "    1 space in domain research: Update_Failed, idle_minutes unset → 90 (no such role): u003-lab",
        "  Somebody else's (1)",
        "    1 space in domain research: belongs to mallory: u004-lab",
        "  Missing (1): create by hand",
        "    1 space in domain research: u002-lab",
        f"  Differ (2): {BY_HAND}",
        "    2 spaces in domain research: idle_minutes unset → 90: u000-lab, u001-lab",
        "  Being changed (1)",
        "    1 space in domain research: Updating: u005-lab",
    ]
    view = replace(a_status(), owners=VIEW)
    assert "6 of 7 user profiles and spaces need attention." in status_text(view).splitlines()[-1]
    assert "User profiles and spaces" not in status_text(a_status())


def test_a_status_in_which_all_is_well_says_so_and_one_is_one() -> None:
    well = replace(a_status(a_plan(decisions=())), owners=OwnersView(ROWS[:1]))
    assert "User profiles and spaces: 1 as declared" in status_text(well)
    assert status_text(well).endswith("all is well.\n")
    one = replace(well, owners=OwnersView(ROWS[:2]))
    assert status_text(one).endswith("1 of 2 user profiles and spaces needs attention.\n")
    none = replace(well, owners=OwnersView(()))
    assert "the fleet declares none of those selected" in status_text(none)


def test_many_owners_that_differ_otherwise_are_cut_and_counted_unless_all_is_asked_for() -> None:
    rows = tuple(
        OwnerLine(a_space(f"lab-{n:02}"), OwnerCondition.DIFFERS, differs=(Difference("idle_minutes", n, None),))
        for n in range(12)
    )
    view = OwnersView(rows)
    assert "    and 2 more: --all names them" in owners_block(view, Paint(on=False), 200, every=False)
    assert "lab-11" in owners_block(view, Paint(on=False), 200, every=True)
    alike = OwnersView(tuple(OwnerLine(a_space(f"lab-{n}"), OwnerCondition.MISSING) for n in range(9)))
    assert "lab-0, lab-1, lab-2, lab-3, lab-4 and 4 more" in owners_block(alike, Paint(on=False), 200, every=False)
    assert "lab-8" in owners_block(alike, Paint(on=False), 200, every=True)


@pytest.mark.parametrize("width", WIDTHS)
def test_owners_of_a_status_fit(width: int) -> None:
    view = replace(a_status(), owners=VIEW)
    whole(status_text(view, width=width), width)
    hostile = OwnersView((OwnerLine(Owner(HOSTILE, SPACE, HOSTILE), OwnerCondition.FAILED, HOSTILE, why=HOSTILE),))
    shown = status_text(replace(a_status(), owners=hostile), width=width)
    assert all(is_safe(line) for line in shown.splitlines())


def test_a_status_as_markdown_has_a_table_for_each_kind() -> None:
    text = status_markdown(replace(a_status(), owners=VIEW))
    assert "**User profiles and spaces**: 1 as declared, 1 being changed, 2 differ, 1 missing" in text
    assert "**Missing (1): create by hand**" in text
    assert "`u000-lab, u001-lab`" in text


def test_every_condition_of_an_owner_has_words() -> None:
    assert set(OWNER_WORDS) == set(OwnerCondition)


def explained(row: OwnerLine | None, action: Action = Action.NONE) -> str:
    change = Change(key_of(LAB), action, Reason.IN_SYNC, a_row(LAB), an_app(LAB))
    return explain_text(Explanation(key_of(LAB), an_app(LAB), (), (), 0.0, (), change, owner=row))


def test_explain_puts_declared_beside_observed_and_says_what_the_next_run_does() -> None:
    row = OwnerLine(a_space("alice-lab"), OwnerCondition.DIFFERS, "InService", Action.UPDATE, (SMALLER, IDLE))
    text = explained(row, Action.CREATE)
    assert "Space alice-lab: differs (InService)\n" in text
    assert "  ebs_gb        declared 5   observed 10     no API call changes it\n" in text
    assert "  idle_minutes  declared 90  observed unset\n" in text
    assert "  The next run updates it before it creates the app.\n" in text
    assert "  A run with --owners updates it, and so does the next one that compares all of them." in explained(row)
    assert "Space alice-lab" not in explained(None)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (OwnerLine(ALICE, OwnerCondition.AS_DECLARED, "InService"), "User profile alice: as declared (InService)\n\n"),
        (OwnerLine(ALICE, OwnerCondition.MISSING, action=Action.CREATE), "The next run creates it before the app."),
        (OwnerLine(ALICE, OwnerCondition.MISSING, hint="create by hand"), "What to do: create by hand."),
        (OwnerLine(ALICE, OwnerCondition.DIFFERS, differs=(IDLE,), hint=BY_HAND),
         f"appfleet reports it and does not update it: {BY_HAND}."),
        (OwnerLine(ALICE, OwnerCondition.DIFFERS, differs=(SMALLER,), hint="delete it"),
         "appfleet cannot change it: delete it."),
        (OwnerLine(ALICE, OwnerCondition.FAILED, "Failed", why="no role"),
         "User profile alice: failed (Failed): no role"),
    ],
)  # fmt: skip
def test_explain_says_what_happens_to_an_owner_in_any_condition(row: OwnerLine, said: str) -> None:
    assert said in explained(row)


def drifted(*findings: Finding, **more: object) -> Plan:
    stays = (update_of(a_space("alice-lab"), Action.NONE), update_of(a_space("bob-lab"), Action.NONE))
    return a_plan(decisions=(), owner_drift=stays, findings=findings, **more)


def test_a_plan_that_only_reports_owners_does_not_say_that_nothing_is_to_be_done() -> None:
    said = (
        "Nothing to apply, but 2 spaces differ. To update, set [owners] update = true in a policy, or change the "
        "settings by hand."
    )
    for text in (plan_text(drifted()), plan_text(drifted(complete=False))):
        assert said in text.splitlines()
    assert "Nothing to do." not in plan_text(drifted())
    assert "Nothing to apply, but 2 spaces differ" in plan_markdown(drifted())
    why = [Finding("owners", "advisory", f"research/space/{name}-lab", "no tag") for name in ("alice", "bob")]
    held = plan_text(drifted(*why))
    assert "Nothing to apply, but 2 spaces differ and cannot be updated: see the findings." in held


def test_the_summary_and_the_question_name_updates() -> None:
    plan = a_plan(decisions=(), owners=(update_of(a_space("a")), update_of(a_space("b"))))
    assert "; 2 spaces to update." in plan_text(plan)
    assert question(plan, "yes") == "Apply these changes (2 spaces to update)? Only 'yes' is accepted: "
    assert question(a_plan(), "yes") == "Apply these changes? Only 'yes' is accepted: "


def test_a_dry_run_has_the_calls_for_owners_where_they_come() -> None:
    create = Change(key_of(LAB), Action.CREATE, Reason.ABSENT, None, an_app(LAB))
    replaced = "research/space/bob-lab/JupyterLab/default"
    gone = "research/space/cleo-lab/JupyterLab/default"
    decisions = (
        create,
        Change(key_of(replaced), Action.DELETE_THEN_CREATE, Reason.DRIFT, a_row(replaced), an_app(replaced)),
        Change(key_of(gone), Action.DELETE, Reason.EXPIRED, a_row(gone)),
    )
    owners = (
        update_of(Owner("research", USER, "zed")),
        update_of(a_space("alice-lab")),
        update_of(a_space("bob-lab")),
        update_of(a_space("cleo-lab")),
        update_of(a_space("idle-lab"), Action.NONE),
        OwnerChange(Owner("research", SPACE, "old-lab"), Action.DELETE, OwnerReason.OFFBOARDED),
        OwnerChange(Owner("research", USER, "old"), Action.DELETE, OwnerReason.OFFBOARDED),
    )
    assert steps_text(a_plan(decisions=decisions, owners=owners)).splitlines()[1:] == [
        "Dry run: 9 changes in this order; nothing was called.",
        f"  1  DeleteApp {gone}",
        "  2  UpdateSpace research/space/cleo-lab",
        f"  3  DeleteApp, then UpdateSpace, then CreateApp {replaced}",
        "  4  UpdateSpace research/space/alice-lab",
        f"  5  CreateApp {LAB}",
        "  6  UpdateUserProfile research/user/zed",
        "  7  DeleteSpace research/space/old-lab",
        "  8  DeleteUserProfile research/user/old",
    ]


OCCUPIED = Trouble(
    "AF415", "not updated while app JupyterLab/default (InService) runs in it", "The next run updates it"
)


WHY_OCCUPIED = f"{OCCUPIED.message}. {OCCUPIED.hint}"


def test_an_owner_that_stays_since_an_app_runs_in_it_is_named_in_the_result() -> None:
    one = OwnerResult(a_space("a-lab"), Action.UPDATE, Outcome.UNCHANGED, error=OCCUPIED)
    done = OwnerResult(a_space("b-lab"), Action.UPDATE, Outcome.UPDATED)
    lines = owner_result_lines([one, done])
    assert lines == [
        "1 space updated",
        "1 space unchanged",
        f"  research/space/a-lab: {OCCUPIED.message}. {OCCUPIED.hint}",
    ]
    several = [OwnerResult(a_space(f"u{n}-lab"), Action.UPDATE, Outcome.UNCHANGED, error=OCCUPIED) for n in range(9)]
    assert owner_result_lines(several) == [
        "9 spaces unchanged",
        f"  9 spaces in domain research: u0-lab, u1-lab, u2-lab, u3-lab, u4-lab and 4 more: {WHY_OCCUPIED}",
    ]
    bare = OwnerResult(a_space("c-lab"), Action.CREATE, Outcome.INTERRUPTED)
    assert owner_result_lines([bare]) == ["1 space interrupted", "  research/space/c-lab"]


def test_the_result_line_counts_owners_that_were_updated() -> None:
    done = tuple(OwnerResult(a_space(f"u{n}-lab"), Action.UPDATE, Outcome.UPDATED) for n in range(30))
    kept = OwnerResult(a_space("x-lab"), Action.UPDATE, Outcome.UNCHANGED, error=OCCUPIED)
    report = a_report(apps=(), owners=(*done, kept), seconds=3.0)
    assert result_line(report).endswith("converged; 0 of 0 apps changed, 30 spaces updated in 3.0 s.")
    assert OCCUPIED.message in report_text(report)
    failed = OwnerResult(a_space("y-lab"), Action.UPDATE, Outcome.FAILED, error=Trouble("x", "no"))
    assert "30 spaces updated" in result_line(a_report(apps=(), owners=(*done, failed)))
