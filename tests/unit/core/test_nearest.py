from __future__ import annotations

import pytest

from engine.core.nearest import nearest

KNOWN = ("create_rate", "create_rate_max", "read_rate", "ThrottlingException")


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("create_rat", "create_rate"),
        ("create_rate_mx", "create_rate_max"),
        ("throttlingexception", "ThrottlingException"),
        ("foo", ""),
        ("", ""),
        ("x" * 100_000, ""),
    ],
)
def test_the_likest_known_word_is_found_or_none(word: str, found: str) -> None:
    assert nearest(word, KNOWN) == found


def test_nothing_is_like_a_word_where_nothing_is_known() -> None:
    assert nearest("a", ()) == ""


def test_of_very_many_words_those_that_begin_or_end_alike_are_compared() -> None:
    known = [f"person-{number:04}-lab" for number in range(2_000)]
    assert nearest("person-17-lab", known).startswith("person-")
    assert nearest("PERSON-1234-LAB", known) == "person-1234-lab"
    assert nearest("xyz", known) == ""
