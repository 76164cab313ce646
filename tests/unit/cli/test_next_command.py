"""What is next after onboard and offboard: the same command on standard output, in Markdown and on the report page."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import POLICY, QUICK, fleet_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

ONBOARD = "onboard blue --members ann,bob --app lab --domain research --yes --simulate=quick.toml"
OFFBOARD = "offboard blue --owners --yes --simulate=quick.toml"


@pytest.fixture
def fleet(run: Run, tmp_path: Path) -> Run:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "execution.toml").write_text(POLICY + "[owners]\ncreate = true\n")
    (tmp_path / "quick.toml").write_text(QUICK)
    (tmp_path / "fleet.toml").write_text(
        fleet_text([])
        .replace('name = "e2e"', 'name = "e2e"\ninclude = ["teams/*.toml"]')
        .replace("members = []", 'members = ["zoe"]')
    )
    return run


def limit(tmp_path: Path, text: str) -> None:
    (tmp_path / "policies" / "safety.toml").write_text(f"[safety]\n{text}\n")


def next_of(run: Run) -> str:
    """Return the command on the page of the last run."""
    page = run("report").out
    typed = page.partition('<pre class="command">')[2].partition("<code>")[2].partition("</code>")[0]
    return html.unescape(re.sub(r"<[^>]+>", "", typed))  # the words that have hyphens are held together


def test_a_denied_onboarding_is_next_itself_everywhere(fleet: Run, tmp_path: Path) -> None:
    limit(tmp_path, "create_max = 1")
    ran = fleet(*ONBOARD.split())
    assert ran.code == 4
    assert f"then run: appfleet {ONBOARD}\n" in ran.out
    assert next_of(fleet) == f"appfleet {ONBOARD}"


def test_a_denied_offboarding_is_next_itself_with_the_flag_that_lets_it_through(fleet: Run, tmp_path: Path) -> None:
    assert fleet(*ONBOARD.split()).code == 0
    (tmp_path / "offboarded").mkdir()
    (tmp_path / "teams" / "blue.toml").rename(tmp_path / "offboarded" / "blue.toml")
    limit(tmp_path, "destroy_max = 1")
    ran = fleet(*OFFBOARD.split(), "--allow-destructive", "*=9")
    assert ran.code == 4
    said = f"appfleet {OFFBOARD} --allow-destructive"
    assert f"If you mean these deletes and replaces, run: {said}" in ran.out
    command = next_of(fleet)
    assert command.startswith(said)
    assert command.count("--allow-destructive") == 1
