from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from engine.core.limits import SHOWN_TEXT_MAX_CHARS
from engine.core.text import clean, count_of, is_safe, listed


def test_plain_text_is_left_as_it_is() -> None:
    for text in ("", "ml.t3.medium", "größe — 測試", "a  b"):
        assert is_safe(text)
        assert clean(text) == text


def test_line_breaks_and_tabs_become_spaces() -> None:
    assert clean("one\r\ntwo\tthree") == "one  two three"


def test_escape_sequences_are_written_out() -> None:
    assert clean("\x1b[31mred\x1b[0m") == "\\u001b[31mred\\u001b[0m"


def test_bidirectional_overrides_zero_width_and_separators_are_written_out() -> None:
    assert clean("a\u202eb\u200bc\u2028d\u2029e") == "a\\u202eb\\u200bc\\u2028d\\u2029e"


def test_characters_beyond_the_first_plane_are_written_out_with_eight_digits() -> None:
    assert clean("x\U000e0041") == "x\\U000e0041"


def test_lone_surrogates_do_not_reach_an_encoder() -> None:
    assert clean("\ud800") == "\\ud800"


def test_a_long_text_is_cut_and_says_so() -> None:
    assert clean("a" * (SHOWN_TEXT_MAX_CHARS + 1)) == "a" * (SHOWN_TEXT_MAX_CHARS - 1) + "…"
    assert clean("abcd", 3) == "ab…"
    assert clean("abc", 3) == "abc"


@given(st.text(max_size=100))
def test_what_is_cleaned_is_safe_one_line_and_encodable(text: str) -> None:
    shown = clean(text)
    assert is_safe(shown)
    assert clean(shown) == shown
    assert shown.splitlines() in ([], [shown])
    assert shown.encode().decode() == shown


@given(st.characters())
def test_only_unsafe_categories_are_changed(char: str) -> None:
    changed = clean(char) != char
    assert changed is (unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def test_a_count_is_said_with_its_noun() -> None:
    assert [count_of(number, "app") for number in (0, 1, 2_000)] == ["0 apps", "1 app", "2,000 apps"]
    assert count_of(2, "user profile is", "user profiles are") == "2 user profiles are"


def test_names_are_joined_cleaned_and_their_tail_counted() -> None:
    assert listed([]) == ""
    assert listed(["a", "b\x1b"], 2) == "a, b\\u001b"
    assert listed(range(1_203), 3) == "0, 1, 2 and 1,200 more"
