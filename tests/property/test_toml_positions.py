"""The scanner of positions agrees with tomllib about which keys there are, and with the text about their lines."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.reading.toml_positions import scan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.config.reading.toml_positions import Positions

BARE = st.text("abcXYZ019_-", min_size=1, max_size=4)
SPECIAL = st.text("a b.#[]{}='\",é\\\n", max_size=4)
SPACE = st.sampled_from(["", " ", "\t", "  "])
# One marker a value: `n` is counted up, so that the line on which each value stands can be found again in the text.
SCALARS = st.sampled_from(
    [
        "1",
        "-2.5",
        "true",
        "2026-12-31",
        "2026-12-31 07:32:00",
        '"a # [ { \\" \\\\"',
        "'a \" # ] }'",
        '""',
        "''",
        '"""\none\n"two" ""three\n# four ]\n"""',
        '"""a\\"""b"""',
        "'''\n'one' ''two''\n# three\n'''",
        '"""x"""""',
        '"""\\\n   folded"""',
        "''''quoted''''",
    ]
)


def _quoted(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


KEYS = st.one_of(BARE, BARE.map(lambda key: f"'{key}'"), SPECIAL.map(_quoted))
BREAKS = st.sampled_from(["", " ", "\n", "\n  # note ] }\n", "\r\n"])


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    items = draw(st.lists(values, max_size=4))
    text = "["
    for place, item in enumerate(items):
        text += draw(BREAKS) + item + draw(BREAKS)
        if place < len(items) - 1 or draw(st.booleans()):
            text += "," + draw(BREAKS)
    return text + draw(BREAKS) + "]"


@st.composite
def inline_tables(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    keys = draw(st.lists(KEYS, max_size=3, unique_by=lambda key: key.strip("'\"")))
    pairs = [f"{draw(SPACE)}{key}{draw(SPACE)}={draw(SPACE)}{draw(values)}{draw(SPACE)}" for key in keys]
    return "{" + ",".join(pairs) + "}"


VALUES = st.recursive(SCALARS, lambda inner: st.one_of(arrays(inner), inline_tables(inner)), max_leaves=8)


@st.composite
def documents(draw: st.DrawFn) -> str:
    lines: list[str] = []
    for _ in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(["pair", "pair", "table", "array", "blank", "comment"]))
        path = f"{draw(SPACE)}.{draw(SPACE)}".join(draw(st.lists(KEYS, min_size=1, max_size=3)))
        tail = draw(st.sampled_from(["", " # c", "\t#[x]"]))
        if kind == "pair":
            lines.append(f"{draw(SPACE)}{path}{draw(SPACE)}={draw(SPACE)}{draw(VALUES)}{tail}")
        elif kind == "table":
            lines.append(f"{draw(SPACE)}[{draw(SPACE)}{path}{draw(SPACE)}]{tail}")
        elif kind == "array":
            lines.append(f"[[{draw(SPACE)}{path}{draw(SPACE)}]]{tail}")
        else:
            lines.append("" if kind == "blank" else "# [not.a.table]")
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines) + draw(st.sampled_from(["", "\n"]))


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from _paths(inner, (*path, key))


def _known(positions: Positions) -> Iterator[tuple[str | int, ...]]:
    pending: list[tuple[tuple[str | int, ...], Any]] = [((), positions._root)]
    while pending:
        path, node = pending.pop()
        for key, child in (node.children or {}).items():
            yield (*path, key)
            pending.append(((*path, key), child))


def _accepted(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


@given(documents())
def test_the_scanner_knows_no_key_that_tomllib_does_not(text: str) -> None:
    data = _accepted(text)
    if data is not None:
        assert set(_known(scan(text))) <= set(_paths(data))


@given(documents())
def test_every_key_stands_on_the_line_that_the_scanner_gives(text: str) -> None:
    data = _accepted(text)
    if data is None:
        return
    lines = text.replace("\r\n", "\n").split("\n")
    positions = scan(text)
    for path in _paths(data):
        line = positions.line_of(path)
        parent = positions.line_of(path[:-1])
        assert 1 <= line <= len(lines)
        last = path[-1]
        if isinstance(last, str) and last.isalnum():
            assert last in lines[line - 1] or line == parent


@given(st.lists(st.tuples(BARE, VALUES), max_size=6, unique_by=lambda pair: pair[0]))
def test_a_key_stands_where_it_was_written_whatever_stands_before_it(pairs: list[tuple[str, str]]) -> None:
    text, lines = "", {}
    for key, value in pairs:
        lines[key] = text.count("\n") + 1
        text += f"{key} = {value}\n"
    if _accepted(text) is None:
        return
    positions = scan(text)
    assert {key: positions.line_of((key,)) for key in lines} == lines


@given(st.lists(SCALARS, min_size=1, max_size=6), BREAKS)
def test_items_of_an_array_have_lines_of_their_own(items: list[str], gap: str) -> None:
    text, lines = "a = [\n", []
    for item in items:
        text += gap
        lines.append(text.count("\n") + 1)
        text += f"{item},\n"
    text += "]\nlast = 1\n"
    positions = scan(text)
    assert [positions.line_of(("a", index)) for index in range(len(items))] == lines
    assert positions.line_of(("last",)) == text.count("\n")


def test_elements_of_arrays_of_tables_are_told_apart() -> None:
    text = "[[a]]\nx = 1\n[a.b]\ny = 1\n[[a.c]]\nz = 1\n[[a]]\nx = 2\n[[a.c]]\n[[a.c]]\nz = 3\n"
    positions = scan(text)
    assert tomllib.loads(text)["a"][1]["c"][1] == {"z": 3}
    found = [
        positions.line_of(path) for path in (("a", 0, "x"), ("a", 0, "b", "y"), ("a", 0, "c", 0, "z"), ("a", 1, "x"))
    ]
    assert found == [2, 4, 6, 8]
    assert positions.line_of(("a", 1, "c", 1, "z")) == 11


def test_a_table_named_after_its_children_has_its_own_line() -> None:
    assert scan("[a.b]\nx = 1\n[a]\ny = 1\n").line_of(("a",)) == 3


def test_what_is_not_known_has_the_line_of_what_holds_it() -> None:
    positions = scan('\n[a]\nb = [{ c = "x" }]\n')
    assert positions.line_of(("a", "b", 0, "c")) == 3
    assert positions.line_of(("nothing",)) == 1


@pytest.mark.parametrize("text", ["= 1", 'a = ["x', "a = [\n#\n"])
def test_text_that_tomllib_refuses_leads_nowhere(text: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        scan(text)
