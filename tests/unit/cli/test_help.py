"""What help shows, and what is said of wrong flags: plain words, whole at 80 columns."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

from engine.cli.application import COMMANDS
from engine.cli.usage import plain_message

# Types and words of the parser's own language.
FOREIGN = re.compile(r"<[^>]+>|\blist\[|\bint\b|\bstr\b|<=|\bNone\b|default: \(")


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the terminal 80 columns wide."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_: os.terminal_size((80, 24)))


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_shows_no_types_of_a_programming_language(run: Any, command: str) -> None:
    ran = run(*([command] if command else []), "--help")
    assert ran.code == 0
    assert FOREIGN.findall(ran.out) == []
    assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.usefixtures("narrow")
def test_every_command_has_a_summary_that_fits(run: Any) -> None:
    lines = run("--help").out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in lines] == list(COMMANDS)  # each on one line
    assert [line for line in lines if not line.endswith(".") or line.endswith(("...", "…"))] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["aply"], "No such command 'aply'. Did you mean 'apply'? See appfleet --help"),
        (["plan", "--prun"], "There is no flag --prun. Did you mean --prune? See appfleet plan --help"),
        (["plan", "--format", "yaml"], "'--format': expected text, json or markdown, found 'yaml'. See appfleet plan"),
        (["history", "--limit", "x"], "'--limit': expected a whole number. See"),
        (["history", "--limit", "0"], "'--limit': expected at least 1. See"),
        (["simulate", "--port", "70000"], "'--port': expected at most 65535. See"),
        (["explain"], "Missing KEY. See appfleet explain --help"),
        (["plan", "--team"], "--team needs a value. See"),
        (["plan", "extra"], "Unexpected argument: extra. See"),
    ],
)
def test_wrong_flags_are_told_in_plain_words(run: Any, arguments: list[str], said: str) -> None:
    ran = run(*arguments)
    assert ran.code == 64
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("APPFLEET_YES", "maybe", "APPFLEET_YES: expected true or false"),
        ("APPFLEET_FORMAT", "yaml", "APPFLEET_FORMAT: expected text, json or markdown, found 'yaml'"),
    ],
)
def test_a_wrong_value_of_a_variable_is_told_by_its_name(
    run: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    ran = run("apply", "--simulate")
    assert ran.code == 64
    assert said in ran.err


@pytest.mark.parametrize(
    ("message", "plain"),
    [
        ("No such option: --x (Possible options: --y, --z)", "There is no flag --x. Did you mean --y or --z?"),
        ("Something  else.", "Something else"),
        ("Something\nelse", "Something else"),
    ],
)
def test_a_message_is_one_line_without_a_stop_unless_it_asks(message: str, plain: str) -> None:
    assert plain_message(message) == plain
