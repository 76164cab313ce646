"""The one writer of TOML: whatever it writes reads back as it was meant, or nobody gets it."""

from __future__ import annotations

import tomllib
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.toml_text import toml_key, toml_text, toml_value
from engine.core.errors import BugError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers(-(2**62), 2**62) | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=9,
)


@given(VALUES)
def test_any_value_reads_back_as_it_was_written(value: Any) -> None:
    assert tomllib.loads(f"a = {toml_value(value)}") == {"a": value}


@given(TEXTS)
def test_any_key_reads_back_as_it_was_written(name: str) -> None:
    assert tomllib.loads(f"{toml_key(name)} = 1") == {name: 1}


def test_half_of_a_pair_is_refused_by_whoever_reads_it() -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(f"a = {toml_value(chr(0xDC80))}")


def test_a_document_is_tables_with_lists_in_one_line_below_its_comment() -> None:
    entries = ["lab", {"use": "gpu", "tags": {"cost center": "1"}, "expires": date(2027, 1, 2)}]
    document = {"a": {"b c": {"apps": entries, "rate": 1.5}}, "d": True}

    text = toml_text("One.\nTwo.", document)

    assert text == (
        "# One.\n# Two.\n\n"
        "d = true\n\n"
        '[a."b c"]\n'
        'apps = ["lab", { use = "gpu", tags = { "cost center" = "1" }, expires = 2027-01-02 }]\n'
        "rate = 1.5\n"
    )
    assert tomllib.loads(text) == document


def test_what_reads_back_otherwise_is_a_bug() -> None:
    with pytest.raises(BugError, match="reads back otherwise"):
        toml_text("", {"number": float("nan")})
