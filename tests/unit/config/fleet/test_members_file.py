"""Members files as spreadsheets and directories write them."""

from __future__ import annotations

import pytest

from engine.config.fleet import members_file
from engine.config.fleet.members_file import read_members
from engine.config.fleet.titles import HEADER_WORDS
from engine.config.reading.files import InputFile
from engine.config.reading.problems import Problems
from engine.core.limits import PROBLEMS_KEPT_MAX_COUNT


def _read(text: str | bytes) -> tuple[dict[str, int], list[str]]:
    data = text.encode() if isinstance(text, str) else text
    problems = Problems()
    members = read_members(InputFile("t.csv", "t.csv", data, ""), (), problems)
    shown = [d.render() for d in problems.errors]
    assert (members is None) is bool(shown)
    people = members[()].members if members else {}
    return {name: source.line for name, source in people.items()}, shown


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(delimiter: str) -> None:
    text = f"User{delimiter}Mail\nalice{delimiter}a@example.com\nbob{delimiter}b@example.com\n"
    assert _read(text) == ({"alice": 2, "bob": 3}, [])


@pytest.mark.parametrize("word", sorted(HEADER_WORDS))
def test_header_words_in_any_case(word: str) -> None:
    assert _read(f" {word.upper()} \nalice\n") == ({"alice": 2}, [])


def test_a_first_line_that_is_no_header_is_a_member() -> None:
    assert _read("alice,Rome\nbob,Oslo") == ({"alice": 1, "bob": 2}, [])


def test_a_header_word_further_down_is_a_member() -> None:
    assert _read("alice\nuser\n") == ({"alice": 1, "user": 2}, [])


def test_quoted_cells_may_hold_delimiters_and_line_breaks() -> None:
    assert _read('"alice","Rome, Italy"\n"bob","two\nlines"\n"carol",x\n') == ({"alice": 1, "bob": 2, "carol": 4}, [])


def test_the_delimiter_is_not_taken_from_inside_quotes() -> None:
    assert _read('alice;"a, b, c, d"\n') == ({"alice": 1}, [])


def test_blank_lines_spaces_and_repeats_are_passed_over() -> None:
    assert _read("\n  \n alice \n,,\nalice\n") == ({"alice": 3}, [])


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert _read(b"\xef\xbb\xbfalice\n") == ({"alice": 1}, [])


def test_mac_and_windows_line_ends() -> None:
    assert _read("alice\rbob\r\ncarol\n")[0] == {"alice": 1, "bob": 2, "carol": 3}


@pytest.mark.parametrize("name", ["a b", "a_b", "a\x1b[2J", "a\0", "\u202ea", "a" * 64])
def test_a_name_that_the_service_refuses_is_told_with_its_line(name: str) -> None:
    _, problems = _read(f"ok\n{name}\n")
    (only,) = problems
    assert only.startswith("t.csv:2: ")
    assert only.isprintable()


def test_an_empty_file_names_nobody() -> None:
    assert _read("") == ({}, [])


def test_too_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members_file, "FLEET_OWNERS_MAX_COUNT", 2)
    assert _read("a\nb\na\n") == ({"a": 1, "b": 2}, [])
    assert _read("a\nb\nc\nd\n")[1] == ["t.csv:3: the file names more than 2 members. Split it into several fleets"]


def test_a_million_wrong_lines_are_not_kept() -> None:
    assert len(_read("a_b\n" * (PROBLEMS_KEPT_MAX_COUNT + 5))[1]) == PROBLEMS_KEPT_MAX_COUNT


def test_addresses_and_names_with_dots_become_names() -> None:
    assert _read("upn\nana.silva@acme.example\njane.doe\n") == ({"ana-silva": 2, "jane-doe": 3}, [])


def test_two_texts_that_become_one_name_are_an_error_and_the_same_text_twice_a_warning() -> None:
    assert _read("a.b@x\nc@x\na-b@y\n")[1] == [
        't.csv:3: "a-b@y" and "a.b@x" (line 1) become one name, a-b. Give one of them another user profile name'
    ]
    problems = Problems()
    read_members(InputFile("t.csv", "t.csv", b"alice\nbob\nalice\n", ""), (), problems)
    assert [d.render() for d in problems.warnings] == [
        't.csv:3: warning: "alice" appears twice (first in line 1). Remove one of the two lines'
    ]


def test_a_header_that_is_not_known_is_told_with_its_line() -> None:
    (only,) = _read("First Name [Required],Team\nana,vision\n")[1]
    assert only.startswith('t.csv:1: "First Name [Required]" looks like a header, but not like one of the people')
