"""What is done to the arguments before the parser sees them."""

from __future__ import annotations

import pytest

from engine.cli.argv import GLOBAL_FLAGS, as_typed, command_of, empty_one, prepare, words_of_command

KEY = "research/user/alice/Canvas/default"


@pytest.mark.parametrize(
    ("arguments", "prepared"),
    [
        ([], []),
        (["plan"], ["plan"]),
        (["plan", "-f", "x.toml"], ["-f", "x.toml", "plan"]),
        (["plan", "-fx.toml"], ["-fx.toml", "plan"]),
        (["plan", "--file=x.toml", "--team", "a"], ["--file=x.toml", "plan", "--team", "a"]),
        (["-f", "x", "plan", "--log-level", "debug"], ["-f", "x", "--log-level", "debug", "plan"]),
        (["plan", "--file"], ["--file", "plan"]),
        (["plan", "--simulate"], ["plan", "--simulate="]),
        (["plan", "--simulate=s.toml"], ["plan", "--simulate=s.toml"]),
        (["plan", "--simulate", "--team", "a"], ["plan", "--simulate=", "--team", "a"]),
        (["apply", "--replace"], ["apply", "--replace="]),
        (["apply", "--replace", KEY], ["apply", f"--replace={KEY}"]),
        (["apply", "--replace", "--yes"], ["apply", "--replace=", "--yes"]),
        (["apply", "--replace", "plan.json"], ["apply", "--replace=", "plan.json"]),
        (["apply", f"--replace={KEY}"], ["apply", f"--replace={KEY}"]),
        (["schema", "--", "-f", "--simulate"], ["schema", "--", "-f", "--simulate"]),
    ],
)
def test_global_flags_move_and_lone_values_become_empty(arguments: list[str], prepared: list[str]) -> None:
    assert prepare(arguments) == prepared


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["apply", "-f", "a b.toml", "--prune"], "appfleet -f 'a b.toml' apply --prune"),
        (["plan", "--simulate"], "appfleet plan --simulate"),
        (["apply", "--replace", KEY, "--yes"], f"appfleet apply --replace={KEY} --yes"),
        (["apply", "--replace"], "appfleet apply --replace"),
    ],
)
def test_a_command_is_shown_as_it_can_be_typed_again(arguments: list[str], shown: str) -> None:
    assert as_typed(prepare(arguments)) == shown


@pytest.mark.parametrize("name", GLOBAL_FLAGS)
def test_every_global_flag_may_stand_behind_the_command(name: str) -> None:
    assert prepare(["status", name, "v"]) == [name, "v", "status"]


@pytest.mark.parametrize(
    ("prepared", "command"),
    [
        ([], ""),
        (["plan", "apply"], "plan"),
        (["-f", "plan", "apply"], "apply"),
        (["-fplan", "--log-level=debug", "--state-dir", "s", "status"], "status"),
        (["--help", "plan"], "--help"),
        (["--file"], ""),
    ],
)
def test_the_command_is_the_first_word_behind_the_global_flags(prepared: list[str], command: str) -> None:
    assert command_of(prepared) == command


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["apply", "--yes"], ""),
        (["plan", "--simulate"], ""),
        (["apply", "--yes", "--checksum", ""], "--checksum"),
        (["apply", "--yes", "--checksum="], "--checksum"),
        (["-f", "", "plan"], "-f"),
        (["plan", "--simulate="], "--simulate"),
        (["offboard", "", "--yes"], "an argument"),
        ([""], "an argument"),
        (["schema", "--", ""], ""),
    ],
)
def test_an_empty_value_is_found_with_its_flag(arguments: list[str], found: str) -> None:
    assert empty_one(arguments) == found


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["-f", "onboard", "onboard", "vision", "--simulate"], ("onboard", "vision", "--simulate")),
        (["offboard", "vision", "--state-dir", "offboard"], ("offboard", "vision")),
        (["-f", "x"], ()),
    ],
)
def test_the_words_of_a_command_begin_behind_the_values_of_global_flags(
    typed: list[str], words: tuple[str, ...]
) -> None:
    assert words_of_command(prepare(typed)) == words
