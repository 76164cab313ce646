from __future__ import annotations

from engine.core.diagnostics import Diagnostic, Severity, in_order

UNKNOWN = Diagnostic("AF102", "fleet.toml", 12, "apps.lab.typ", "unknown key", "Did you mean type?")


def test_a_problem_has_its_place_what_is_wrong_and_a_hint() -> None:
    assert UNKNOWN.render() == "fleet.toml:12: apps.lab.typ: unknown key. Did you mean type?"


def test_a_problem_of_a_whole_file_has_neither_line_nor_key() -> None:
    assert Diagnostic("AF102", "fleet.toml", 0, "", "not UTF-8", "Save it as UTF-8").render() == (
        "fleet.toml: not UTF-8. Save it as UTF-8"
    )


def test_a_warning_says_that_it_is_one() -> None:
    warning = Diagnostic("AF102", "fleet.toml", 3, "include", "matches nothing", "", Severity.WARNING)
    assert warning.render() == "fleet.toml:3: warning: include: matches nothing."


def test_names_from_a_file_cannot_move_the_cursor() -> None:
    hostile = Diagnostic("AF102", "fleet.toml", 1, "apps.\x1b[2J", "wrong\nline", "")
    assert hostile.render() == "fleet.toml:1: apps.\\u001b[2J: wrong line."


def test_problems_come_in_the_order_of_the_file_each_once() -> None:
    first = Diagnostic("AF102", "fleet.toml", 2, "a", "x", "")
    other_file = Diagnostic("AF102", "teams/a.toml", 1, "a", "x", "")
    assert in_order([other_file, UNKNOWN, first, UNKNOWN]) == (first, UNKNOWN, other_file)


def test_the_place_is_said_without_the_hint() -> None:
    assert UNKNOWN.place() == "fleet.toml:12: apps.lab.typ: unknown key"
