"""What planning waits for before it lists."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from engine.app.aside import aside
from engine.app.plan import create_in_doubt_at
from engine.core.desired import Mode
from engine.core.errors import StateError
from engine.core.identity import SPACE, Owner
from engine.core.limits import PLANNED_ASIDE_MIN_COUNT
from engine.ports.journal import Memory, Unfinished
from tests.fleets import a_fleet, an_app

GONE = replace(an_app("research/space/ana-lab/JupyterLab/default"), mode=Mode.ABSENT)
WANTED = an_app("research/space/bo-lab/JupyterLab/default")
OWNER = Owner("research", SPACE, "cy-lab")


@pytest.mark.parametrize(
    ("key", "left", "of_apply", "of_offboard"),
    [
        (GONE.key, Unfinished("CreateApp", 7.0, in_doubt=True), 7.0, 7.0),
        (WANTED.key, Unfinished("CreateApp", 7.0, in_doubt=True), None, 7.0),
        (OWNER, Unfinished("CreateSpace", 7.0, in_doubt=True), None, 7.0),
        (GONE.key, Unfinished("DeleteApp", 7.0, in_doubt=True), None, None),
        (GONE.key, Unfinished("CreateApp", 7.0, in_doubt=False, owed=True), None, None),
    ],
)
def test_a_create_in_doubt_is_waited_for_where_it_may_make_what_shall_not_be_there(
    key: object, left: Unfinished, of_apply: float | None, of_offboard: float | None
) -> None:
    memory = Memory(frozenset(), {}, {}, unfinished={key: left})  # type: ignore[dict-item]
    fleet = a_fleet(GONE, WANTED)
    assert create_in_doubt_at(fleet, memory, lets_go=False) == of_apply
    assert create_in_doubt_at(fleet, memory, lets_go=True) == of_offboard
    assert create_in_doubt_at(fleet, Memory(frozenset(), {}, {}), lets_go=True) is None


@pytest.mark.parametrize("apps", [PLANNED_ASIDE_MIN_COUNT, PLANNED_ASIDE_MIN_COUNT - 1])
def test_what_is_about_many_apps_is_worked_out_beside_the_loop(apps: int) -> None:
    where = asyncio.run(aside(threading.current_thread, apps))
    assert (where is threading.main_thread()) == (apps < PLANNED_ASIDE_MIN_COUNT)


def test_an_error_of_what_is_worked_out_beside_the_loop_arrives() -> None:
    def fail() -> None:
        raise StateError("no", hint="")

    with pytest.raises(StateError):
        asyncio.run(aside(fail, PLANNED_ASIDE_MIN_COUNT))
