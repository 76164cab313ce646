"""Hours from the file to the world and back, with the real engine over a simulated account."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from engine.core.windows import DAYS
from tests.e2e.harness import QUICK, fleet_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

ALWAYS = "Mon-Sun 00:00-24:00"
ANOTHER_DAY = f"{DAYS[(datetime.now(UTC) + timedelta(days=2)).weekday()]} 00:00-24:00"
OFFICE = '\n[calendars.office]\nhours = ["{}"]\nzone = "UTC"\n'


@pytest.fixture
def fleet(tmp_path: Path) -> Callable[[str], None]:
    (tmp_path / "world.toml").write_text(QUICK)

    def write(window: str) -> None:
        text = fleet_text(["ann", "bob"], lab='instance_type = "ml.t3.medium"\nhours = "office"')
        (tmp_path / "fleet.toml").write_text(text + OFFICE.format(window))

    return write


def test_apps_are_made_in_their_hours_and_stopped_outside_them(run: Run, fleet: Callable[[str], None]) -> None:
    fleet(ALWAYS)
    made = json.loads(run("apply", "--simulate=world.toml", "--yes", "--format", "json").out)
    assert made["summary"] == {"created": 2}
    fleet(ANOTHER_DAY)
    plan = json.loads(run("plan", "--simulate=world.toml", "--format", "json").out)
    assert [(change["action"], change["reason"]) for change in plan["changes"]] == [("delete", "outside_hours")] * 2
    assert [(line["hours"], line["open"], line["apps"]) for line in plan["hours"]] == [("office", False, 2)]
    ran = run("apply", "--simulate=world.toml", "--yes")
    assert ran.code == 0
    assert "2 deleted" in ran.out
    status = run("status", "--simulate=world.toml")
    assert "OUTSIDE HOURS" in status.out
    assert f"outside its hours, back {ANOTHER_DAY[:3]} 00:00" in status.out
    assert "office: closed, opens" in status.out
    assert "all is well" in status.out
    again = json.loads(run("apply", "--simulate=world.toml", "--yes", "--format", "json").out)
    assert (again["result"], {app["error"]["code"] for app in again["apps"]}) == ("converged", {"outside_hours"})


def test_another_time_can_be_asked_about_and_not_be_saved(run: Run, fleet: Callable[[str], None]) -> None:
    fleet("Mon-Fri 08:00-19:00")
    inside, outside = "2027-01-15T08:00:00Z", "2027-01-15T19:00:00Z"
    for at, creates in ((inside, 2), (outside, 0)):
        plan = json.loads(run("plan", "--simulate=world.toml", "--at", at, "--format", "json").out)
        assert (plan["at"], plan["summary"]["create"]) == (at, creates)
    text = run("plan", "--simulate=world.toml", "--at", inside).out
    assert f"At      {inside}: what would be done then" in text
    assert "To apply this plan" not in text
    assert "2 outside their hours" in run("plan", "--simulate=world.toml", "--at", outside).out
    status = run("status", "--simulate=world.toml", "--at", outside)
    assert f"At      {outside}" in status.out
    assert "back Mon 08:00" in status.out
    markdown = run("status", "--simulate=world.toml", "--at", outside, "--format", "markdown").out
    assert f"At: `{outside}`" in markdown
    refused = run("plan", "--simulate=world.toml", "--at", inside, "--out", "plan.json")
    assert (refused.code, "--out does not work with --at" in refused.err) == (64, True)
    wrong = run("status", "--simulate=world.toml", "--at", "tomorrow")
    assert (wrong.code, '--at: "tomorrow" is not an RFC 3339 time' in wrong.err) == (64, True)


def test_a_document_of_another_time_is_no_plan_to_apply(run: Run, fleet: Callable[[str], None], tmp_path: Path) -> None:
    fleet(ALWAYS)
    text = run("plan", "--simulate=world.toml", "--at", "2027-01-15T08:00:00Z", "--format", "json").out
    (tmp_path / "plan.json").write_text(text)
    ran = run("apply", "--simulate=world.toml", "plan.json", "--yes")
    assert ran.code != 0
    assert "it is a plan for another time, 2027-01-15T08:00:00Z (--at)" in ran.err


@pytest.mark.parametrize("command", ["plan", "status"])
def test_drift_can_be_made_an_exit_code(run: Run, fleet: Callable[[str], None], tmp_path: Path, command: str) -> None:
    fleet(ALWAYS)
    run("apply", "--simulate=world.toml", "--yes")
    assert run(command, "--simulate=world.toml", "--fail-on-drift").code == 0
    text = (tmp_path / "fleet.toml").read_text()
    (tmp_path / "fleet.toml").write_text(text.replace("ml.t3.medium", "ml.m5.large"))
    assert run(command, "--simulate=world.toml", "--fail-on-drift").code == 2
    assert run(command, "--simulate=world.toml").code == 0


def test_explain_says_when_the_hours_open(run: Run, fleet: Callable[[str], None]) -> None:
    fleet(ANOTHER_DAY)
    ran = run("explain", "--simulate=world.toml", "research/space/ann-lab/JupyterLab/default")
    assert "leave the app alone: outside its hours" in ran.out
    assert "office: closed, opens" in ran.out


def test_the_crontab_of_the_hours_names_the_fleet_and_the_calendar(
    run: Run, fleet: Callable[[str], None], tmp_path: Path
) -> None:
    fleet("Mon-Fri 08:00-19:00")
    ran = run("init", "--cron")
    assert ran.code == 0
    lines = [line for line in ran.out.splitlines() if not line.startswith(("#", "CRON_TZ"))]
    assert [line.split(" ", 5)[:5] for line in lines] == [["0", "8", "*", "*", "1-5"], ["0", "19", "*", "*", "1-5"]]
    command = f"-f {tmp_path}/fleet.toml --log-file {tmp_path}/appfleet.jsonl apply --yes --format json"
    assert all(line.endswith(f"{command} > {tmp_path}/last.json  # office") for line in lines)
    fleet(ALWAYS)
    refused = run("init", "--cron")
    assert (refused.code, "ever begin or end" in refused.err) == (64, True)


def test_who_is_onboarded_outside_the_hours_is_told_when_the_apps_come(
    run: Run, fleet: Callable[[str], None], tmp_path: Path
) -> None:
    fleet(ANOTHER_DAY)
    text = (tmp_path / "fleet.toml").read_text().replace("schema = 1", 'schema = 1\ninclude = ["teams/*.toml"]')
    (tmp_path / "fleet.toml").write_text(text)
    ran = run("onboard", "audio", "--members", "eve", "--app", "lab", "--simulate=world.toml", "--yes")
    assert ran.code == 0
    assert f"JupyterLab default in space eve-lab: outside its hours (office), back {ANOTHER_DAY[:3]} 00:00" in ran.out


def test_a_fleet_without_hours_pays_nothing_for_time_zones(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(fleet_text(["ann"]))
    code = (
        "import sys; from pathlib import Path; from engine.config.fleet.fleet_file import load_fleet;"
        "load_fleet(Path(sys.argv[1])); print('engine.config.service.zones' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "fleet.toml")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout.strip() == "False"
