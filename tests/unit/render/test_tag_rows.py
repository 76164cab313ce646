"""The tags of what is made: those that the same apps have are one row, and a plan with many is still short."""

from __future__ import annotations

from dataclasses import replace

from engine.core.change import Action, Change, Reason
from engine.core.limits import TAG_ROWS_SHOWN_MAX_COUNT, TAG_VALUES_SHOWN_MAX_COUNT
from engine.render.plan_markdown import plan_markdown
from engine.render.plan_text import plan_text
from engine.render.tag_rows import tag_rows
from tests.fleets import an_app, key_of
from tests.tables import unpadded
from tests.unit.render.samples import HOSTILE, a_plan


def made(number: int, action: Action = Action.CREATE, /, **tags: str) -> Change:
    key = f"research/space/lab-{number:03}/JupyterLab/default"
    app = an_app(key)
    app = replace(app, spec=replace(app.spec, tags=tuple(sorted(tags.items()))))
    return Change(key_of(key), action, Reason.ABSENT, None, app)


def test_tags_that_the_same_apps_have_are_one_row_those_of_most_apps_first() -> None:
    changes = [
        made(1, cost="4711", by="ml", team="vision"),
        made(2, cost="4711", by="ml", team="vision", use="demo"),
        made(3, cost="4711", by="ml", team="platform"),
        made(4, Action.DELETE, cost="4711", gone="yes"),
    ]
    rows = [
        ("3 apps", "by=ml, cost=4711"),
        ("2 apps", "team=vision"),
        ("1 app", "team=platform"),
        ("1 app", "use=demo"),
    ]
    assert tag_rows(changes) == rows
    plan = a_plan(decisions=tuple(changes))
    assert "\n\nTags:\n  3 apps  by=ml, cost=4711\n  2 apps  team=vision\n" in plan_text(plan)
    assert "| 3 apps | `by=ml, cost=4711` |" in unpadded(plan_markdown(plan))


def test_all_shows_the_tags_of_each_app_and_no_sum_of_them() -> None:
    text = plan_text(a_plan(decisions=(made(1, cost="4711", team="vision"),)), unfold=True)
    assert "missing; tags cost=4711, team=vision\n" in text
    assert "Tags:" not in text


def test_a_key_with_many_values_is_counted_and_many_rows_are_cut_and_said_so() -> None:
    people = [made(number, owner=f"p{number}") for number in range(TAG_VALUES_SHOWN_MAX_COUNT + 1)]
    assert tag_rows(people) == [(f"{len(people)} apps", f"owner=({len(people)} values, such as p0)")]
    many = [made(number, **{f"key-{number:02}": "x"}) for number in range(TAG_ROWS_SHOWN_MAX_COUNT + 3)]
    assert tag_rows(many)[-1] == ("and", "3 more. --all shows the tags of each app")


def test_nothing_made_has_no_rows_and_a_hostile_tag_is_cleaned() -> None:
    assert tag_rows([made(1, Action.DELETE, a="b"), made(2)]) == []
    ((_, text),) = tag_rows([made(1, **{HOSTILE: HOSTILE})])
    assert "\x1b" not in text
