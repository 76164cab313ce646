"""Nights of a job with --no-wait, over a simulated account: what fails every night is left alone as with waiting."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.harness import POLICY, QUICK, fleet_text, lab_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

AT_ONCE = QUICK.replace("app_pending = 0.05", "app_pending = 0.0")
FAILS = AT_ONCE + '[[failure]]\nreason = "the script of the lifecycle configuration failed"\n'
NO_MACHINES = AT_ONCE + '[[failure]]\nreason = "capacity"\n'
KEY = lab_of("ann")


class Nights:
    """A fleet of one lab, and what a job does with it each night."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run = run
        self._folder = folder
        (folder / "policies").mkdir()
        (folder / "policies" / "execution.toml").write_text(POLICY)
        self.declare()

    def declare(self, instance_type: str = "ml.t3.medium") -> None:
        text = fleet_text(["ann"], lab=f'instance_type = "{instance_type}"')
        (self._folder / "fleet.toml").write_text(text)

    def night(self, world: str, *words: str) -> dict[str, Any]:
        (self._folder / "world.toml").write_text(world)
        ran = self.run("apply", "--yes", "--simulate=world.toml", "--format", "json", *words)
        (app,) = json.loads(ran.out)["apps"]
        return {"code": ran.code, **app}

    def outcomes(self, count: int, world: str, *words: str) -> list[str]:
        return [self.night(world, *words)["outcome"] for _ in range(count)]


@pytest.fixture
def nights(run: Run, tmp_path: Path) -> Nights:
    return Nights(run, tmp_path)


def test_an_app_that_fails_after_every_night_is_quarantined_as_if_somebody_had_waited(nights: Nights) -> None:
    assert nights.outcomes(3, FAILS, "--no-wait") == ["created"] * 3
    planned = json.loads(nights.run("plan", "--simulate=world.toml", "--format", "json").out)
    assert planned["changes"] == [], "a plan knows it before the run does"
    status = nights.run("status", "--simulate=world.toml")
    assert "failed in 3 runs in a row" in " ".join(status.out.split())
    fourth = nights.night(FAILS, "--no-wait")
    assert (fourth["code"], fourth["outcome"], fourth["error"]["code"]) == (3, "skipped", "quarantined")
    assert "failed in 3 runs in a row with the same spec, last in run 20" in fourth["error"]["message"]
    assert "the script of the lifecycle configuration failed" in fourth["error"]["message"]
    assert nights.outcomes(1, FAILS, "--no-wait") == ["skipped"], "it stays so"
    assert nights.outcomes(1, AT_ONCE, "--no-wait", "--retry-quarantined") == ["created"]
    assert nights.outcomes(1, AT_ONCE, "--no-wait") == ["unchanged"]


def test_nights_with_and_without_waiting_are_one_row(nights: Nights) -> None:
    assert nights.outcomes(1, FAILS, "--no-wait") == ["created"]
    assert nights.outcomes(1, FAILS) == ["failed"]
    assert nights.outcomes(1, FAILS, "--no-wait") == ["created"]
    assert nights.outcomes(1, FAILS) == ["skipped"]


def test_an_accepted_app_ends_no_row_before_it_was_seen_in_service(nights: Nights) -> None:
    assert nights.outcomes(2, FAILS) == ["failed"] * 2
    assert nights.outcomes(1, FAILS, "--no-wait") == ["created"]
    assert nights.outcomes(1, FAILS) == ["skipped"]


def test_an_app_that_was_seen_in_service_ends_the_row(nights: Nights) -> None:
    assert nights.outcomes(2, FAILS, "--no-wait") == ["created"] * 2
    assert nights.outcomes(2, AT_ONCE, "--no-wait") == ["created", "unchanged"]
    nights.declare("ml.t3.large")
    (_, drift) = nights.outcomes(1, AT_ONCE), nights.night(AT_ONCE)
    assert drift["outcome"] == "unchanged"
    nights.declare()
    assert nights.outcomes(1, AT_ONCE) == ["unchanged"]


def test_want_of_machines_is_nobodys_fault_and_another_spec_starts_at_one(nights: Nights) -> None:
    assert nights.outcomes(5, NO_MACHINES, "--no-wait") == ["created"] * 5
    assert nights.outcomes(2, FAILS, "--no-wait") == ["created"] * 2
    nights.declare("ml.t3.large")
    assert nights.outcomes(3, FAILS, "--no-wait") == ["created"] * 3
    assert nights.outcomes(1, FAILS, "--no-wait") == ["skipped"]
