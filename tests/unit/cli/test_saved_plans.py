"""Saving a plan and running one: what reaches the engine, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.adapters import named_file
from engine.core.plan_json import plan_from_json
from tests.fleets import LAB

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.cli.conftest import Engine, Ran

    Run = Callable[..., Ran]


def test_a_saved_plan_is_the_document_and_the_next_command_names_it(engine: Engine, run: Run, tmp_path: Path) -> None:
    ran = run("-f", "x/fleet.toml", "plan", "--team", "a", "--simulate", "--out", "my plan.json")
    assert ran.code == 0
    assert plan_from_json(json.loads((tmp_path / "my plan.json").read_text())).fingerprint == engine.plan.fingerprint
    assert "To apply this plan: appfleet -f x/fleet.toml apply --simulate 'my plan.json'\n" in ran.out


def test_a_plan_that_cannot_be_saved_is_shown_and_the_exit_code_tells(
    engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise named_file.NamedFileError("No space left on device")

    monkeypatch.setattr(named_file, "write_named", full)
    ran = run("plan", "--out", "plan.json")
    assert ran.code == 1
    assert "the plan could not be saved to plan.json: No space left on device" in ran.err
    assert "To apply this plan: appfleet apply\n" in ran.out
    assert engine.asked is not None


def test_a_saved_plan_and_its_age_reach_the_engine(engine: Engine, run: Run) -> None:
    assert run("apply", "plan.json", "--plan-age-max", "2h", "--refresh-quotas", "--yes").code == 3
    asked = engine.options
    assert (asked.saved_plan, asked.plan_age_max_s, asked.checksum) == (Path("plan.json"), 7_200.0, "")
    assert asked.refresh_quotas


def test_a_fingerprint_may_be_given_beside_the_file(engine: Engine, run: Run) -> None:
    run("apply", "plan.json", "--checksum", "sha256:1", "--yes")
    assert (engine.options.checksum, engine.options.saved_plan) == ("sha256:1", Path("plan.json"))


def test_a_checksum_reaches_the_engine_with_the_flags_beside_it(engine: Engine, run: Run) -> None:
    run("apply", "--checksum", "sha256:1", "--prune", "--yes")
    assert (engine.options.checksum, engine.options.request.prune, engine.options.saved_plan) == (
        "sha256:1",
        True,
        None,
    )


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--prune"], "--prune"),
        (["--replace", LAB], "--replace"),
        (["--replace"], "--replace"),
        (["--retry-quarantined"], "--retry-quarantined"),
        (["--allow-destructive", LAB], "--allow-destructive"),
        (["--dry-run", "--user", "a"], "--dry-run, --user"),
    ],
)
def test_what_a_saved_plan_has_decided_cannot_be_said_again(
    engine: Engine, run: Run, flags: list[str], named: str
) -> None:
    ran = run("apply", "plan.json", *flags)
    assert ran.code == 64
    assert f"error AF101: {named}: the saved plan plan.json was made with its own flags" in ran.err
    assert engine.asked is None
