"""Commands that a text says to run have the flags of this call: whoever pastes one looks at the same state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.app.options import AppOptions
from engine.cli.context import with_typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

ELSEWHERE = AppOptions(Path("ml/fleet.toml"), state_dir=Path("st"))
FLAGS = "-f ml/fleet.toml --state-dir st"
HERE = AppOptions(Path("fleet.toml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("No run is kept. Run: appfleet apply\n", f"No run is kept. Run: appfleet {FLAGS} apply\n"),
        ("To raise them:\n      appfleet plan --all", f"To raise them:\n      appfleet {FLAGS} plan --all"),
        ("(`appfleet iam-policy` prints it)", f"(`appfleet {FLAGS} iam-policy` prints it)"),
        ("then run: appfleet -f a.toml apply", "then run: appfleet -f a.toml apply"),
        ("make one with: appfleet init", "make one with: appfleet init"),
        ("there was none: appfleet tries again later", "there was none: appfleet tries again later"),
        ("Read it again with appfleet plan, and approve", "Read it again with appfleet plan, and approve"),
    ],
)
def test_a_command_to_run_gets_the_flags_and_one_that_is_only_named_does_not(text: str, said: str) -> None:
    assert with_typed(text, ELSEWHERE) == said


def test_where_no_flag_was_given_nothing_is_added() -> None:
    assert with_typed("Run: appfleet apply", HERE) == "Run: appfleet apply"


def test_a_simulated_world_stays_one_and_is_named_once() -> None:
    simulated = AppOptions(Path("fleet.toml"), simulate="")
    assert with_typed("or run: appfleet explain a/b", simulated) == "or run: appfleet explain --simulate a/b"
    assert with_typed("To list them: appfleet history", simulated) == "To list them: appfleet history"
    typed = "run: appfleet onboard blue --yes --simulate=quick.toml"
    assert with_typed(typed, simulated) == typed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("history",), "Run: appfleet -f ml/fleet.toml --state-dir st apply"),
        (("report", "nosuch"), "To list the runs that are kept: appfleet -f ml/fleet.toml --state-dir st history"),
        (("gate", "--shards", "2", "PLANS"), "appfleet -f ml/fleet.toml --state-dir st plan --shard I/N --out PLANS"),
        (("gather", "PLANS"), "appfleet -f ml/fleet.toml --state-dir st plan --shard I/N --out PLANS"),
    ],
)
def test_the_hints_of_commands_can_be_pasted(run: Run, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "ml").mkdir()
    (tmp_path / "ml" / "fleet.toml").write_text('schema = 1\nname = "ml"\n')
    ran = run("-f", "ml/fleet.toml", "--state-dir", "st", *words)
    assert said in ran.out + ran.err
