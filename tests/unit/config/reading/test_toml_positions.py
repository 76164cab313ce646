"""Values that a scanner may take for shorter than they are: the key behind them is on its own line all the same."""

from __future__ import annotations

import tomllib

import pytest

from engine.config.reading.toml_positions import scan


@pytest.mark.parametrize(
    "value",
    [
        "'''\na == \"b\"\n'''",
        "'''''\n'''",
        "''''a''\n'b''''",
        "''''''",
        '"""\na\n"""',
        '"""a ""\n"b" \\""" \\\\"""',
        '""""a"""""',
        '""""""',
        "[\n'''a\n''', \"b\", 'c']",
        '{ a = "}", b = \'}\', c = ["]", { d = "{" }] }',
        "[[[['deep']]], \"]\"]",
        '["a", # ]\n"b"]',
    ],
)
def test_the_key_behind_a_value_is_found(value: str) -> None:
    text = f"first = {value}\nlast = 1\n"
    assert tomllib.loads(text)["last"] == 1
    assert scan(text).line_of(("first",)) == 1
    assert scan(text).line_of(("last",)) == 2 + value.count("\n")
