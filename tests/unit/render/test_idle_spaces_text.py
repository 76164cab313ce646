"""Spaces without an app, on terminals of every width."""

from __future__ import annotations

import pytest

from engine.core.idle_spaces import SeenInRun
from engine.render.idle_spaces_text import space_notes, spaces_block
from engine.render.layout import Paint
from tests.unit.core.test_idle_spaces import ALICE, DAY, NOW, a_space, found
from tests.unit.render.test_widths import WIDTHS, whole

FOUND = found(
    a_space(ebs_gb=1_500),
    a_space("nobodys", ebs_gb=0, owner_user=""),
    seen={ALICE: SeenInRun("20260101T000000Z-abcdef", NOW - 50 * DAY)},
    prices={"research": 0.1},
)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_cut_and_every_figure_is_there(width: int) -> None:
    text = whole(spaces_block(FOUND, Paint(on=False), width, every=False), width)
    assert "(2 spaces, 1,500 GB, 150.00 USD per month)" in " ".join(text.split())
    for part in ("research/alice-lab", "1,500", "50", "150.00", "run 20260101T000000Z-abcdef, 1972-08-08"):
        assert part in " ".join(text.split())


def test_what_has_no_figure_says_so_and_a_narrow_terminal_names_those_that_there_are() -> None:
    wide = spaces_block(FOUND, Paint(on=False), 120, every=False).splitlines()
    assert wide[3].split() == ["research/nobodys", "-", "-", "100", "-", "made,", "1972-06-19"]
    narrow = spaces_block(FOUND, Paint(on=False), 40, every=False).splitlines()
    assert narrow[3:5] == ["  research/nobodys", "      days at most 100, last sign of use made, 1972-06-19"]


def test_only_what_is_cut_is_said_to_be() -> None:
    many = found(*(a_space(f"s{number:02}", ebs_gb=0) for number in range(12)))
    assert space_notes(many, every=False)[0] == "and 2 more: --all names them"
    (note,) = space_notes(many, every=True)
    assert "Somebody may have used the space since then" in note
    assert space_notes(found(), every=False) == []
