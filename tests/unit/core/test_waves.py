"""Replaces in waves: who goes first, who waits, and what a plan reports of people at work."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.core.activity import Activity
from engine.core.change import Action, Change, Reason
from engine.core.plan import Plan
from engine.core.settings import Safety
from engine.core.waves import in_wave, with_activity_reported
from tests.fleets import a_row, an_app, key_of, options

if TYPE_CHECKING:
    from engine.core.plan_options import PlanOptions

NOW = options().now
HOUR = 3_600.0
IDLE, UNKNOWN, ACTIVE = Activity(NOW - 2 * HOUR, NOW - 60), Activity(NOW - 60, NOW - 60), Activity(NOW - 5, NOW - 60)


def key(number: int) -> str:
    return f"research/space/s{number:02}/JupyterLab/default"


def a_replace(number: int, created_at: float = 1_000.0, activity: Activity = UNKNOWN, reason: str = "drift") -> Change:
    row = replace(a_row(key(number), created_at=created_at), activity=activity)
    return Change(
        row.key, Action.DELETE_THEN_CREATE, Reason(reason), row, an_app(key(number), "ml.g5.xlarge"), ("instance_type",)
    )


def asked(replace_wave: int = 2, spare_active: float = 0.0, half: tuple[int, ...] = (), **more: Any) -> PlanOptions:
    made = options(**more)
    safety = Safety(replace_wave=replace_wave, spare_active=spare_active)
    return replace(made, safety=safety, half_replaced=frozenset(key_of(key(one)) for one in half))


def a_plan(*changes: Change) -> Plan:
    return Plan("f", "2026-11-24T01:00:00Z", tuple(sorted(changes, key=lambda change: change.key)))


def going(plan: Plan) -> list[str]:
    return [str(change.key) for change in plan.changes]


def test_a_plan_whose_replaces_fit_one_wave_stays_as_it_is() -> None:
    plan = a_plan(a_replace(1), a_replace(2))
    assert in_wave(plan, asked()) is plan
    assert with_activity_reported(plan, asked()) is plan


def test_the_oldest_go_first_and_the_others_wait_with_a_finding_that_counts_the_waves() -> None:
    plan = in_wave(a_plan(*(a_replace(one, 1_000.0 - one) for one in range(1, 6))), asked())
    assert going(plan) == [key(4), key(5)]
    waiting = [change for change in plan.decisions if change.reason is Reason.NEXT_WAVE]
    assert [str(change.key) for change in waiting] == [key(1), key(2), key(3)]
    assert all(change.action is Action.NONE and change.differs for change in waiting)
    (finding,) = plan.findings
    assert (finding.rule, finding.enforcement, finding.key) == ("replace_wave", "advisory", "")
    assert finding.message == (f"wave 1 of 3: 2 of 5 replaces; 3 apps for the next runs: {key(1)}, {key(2)}, {key(3)}")


def test_idle_apps_go_first_then_the_unknown_and_apps_in_use_last() -> None:
    changes = (a_replace(1, 1.0, ACTIVE), a_replace(2, 2.0), a_replace(3, 3.0, IDLE), a_replace(4, 4.0, IDLE))
    assert going(in_wave(a_plan(*changes), asked(spare_active=HOUR))) == [key(3), key(4)]
    assert going(in_wave(a_plan(*changes), asked(3, spare_active=HOUR))) == [key(2), key(3), key(4)]


def test_without_spare_active_nobodys_activity_decides_so_a_plan_is_the_same_a_minute_later() -> None:
    changes = (a_replace(1, 1.0, ACTIVE), a_replace(2, 2.0, IDLE), a_replace(3, 3.0, IDLE))
    assert going(in_wave(a_plan(*changes), asked())) == [key(1), key(2)]


def test_what_an_earlier_run_deleted_and_is_not_in_service_again_has_its_place_in_the_wave() -> None:
    gone = Change(key_of(key(9)), Action.CREATE, Reason.ABSENT, None, an_app(key(9)))
    failed = Change(key_of(key(8)), Action.NONE, Reason.QUARANTINED, a_row(key(8), "Failed"), an_app(key(8)))
    replaces = [a_replace(one, float(one)) for one in (1, 2, 3)]
    plan = in_wave(a_plan(gone, *replaces), asked(half=(9,)))
    assert going(plan) == [key(1), key(9)]
    assert plan.findings[0].message.startswith(
        "wave 1 of 2: 1 of 3 replaces (1 place of [safety].replace_wave = 2 taken by apps that an earlier run deleted "
        "and that are not in service again); 2 apps for the next runs: "
    )
    closed = Change(key_of(key(7)), Action.NONE, Reason.OUTSIDE_HOURS, None, an_app(key(7)))
    assert len(going(in_wave(a_plan(closed, *replaces), asked(half=(7,))))) == 2, "its hours are over: it is not down"
    full = in_wave(a_plan(gone, failed, *replaces), asked(half=(8, 9)))
    assert going(full) == [key(9)]
    assert full.findings[0].message.startswith("none of 3 replaces now (2 places of [safety].replace_wave = 2 taken by")
    more = in_wave(a_plan(gone, failed, *replaces), asked(1, half=(8, 9)))
    assert going(more) == [key(9)]


def test_a_replace_whose_delete_may_be_under_way_goes_first() -> None:
    """An earlier run lost the answer of its delete, and the app is in service: it may still go."""
    plan = in_wave(a_plan(*(a_replace(one, float(one)) for one in (1, 2, 3))), asked(1, half=(3,)))
    assert going(plan) == [key(3)]


def test_with_replace_key_the_wave_is_those_keys() -> None:
    named = [a_replace(one, reason="forced") for one in (1, 2, 3)]
    plan = in_wave(a_plan(*named, a_replace(4)), asked(1, replace_keys=frozenset(change.key for change in named)))
    assert going(plan) == [key(1), key(2), key(3)]
    assert plan.findings[0].message == (
        "with --replace KEY only the named apps are replaced (3); 1 other app that should be replaced for the next "
        f"runs: {key(4)}"
    )


def test_of_an_approved_plan_no_other_app_takes_the_place_of_one_that_needs_no_replace_any_more() -> None:
    approved = replace(asked(), wave=frozenset({key_of(key(1)), key_of(key(2))}))
    plan = in_wave(a_plan(*(a_replace(one, float(one)) for one in (0, 2, 3))), approved)
    assert going(plan) == [key(2)]


def test_a_plan_counts_whom_it_would_spare_and_of_whom_nothing_is_known() -> None:
    gone = Change(key_of(key(5)), Action.DELETE, Reason.NOT_DECLARED, replace(a_row(key(5)), activity=ACTIVE))
    unseen = Change(key_of(key(6)), Action.DELETE, Reason.NOT_DECLARED)
    kept = replace(a_replace(7, activity=ACTIVE), action=Action.NONE)
    plan = a_plan(a_replace(1, activity=IDLE), a_replace(2), a_replace(3, activity=ACTIVE), gone, unseen, kept)
    made = with_activity_reported(plan, asked(spare_active=HOUR))
    assert made.fingerprint == plan.fingerprint
    assert [finding.rule for finding in made.findings] == ["spare_active", "spare_active"]
    active, unknown = (finding.message for finding in made.findings)
    assert active.startswith(
        f"a user was active in the last 1h in 2 apps to be deleted or replaced: {key(3)}, {key(5)}. "
    )
    assert unknown.startswith(
        "not known whether a user was active in the last 1h in 2 apps to be deleted or replaced, so not spared: "
        f"{key(2)}, {key(6)}. "
    )
    idle = a_plan(a_replace(1, activity=IDLE))
    assert with_activity_reported(idle, asked(spare_active=HOUR)) is idle
