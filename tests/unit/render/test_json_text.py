"""JSON is written row by row, and comes out as it would in one go."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.render.json_text import json_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Row:
    def to_json(self) -> dict[str, Any]:
        return {"a": [1, {"b": "line\nbreak"}]}


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_it_is_the_same_text_as_in_one_go(document: dict[str, Any]) -> None:
    assert json_text(document) == json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def test_rows_may_make_themselves_plain() -> None:
    plain = {"rows": [Row().to_json(), Row().to_json()], "empty": [], "n": 1}
    assert json_text({"rows": (Row(), Row()), "empty": (), "n": 1}) == json_text(plain)


def test_what_no_parser_takes_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"rows": [float("inf")]})
