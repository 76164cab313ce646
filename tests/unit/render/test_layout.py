"""Lines are broken where a terminal ends, and nowhere else."""

from __future__ import annotations

import pytest

from engine.render.layout import wrapped


@pytest.mark.parametrize(
    ("text", "width", "broken"),
    [
        ("short\n", 10, "short\n"),
        ("", 10, ""),
        ("one two three four\n", 10, "one two\n  three\n  four\n"),
        ("  a line  of columns\nnext\n", 12, "  a line  of\n    columns\nnext\n"),
        ("averylongnamethatfitsnowhere\n", 10, "averylongnamethatfitsnowhere\n"),
        ("    averylongnamethatfitsnowhere x\n", 10, "    averylongnamethatfitsnowhere\n      x\n"),
        ("\x1b[31mred\x1b[0m word\n", 8, "\x1b[31mred\x1b[0m word\n"),
        ("no break at the end of it", 10, "no break\n  at the\n  end of\n  it"),
    ],
)
def test_a_line_is_broken_at_blanks_alone(text: str, width: int, broken: str) -> None:
    assert wrapped(text, width) == broken
