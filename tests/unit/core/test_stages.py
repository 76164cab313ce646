from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.change import Action, Change, Reason
from engine.core.plan import Plan
from engine.core.stages import ordered_steps
from tests.fleets import a_row, an_app

if TYPE_CHECKING:
    from engine.core.desired import DesiredApp


def _create(team: str, owner: str) -> Change:
    app = an_app(f"research/user/{owner}/Canvas/default", team=team)
    return Change(app.key, Action.CREATE, Reason.ABSENT, after=app)


def _plan(*changes: Change) -> Plan:
    return Plan("ml-platform", "2026-11-24T01:00:00Z", tuple(sorted(changes, key=lambda change: change.key)))


def _owners(plan: Plan, weight: dict[str, float] | None = None) -> list[str]:
    def weigh(app: DesiredApp) -> float:
        return (weight or {}).get(app.team, 0.0)

    return [step.change.key.owner for step in ordered_steps(plan, weigh)]


def test_equal_weights_are_served_round_robin_by_team() -> None:
    big = [_create("big", f"b{number}") for number in range(4)]
    assert _owners(_plan(*big, _create("small", "s0"), _create("small", "s1"))) == ["b0", "s0", "b1", "s1", "b2", "b3"]


def test_the_heavier_weight_goes_first_within_and_across_teams() -> None:
    plan = _plan(_create("a", "a0"), _create("a", "a1"), _create("b", "b0"), _create("b", "b1"))
    assert _owners(plan, {"b": 10.0}) == ["b0", "b1", "a0", "a1"]


def test_deletes_go_first_then_replaces_then_creates_whatever_their_weight() -> None:
    replaced = an_app("research/user/zoe/Canvas/default", team="heavy")
    row = a_row("research/user/yan/Canvas/default")
    plan = _plan(
        _create("heavy", "alice"),
        Change(replaced.key, Action.DELETE_THEN_CREATE, Reason.DRIFT, after=replaced),
        Change(row.key, Action.DELETE, Reason.NOT_DECLARED, before=row),
    )
    steps = ordered_steps(plan, lambda _: 5.0)
    assert [step.change.action for step in steps] == [Action.DELETE, Action.DELETE_THEN_CREATE, Action.CREATE]
    assert [step.rank for step in steps] == [0, 1, 2]


def test_a_change_without_a_desired_app_still_has_a_place() -> None:
    plan = _plan(Change(an_app().key, Action.CREATE, Reason.ABSENT), _create("a", "alice"))
    assert len(ordered_steps(plan)) == 2


def test_what_is_not_done_has_no_step() -> None:
    app = an_app()
    assert ordered_steps(_plan(Change(app.key, Action.NONE, Reason.IN_SYNC, after=app))) == ()
