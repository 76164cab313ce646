"""Forms that a service model asks for, told apart in time that grows with the text alone."""

from __future__ import annotations

import pytest

from engine.service_models.form import form_of

REPOSITORY = r"https://([.\-_a-zA-Z0-9]+/?){3,1016}"  # of the model; `re` tries every way to cut a name in three


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (REPOSITORY, "https://git.example/team/repository", True),
        (REPOSITORY, "https://abc", True),
        (REPOSITORY, "https://ab", False),
        (REPOSITORY, f"https://{'a' * 1000}@example", False),
        (r"\d{2}", "12", True),
        (r"\d{2}", "12\n", False),
        (r"\d", "٣", False),
        (r"[\w-]+", "a_b-c", True),
        (r"[\w-]+", "ä", False),
        (r"a\\d", "a\\d", True),
        (r"\/\S*", "/a b", False),
        (r"[\p{L}\p{N}]+", "Zoë٣", True),
        (r"[\p{L}\p{N}]+", "a b", False),
        (r"(?!\s*$).+", "a", True),
        (r"(?!\s*$).+", "  ", False),
        (r"(\d+)|(a)", "12a", False),
        (".*", "a\nb", False),
    ],
)
def test_a_whole_text_fits_or_not(pattern: str, text: str, fits: bool) -> None:
    found = form_of(pattern)
    assert found is not None
    assert found(text) is fits


def test_a_pattern_that_nothing_reads_checks_nothing() -> None:
    assert form_of("(") is None
