"""What a shell is offered while somebody types: names of the fleet file and runs of the journal, or nothing at all."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.state.state_dir import StateDir
from engine.app import completing
from engine.cli import completion
from engine.core.limits import COMPLETIONS_MAX_COUNT
from tests.architecture.files import ROOT
from tools.report_sample import NIGHTS, write_nights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Offered = Callable[..., list[str]]

KERNELS = [f"research/user/vera/KernelGateway/{name}" for name in ("maintenance", "nightly")]


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """Lay out the example fleet, with two runs."""
    shutil.copy(ROOT / "fleet.toml", tmp_path)
    shutil.copytree(ROOT / "teams", tmp_path / "teams")
    with StateDir.open(tmp_path / ".appfleet") as state:
        write_nights(state, 3)
    return tmp_path


@pytest.fixture
def offered(run: Any, monkeypatch: pytest.MonkeyPatch) -> Offered:
    """Return what is offered for the last word of a line; nothing else may be said."""

    def ask(*words: str, of: str = "bash") -> list[str]:
        monkeypatch.setenv("_APPFLEET_COMPLETE", f"complete_{of}")
        monkeypatch.setenv("COMP_WORDS", "appfleet " + " ".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        if of != "bash":
            monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "appfleet " + " ".join(words))
            monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        ran = run()
        assert (ran.code, ran.err) == (0, "")
        return [line for line in ran.out.split("\n") if line]

    return ask


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("plan", "--domain", ""), ["research"]),
        (("status", "--team", ""), ["forecasting", "platform", "vision"]),
        (("apply", "--team", "v"), ["vision"]),
        (("plan", "--user", "ve"), ["vera"]),
        (("plan", "--space", "re"), ["rehearsal"]),
        (("plan", "--app-type", "C"), ["Canvas", "CodeEditor"]),
        (("plan", "--key", "research/user/vera/K"), KERNELS),
        (("plan", "--replace", "research/user/vera/K"), KERNELS),
        (("apply", "--yes", "--allow-destructive", "research/user/vera/K"), KERNELS),
        (("explain", "research/user/vera/K"), KERNELS),
        (("explain", "nonsense"), []),
        (("offboard", "pl"), ["platform"]),
        (("onboard", "new", "--like", "fo"), ["forecasting"]),
        (("onboard", "new", "--app", "gpu"), ["gpu-lab"]),
        (("onboard", "new", "--domain", ""), ["research"]),
        (("onboard", "--undo", NIGHTS[0][:6]), list(reversed(NIGHTS))),
        (("report", NIGHTS[1]), [NIGHTS[1]]),
        (("report", "--state-dir", "nowhere", ""), []),
        (("report", "--state-dir", "s3://bucket/state", ""), []),
        (("plan", "-f", "missing.toml", "--team", ""), []),
        (("plan", "-f", "fleet.toml", "--team", "v"), ["vision"]),
        (("plan", "--simulate", "--team", "v"), ["vision"]),
        (("plan", "-f", ""), []),
        (("plan", "--tea"), ["--team"]),
        (("off",), ["offboard"]),
        (("plan", "'open", ""), []),
    ],
)
def test_a_line_is_completed(offered: Offered, words: tuple[str, ...], values: list[str]) -> None:
    assert offered(*words) == values


@pytest.mark.usefixtures("fleet")
def test_each_shell_is_offered_the_same(offered: Offered) -> None:
    assert offered("plan", "--team", "v", of="fish") == ["vision"]
    assert offered("plan", "--team", "v", of="zsh") == ["_arguments '*: :((\"vision\"))'"]
    assert offered("plan", "--team ", of="fish") == ["forecasting", "platform", "vision"]


def test_a_broken_fleet_file_offers_nothing_and_says_nothing(
    fleet: Path, offered: Offered, capfd: pytest.CaptureFixture[str]
) -> None:
    (fleet / "fleet.toml").write_text("[[[")
    assert offered("plan", "--team", "") == []
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("fleet")
def test_what_takes_too_long_or_breaks_is_no_answer(offered: Offered, monkeypatch: pytest.MonkeyPatch) -> None:
    def for_ever(*_: object) -> list[str]:
        os.write(2, b"noise")
        while True:
            pass

    monkeypatch.setattr(completion, "COMPLETION_MAX_SECONDS", 0.01)
    monkeypatch.setattr(completing, "known_values", for_ever)
    assert offered("plan", "--team", "") == []
    monkeypatch.setattr(completion, "COMPLETION_MAX_SECONDS", 60.0)
    monkeypatch.setattr(completing, "known_values", lambda *_: 1 / 0)
    assert offered("plan", "--team", "") == []


def test_of_very_many_the_first_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"2026{number:05}" for number in range(COMPLETIONS_MAX_COUNT + 5)]
    monkeypatch.setattr(completing, "_runs", lambda _: names)
    options: Any = None
    assert completing.known_values(options, completing.Value.RUN, "2026") == names[:-5]
