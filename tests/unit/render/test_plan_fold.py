"""Long plans are folded by shape; what a reader may lose is always shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from engine.core.change import Action, Change, Reason
from engine.core.limits import SHAPES_SHOWN_MAX_COUNT, UNFOLDED_MAX_COUNT
from engine.core.plan import Plan
from engine.render.plan_fold import Alike, alike
from engine.render.plan_markdown import plan_markdown
from engine.render.plan_text import plan_text
from tests.fleets import a_row, an_app, key_of


def changes_of(count: int, *, team: str = "vision", kind: str = "ml.t3.medium") -> list[Change]:
    keys = [f"research/space/p{number:03}-{kind[3:5]}/JupyterLab/default" for number in range(count)]
    return [Change(key_of(key), Action.CREATE, Reason.ABSENT, after=an_app(key, kind, team=team)) for key in keys]


def plan_with(changes: list[Change]) -> Plan:
    return Plan("ml-platform", "2026-11-24T01:00:00Z", tuple(sorted(changes, key=lambda change: change.key)))


def test_a_long_plan_tells_what_is_alike_together() -> None:
    text = plan_text(plan_with(changes_of(UNFOLDED_MAX_COUNT + 1)), width=80)
    assert "  team vision\n      + 101 x JupyterLab/default  ml.t3.medium  missing\n" in text
    assert "spaces p000-t3, p001-t3, p002-t3, p003-t3, p004-t3 and 96 more" in text
    assert "--all shows the key of each of them" in text


def test_what_is_made_in_many_domains_is_shown_by_shape() -> None:
    def change(number: int, kind: str) -> Change:
        key = f"d{number:02}/space/lab/JupyterLab/default"
        return Change(key_of(key), Action.CREATE, Reason.ABSENT, after=an_app(key, kind))

    count = UNFOLDED_MAX_COUNT + SHAPES_SHOWN_MAX_COUNT
    kinds = [f"ml.m{number}.large" for number in range(SHAPES_SHOWN_MAX_COUNT + 1)]
    changes = [change(place, kinds[place] if place < len(kinds) else "ml.t3.medium") for place in range(count)]
    lines = plan_text(plan_with(changes)).splitlines()
    head = lines.index("To be created or adopted:")
    assert lines[head + 1] == f"  {count - len(kinds)} x JupyterLab/default  ml.t3.medium  missing"
    assert lines[head + 1 + SHAPES_SHOWN_MAX_COUNT] == "  and 2 more shapes"
    assert "To be created or adopted:" not in plan_text(plan_with(changes), unfold=True)
    assert "99 x JupyterLab/default" in plan_markdown(plan_with(changes))


def test_a_short_plan_and_an_unfolded_one_show_every_app() -> None:
    short = plan_text(plan_with(changes_of(UNFOLDED_MAX_COUNT)))
    long = plan_text(plan_with(changes_of(UNFOLDED_MAX_COUNT + 1)), unfold=True)
    assert short.count("space/p") == UNFOLDED_MAX_COUNT
    assert long.count("space/p") == UNFOLDED_MAX_COUNT + 1
    assert "--all" not in short + long


def test_apps_that_end_on_other_days_are_not_alike() -> None:
    some = changes_of(8)
    ends = [date(2026, 12, 30), date(2026, 12, 31)]
    dated = [
        replace(change, after=replace(change.after, expires=ends[place % 2])) if change.after is not None else change
        for place, change in enumerate(some)
    ]
    assert [one.text for one in alike(dated) if isinstance(one, Alike)] == [
        f"4 x JupyterLab/default  ml.t3.medium  missing  until {day}" for day in ends
    ]


def test_shapes_and_groups_are_told_apart() -> None:
    changes = [
        *changes_of(90),
        *changes_of(20, kind="ml.m5.large", team="research"),
        *changes_of(3, kind="ml.c5.large"),
    ]
    text = plan_text(plan_with(changes), width=100)
    assert "90 x JupyterLab/default  ml.t3.medium" in text
    assert "20 x JupyterLab/default  ml.m5.large" in text
    assert text.count("space/p") == 3


@pytest.mark.parametrize("action", [Action.DELETE, Action.DELETE_THEN_CREATE])
def test_what_is_destroyed_is_never_folded(action: Action) -> None:
    changes = [
        replace(change, action=action, before=a_row(str(change.key))) for change in changes_of(UNFOLDED_MAX_COUNT + 1)
    ]
    assert plan_text(plan_with(changes)).count("space/p") == UNFOLDED_MAX_COUNT + 1
    assert not any(isinstance(item, Alike) for item in alike(changes))


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_fold_fits_the_terminal(width: int) -> None:
    text = plan_text(plan_with(changes_of(5_000)), width=width)
    named = next(line for line in text.splitlines() if "spaces p" in line)
    assert len(named) <= width
    assert text.count("\n") < 15


def test_all_names_stand_there_where_they_fit_and_one_where_none_does() -> None:
    fold = Alike(tuple(changes_of(4)))
    assert fold.owners(200) == "spaces p000-t3, p001-t3, p002-t3, p003-t3"
    assert fold.owners(1) == "spaces p000-t3 and 3 more"
