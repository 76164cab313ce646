"""A table of domains that lost rows since the last run: the plan says so, and the run after it no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.e2e.harness import QUICK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

FLEET = """schema = 1
name = "wide"
policies = []
[apps.canvas]
type = "Canvas"
[[domains_from]]
csv = "accounts.csv"
template = "studio"
[templates.studio.teams.vision]
members = ["ana"]
user_apps = ["canvas"]
"""


def write_table(folder: Path, rows: int) -> None:
    lines = [f"d{number},d-{number:012},eu-west-1,111122223333" for number in range(rows)]
    (folder / "accounts.csv").write_text("\n".join(["name,id,region,account", *lines, ""]))


def test_rows_that_are_gone_since_the_last_run_are_a_finding(run: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET)
    (tmp_path / "quick.toml").write_text(QUICK)

    def findings() -> list[str]:
        plan = json.loads(run("plan", "--simulate=quick.toml", "--format", "json").out)
        return [one["message"] for one in plan["findings"] if one["rule"] == "tables"]

    write_table(tmp_path, 10)
    assert findings() == []
    assert run("apply", "--yes", "--simulate=quick.toml").code == 0
    write_table(tmp_path, 9)
    assert findings() == []
    write_table(tmp_path, 8)
    (found,) = findings()
    assert found.startswith("accounts.csv has 8 rows, and had 10 at the last run")
    assert run("apply", "--yes", "--simulate=quick.toml").code == 0
    assert findings() == []
