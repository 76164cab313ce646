"""A run taken back: which owners go, which stay with what reason, and which fields are put back."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.change import Action, OwnerReason
from engine.core.facts import Facts, Unknown
from engine.core.identity import SPACE, USER, Owner
from engine.core.limits import CLOCK_SKEW_MAX_SECONDS
from engine.core.observed import ObservedOwner, Ownership
from engine.core.owner_settings import differences, settings_to_send
from engine.core.plan import Plan
from engine.core.undoing import RunOwners, Span, Updated, with_owners_undone
from tests.fleets import observe

ALICE, LAB = Owner("research", USER, "alice"), Owner("research", SPACE, "alice-lab")
MADE_AT = 10_000.0
MADE = {ALICE: Span(MADE_AT, MADE_AT + 5), LAB: Span(MADE_AT, MADE_AT + 5)}
EMPTY = Plan("ml", "2026-11-24T00:00:00Z", ())
PART = "JupyterLabAppSettings"


def seen(owner: Owner, created_at: float = MADE_AT, **more: Any) -> ObservedOwner:
    usual: dict[str, Any] = {"status": "InService", "created_at": created_at, "ownership": Ownership.OURS}
    of_kind = {"owner_user": "alice", "app_type": "JupyterLab"} if owner.kind == SPACE else {}
    return ObservedOwner(owner, **{**usual, **of_kind, **more})


def undone(*rows: ObservedOwner, again: frozenset[Owner] = frozenset()) -> Plan:
    done = RunOwners("r1", MADE_AT + 20, MADE, again)
    return with_owners_undone(EMPTY, done, Facts(observe(), residents={"research": {row.owner: row for row in rows}}))


def restored(before: dict[str, Any], after: dict[str, Any], row: ObservedOwner | Unknown | None) -> Plan:
    owner = row.owner if isinstance(row, ObservedOwner) else LAB
    done = RunOwners("r1", MADE_AT, {}, frozenset(), {owner: Updated(before, after)})
    return with_owners_undone(EMPTY, done, Facts(observe(), owners={owner: row}))


def space(settings: dict[str, Any], **more: Any) -> ObservedOwner:
    return seen(LAB, settings=settings, **more)


def idle(minutes: int) -> dict[str, Any]:
    return {PART: {"AppLifecycleManagement": {"IdleSettings": {"IdleTimeoutInMinutes": minutes}}}}


def told(plan: Plan) -> list[str]:
    return [finding.message for finding in plan.findings]


def test_what_the_run_made_goes() -> None:
    made = undone(seen(ALICE), seen(LAB))
    assert [(one.owner, one.action, one.reason) for one in made.owners] == [
        (ALICE, Action.DELETE, OwnerReason.UNDONE),
        (LAB, Action.DELETE, OwnerReason.UNDONE),
    ]
    assert made.findings == ()


@pytest.mark.parametrize("created_at", [MADE_AT - CLOCK_SKEW_MAX_SECONDS - 1, MADE_AT + CLOCK_SKEW_MAX_SECONDS + 6])
def test_another_generation_stays_and_what_holds_it_too(created_at: float) -> None:
    made = undone(seen(ALICE), seen(LAB, created_at))
    assert made.owners == ()
    assert [(finding.rule, finding.key) for finding in made.findings] == [
        ("offboard", str(ALICE)),
        ("undo", str(LAB)),
    ]
    assert made.findings[1].message == "space alice-lab is not deleted: the one there was not made by run r1"


def test_what_a_later_run_made_again_stays() -> None:
    made = undone(seen(ALICE), again=frozenset({ALICE}))
    assert made.owners == ()
    assert told(made) == ["user profile alice is not deleted: the one there was not made by run r1"]


def test_what_is_gone_or_going_is_not_named() -> None:
    made = undone(seen(ALICE, status="Deleting"), again=frozenset({ALICE, LAB}))
    assert (made.owners, made.findings) == ((), ())


def test_what_the_run_made_in_a_domain_that_is_not_declared_any_more_is_named() -> None:
    made = with_owners_undone(EMPTY, RunOwners("r1", MADE_AT, {ALICE: MADE[ALICE]}), Facts(observe()))
    assert told(made) == ["user profile alice is not deleted: its domain is no longer in the fleet"]
    assert made.findings[0].rule == "offboard"


# Updates.


def test_a_field_is_put_back_beside_what_is_there_and_the_update_then_has_nothing_left_to_do() -> None:
    row = space({**idle(90), "SpaceManagedResources": "DISABLED"})
    made = restored({"idle_minutes": 60}, {"idle_minutes": 90}, row)
    (change,) = made.owners
    assert (change.owner, change.action, change.reason) == (LAB, Action.UPDATE, OwnerReason.UNDONE)
    assert [tuple(one) for one in change.differs] == [("idle_minutes", 60, 90)]
    assert change.after is not None
    assert settings_to_send(change.after, row) == idle(60)
    assert differences(change.after, space(idle(60))) == ()
    assert made.findings == ()


def test_a_role_and_a_default_are_put_back() -> None:
    profile = seen(ALICE, settings={"ExecutionRole": "b"})
    (change,) = restored({"execution_role": "a"}, {"execution_role": "b"}, profile).owners
    assert change.after is not None
    assert settings_to_send(change.after, profile) == {"ExecutionRole": "a"}
    row = space({PART: {"DefaultResourceSpec": {"InstanceType": "ml.m5.large"}}})
    made = restored({"default.instance_type": "ml.t3.medium"}, {"default.instance_type": "ml.m5.large"}, row)
    assert [tuple(one) for one in made.owners[0].differs] == [("default.instance_type", "ml.t3.medium", "ml.m5.large")]


@pytest.mark.parametrize(
    ("field", "set_to", "sent"),
    [
        ("default.lifecycle_config_arn", "arn:lcc", "None"),
        ("default.training_plan_arn", "arn:plan", "None"),
        ("settings.SecurityGroups", ["sg-1"], []),
    ],
)
def test_what_was_unset_is_unset_again_where_a_call_does_that(field: str, set_to: Any, sent: Any) -> None:
    settings = {
        PART: {"DefaultResourceSpec": {"LifecycleConfigArn": "arn:lcc", "TrainingPlanArn": "arn:plan"}},
        "SecurityGroups": ["sg-1"],
    }
    (change,) = restored({field: None}, {field: set_to}, space(settings)).owners
    assert [tuple(one) for one in change.differs] == [(field, sent, set_to)]


def test_that_an_update_had_failed_before_the_run_is_nothing_to_put_back() -> None:
    made = restored({"status": "Update_Failed"}, {"status": "InService"}, space(idle(90)))
    assert (made.owners, made.findings) == ((), ())


@pytest.mark.parametrize("now", [{}, {"SecurityGroups": []}, {"SecurityGroups": None}])
def test_what_is_unset_already_is_left_in_silence(now: dict[str, Any]) -> None:
    made = restored({"settings.SecurityGroups": None}, {"settings.SecurityGroups": ["sg-1"]}, space(now))
    assert (made.owners, made.findings) == ((), ())


@pytest.mark.parametrize(
    ("before", "after", "now", "why"),
    [
        (
            {"idle_minutes": None},
            {"idle_minutes": 90},
            idle(90),
            "idle_minutes is 90 and was unset: no call can unset it",
        ),
        (
            {"idle_minutes": 60},
            {"idle_minutes": 90},
            idle(120),
            "idle_minutes is 120 and was 60: it was changed since the run, which set 90",
        ),
        (
            {"idle_minutes": 60},
            {},
            idle(90),
            "idle_minutes is 90 and was 60: the journal does not say what the run set",
        ),
        (
            {"ebs_gb": 10},
            {"ebs_gb": 20},
            {"SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 20}}},
            "ebs_gb is 20 and was 10: a volume never shrinks",
        ),
        (
            {"settings.Images": [{"A": 1}]},
            {"settings.Images": [{"A": 1, "B": 2}]},
            {"Images": [{"A": 1, "B": 2}]},
            "settings.Images is [{'A': 1, 'B': 2}] and was [{'A': 1}]: what is set now contains all of that",
        ),
        ({"colour": 1}, {"colour": 2}, {}, "appfleet does not know where colour is set"),
    ],
)
def test_a_field_that_stays_is_named_with_its_reason(
    before: dict[str, Any], after: dict[str, Any], now: dict[str, Any], why: str
) -> None:
    made = restored(before, after, space(now))
    assert made.owners == ()
    assert told(made) == [f"not put back: {why}"]
    assert made.findings[0].rule == "undo"


def test_a_field_that_the_run_set_to_nothing_much_is_not_taken_for_unset() -> None:
    made = restored({"settings.Size": None}, {"settings.Size": 0}, space({"Size": 0}))
    assert told(made) == ["not put back: settings.Size is 0 and was unset: no call can unset it"]


@pytest.mark.parametrize(
    ("row", "rule", "why"),
    [
        (Unknown("it could not be looked at"), "restore", "it could not be looked at"),
        (space(idle(90), ownership=Ownership.NOBODY), "restore", "it has no tag appfleet:managed-by"),
        (space(idle(90), created_at=MADE_AT + CLOCK_SKEW_MAX_SECONDS + 1), "undo", "it was made again after run r1"),
    ],
)
def test_an_owner_that_stays_as_it_is_is_named(row: ObservedOwner | Unknown, rule: str, why: str) -> None:
    made = restored({"idle_minutes": 60}, {"idle_minutes": 90}, row)
    assert made.owners == ()
    assert [(finding.rule, finding.key) for finding in made.findings] == [(rule, str(LAB))]
    assert why in made.findings[0].message


@pytest.mark.parametrize("row", [None, space(idle(90), status="Deleting")])
def test_nothing_is_put_back_of_an_owner_that_is_gone(row: ObservedOwner | None) -> None:
    made = restored({"idle_minutes": 60}, {"idle_minutes": 90}, row)
    assert (made.owners, made.findings) == ((), ())


def test_what_was_updated_in_a_domain_that_is_not_declared_any_more_is_named() -> None:
    done = RunOwners("r1", MADE_AT, {}, frozenset(), {LAB: Updated({}, {})})
    assert told(with_owners_undone(EMPTY, done, Facts(observe()))) == [
        "not put back: its domain is no longer in the fleet"
    ]


def test_an_owner_that_goes_is_not_updated_first() -> None:
    done = RunOwners("r1", MADE_AT, {LAB: MADE[LAB]}, frozenset(), {LAB: Updated({"idle_minutes": 60}, {})})
    row = space(idle(90))
    facts = Facts(observe(), residents={"research": {LAB: row}}, owners={LAB: row})
    made = with_owners_undone(EMPTY, done, facts)
    assert [change.action for change in made.owners] == [Action.DELETE]
    assert made.findings == ()
