"""The quotas that a plan shows, with the real engine over a simulated account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.e2e.harness import QUICK, fleet_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

QUOTA = '[[quota]]\napp_type = "JupyterLab"\ninstance_type = "{}"\nvalue = {}\n'
G5, G4 = "ml.g5.xlarge", "ml.g4dn.xlarge"
LAB = f'instance_type = "{G5}"\nfallback = ["{G4}"]'


def write(tmp_path: Path, **values: int) -> None:
    (tmp_path / "fleet.toml").write_text(fleet_text(["ann", "bob"], lab=LAB))
    quotas = "".join(QUOTA.format(kind, value) for kind, value in zip((G5, G4), values.values(), strict=True))
    (tmp_path / "world.toml").write_text(QUICK + quotas)


def test_a_type_and_a_fallback_with_quota_0_are_both_shown_with_the_command_that_raises_them(
    run: Run, tmp_path: Path
) -> None:
    write(tmp_path, first=0, fallback=0)
    ran = run("plan", "--simulate=world.toml")
    assert ran.code == 0
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    for kind in (G5, G4):
        (place,) = (number for number, line in enumerate(lines) if f"JupyterLab/{kind} 0 of 0 used" in line)
        assert lines[place].endswith("2 wanted does not fit")
        assert kind in lines[place + 1]
        assert "--desired-value 2 --region eu-west-1" in lines[place + 2]
    assert "2 apps exceed their quota of 0 and will fail at once" in ran.out


def test_a_fallback_with_room_is_shown_to_fit_and_no_app_waits(run: Run, tmp_path: Path) -> None:
    write(tmp_path, first=0, fallback=9)
    plan = json.loads(run("plan", "--simulate=world.toml", "--format", "json").out)
    assert [(line["value"], line["wanted"], line["fits"]) for line in plan["quotas"]] == [(9, 2, "yes"), (0, 2, "no")]
    assert plan["forecast"]["parked"] == 0
