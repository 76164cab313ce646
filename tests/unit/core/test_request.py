"""The spellings of what the user asks for, as plans, runs and command lines of every release have them."""

from __future__ import annotations

import pytest

from engine.core.errors import UsageError
from engine.core.request import Request, allowing
from engine.core.selectors import Selectors
from tests.fleets import CANVAS, LAB, key_of

ALL = Request(
    Selectors.parse(teams=["b*", "a"], app_types=["Canvas"], keys=[LAB]),
    prune=True,
    adopt=True,
    from_fleet="old name",
    replace_on_drift=True,
    replace_keys=frozenset({key_of(LAB), key_of(CANVAS)}),
    retry_quarantined=True,
    allow_destructive=("research/*=12", CANVAS),
)
FIRST, SECOND = sorted((LAB, CANVAS), key=key_of)


def test_the_header_of_a_plan_spells_everything_that_is_not_a_selector() -> None:
    assert ALL.pairs() == (
        ("adopt", "on"),
        ("allow_destructive", " ".join(sorted(ALL.allow_destructive))),
        ("from_fleet", "old name"),
        ("prune", "on"),
        ("replace", "on-drift"),
        ("replace_keys", " ".join(sorted((LAB, CANVAS)))),
        ("retry_quarantined", "on"),
    )
    assert Request().pairs() == (
        ("adopt", "off"),
        ("allow_destructive", ""),
        ("prune", "off"),
        ("replace", "never"),
        ("replace_keys", ""),
        ("retry_quarantined", "off"),
    )


def test_a_header_without_a_name_or_with_a_selector_that_no_plan_has_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="adopt"):
        Request.from_pairs(Request().pairs()[1:], ())
    with pytest.raises(KeyError, match="colour"):
        Request.from_pairs(Request().pairs(), [("colour", "blue")])
    with pytest.raises(UsageError, match="is not an app key"):
        Request.from_pairs([*Request().pairs(), ("replace_keys", "nonsense")], ())


def test_the_words_of_a_command_line_come_in_the_order_in_which_people_read_them() -> None:
    assert ALL.argv("--strict") == [
        "--app-type", "Canvas", "--key", LAB, "--team", "a", "--team", "b*", "--strict", "--prune", "--adopt",
        "--from-fleet", "old name", "--replace", "--replace", FIRST, "--replace", SECOND, "--retry-quarantined",
        "--allow-destructive", "research/*=12", "--allow-destructive", CANVAS,
    ]  # fmt: skip
    assert Request().argv() == []


def test_what_is_kept_of_a_run_keeps_its_names() -> None:
    assert Request(prune=True, replace_on_drift=True, replace_keys=frozenset({key_of(LAB)})).kept() == (
        ("prune", ""),
        ("replace-on-drift", ""),
        ("replace", LAB),
    )


def test_a_key_that_another_version_kept_in_another_form_is_left_out() -> None:
    assert Request.from_kept([("replace", "a/b"), ("replace", LAB)]) == Request(replace_keys=frozenset({key_of(LAB)}))


def test_allowances_are_shown_as_they_can_be_typed() -> None:
    assert allowing(["research/*=2", LAB]) == f"--allow-destructive 'research/*=2' --allow-destructive {LAB}"
    assert allowing([]) == ""
