from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.simulator.world.listing import COMPACT_FLOOR_ROWS, CreationIndex, page_size, read_token, write_token
from engine.simulator.world.service_error import ServiceError


@dataclass(eq=False)
class Item:
    seq: int
    gone: bool = False


def an_index(count: int) -> tuple[CreationIndex[Item], list[Item]]:
    index: CreationIndex[Item] = CreationIndex()
    items = [Item(seq) for seq in range(1, count + 1)]
    for item in items:
        index.append(item)
    return index, items


def walk(index: CreationIndex[Item], size: int, *, descending: bool = False) -> list[int]:
    seen: list[int] = []
    place: int | None = None
    while True:
        rows, place = index.page(place, size, descending=descending)
        seen += [row.seq for row in rows]
        if place is None:
            return seen


@given(count=st.integers(0, 60), size=st.integers(1, 25), descending=st.booleans(), gone=st.sets(st.integers(1, 60)))
def test_pages_give_every_living_row_once_and_in_order(count: int, size: int, descending: bool, gone: set[int]) -> None:
    index, items = an_index(count)
    for item in items:
        if item.seq in gone:
            item.gone = True
            index.note_gone()
    expected = [item.seq for item in items if not item.gone]
    assert walk(index, size, descending=descending) == (expected[::-1] if descending else expected)
    assert len(index) == len(expected)
    assert [item.seq for item in index] == expected


def test_rows_that_are_appended_between_two_pages_come_last() -> None:
    index, _ = an_index(3)
    first, place = index.page(None, 2, descending=False)
    index.append(Item(4))
    second, end = index.page(place, 2, descending=False)
    assert ([row.seq for row in first + second], end) == ([1, 2, 3, 4], None)


def test_a_row_that_a_token_stands_on_may_go() -> None:
    index, items = an_index(4)
    _, place = index.page(None, 2, descending=False)
    items[1].gone = True
    index.note_gone()
    rows, _ = index.page(place, 2, descending=False)
    assert [row.seq for row in rows] == [3, 4]


def test_a_full_last_page_has_no_token() -> None:
    index, _ = an_index(4)
    _, place = index.page(None, 2, descending=False)
    rows, end = index.page(place, 2, descending=False)
    assert (len(rows), end) == (2, None)


def test_rows_that_are_gone_are_cleared_away_when_they_are_the_half() -> None:
    index, items = an_index(4 * COMPACT_FLOOR_ROWS)
    for item in items[: 3 * COMPACT_FLOOR_ROWS]:
        item.gone = True
        index.note_gone()
    assert len(index._rows) < 2 * COMPACT_FLOOR_ROWS
    assert walk(index, 100) == [item.seq for item in items[3 * COMPACT_FLOOR_ROWS :]]


def test_only_wanted_rows_fill_a_page() -> None:
    index, _ = an_index(9)
    rows, place = index.page(None, 2, descending=False, keep=lambda row: row.seq % 3 == 0)
    assert ([row.seq for row in rows], place) == ([3, 6], 6)


def test_a_page_holds_ten_rows_unless_asked_and_never_more_than_a_hundred() -> None:
    assert [page_size(asked) for asked in (None, 1, 100, 1_000)] == [10, 1, 100, 100]


def test_a_token_is_read_back_by_its_own_listing_alone() -> None:
    token = write_token("apps:d-abc", 7)
    assert read_token("apps:d-abc", token) == 7
    with pytest.raises(ServiceError, match="NextToken is not valid"):
        read_token("apps:d-def", token)


def test_no_place_is_no_token_and_no_token_is_no_place() -> None:
    assert write_token("x", None) is None
    assert read_token("x", None) is None
    assert read_token("x", "") is None


@given(st.text(max_size=60))
def test_any_other_text_is_refused_as_a_token(text: str) -> None:
    if text:
        with pytest.raises(ServiceError):
            read_token("apps", text)
