"""How people read of canaries in a plan: who goes first, who waits, and how many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.canaries import Tried, with_canaries
from engine.core.planner import plan_fleet
from engine.render.outlook import CANARIES_SHOWN_MAX_COUNT, outlook_lines
from engine.render.plan_markdown import plan_markdown
from engine.render.plan_text import plan_text
from tests.fleets import LANE, a_fleet, an_app, observe, options

if TYPE_CHECKING:
    from engine.core.plan import Plan

TYPES = ("t3", "m5", "c5", "r5", "g5", "g6", "p3")


def a_plan(each: int, *families: str) -> Plan:
    apps = (
        an_app(f"research/space/{family}-{number}/JupyterLab/default", f"ml.{family}.large")
        for family in families
        for number in range(each)
    )
    plan = plan_fleet(a_fleet(*apps), observe(), options())
    return with_canaries(plan, Tried({"research": LANE}, lambda *_: None), lambda _: 0.0)[0]


def test_a_plan_names_who_goes_first_and_says_of_the_others_that_they_wait() -> None:
    text = plan_text(a_plan(3, "t3"))
    assert text.count("missing; after its canary") == 2
    said = "research/space/t3-0/JupyterLab/default goes first; 2 apps like it wait until it is in service"
    assert f"Canary: {said}" in text
    assert said in plan_markdown(a_plan(3, "t3"))


def test_of_many_canaries_those_with_most_behind_are_named() -> None:
    lines = [line for line in outlook_lines(a_plan(2, *TYPES)) if "Cost" not in line[0]]
    assert [label for label, _ in lines] == ["Canary"] * CANARIES_SHOWN_MAX_COUNT + ["  and"]
    assert lines[0][1].endswith("goes first; 1 app like it waits until it is in service")
    assert lines[-1][1] == "2 more canaries with 2 apps behind"
