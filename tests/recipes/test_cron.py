"""The crontab: read as cron reads it, and run as cron runs it, with next to no variables."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.recipes.platforms import APPS, FAILING, RECIPES, Machine, write_fleet

if TYPE_CHECKING:
    from pathlib import Path

CRON_FIELD = re.compile(r"(?:\*|\d{1,2}(?:-\d{1,2})?)(?:/\d{1,2})?(?:,\d{1,2})*")
SETTING = re.compile(r"[A-Z]+ *=")


def lines() -> list[str]:
    return [line for line in (RECIPES / "appfleet.cron").read_text().splitlines() if line and line[0] != "#"]


def settings() -> dict[str, str]:
    """Return the variables that the crontab sets."""
    return dict(line.split("=", 1) for line in lines() if SETTING.match(line))


def jobs() -> list[tuple[list[str], str, str]]:
    """Return the five fields, the user and the command of each line of the crontab."""
    found = [line.split(None, 6) for line in lines() if not SETTING.match(line)]
    return [(job[:5], job[5], job[6]) for job in found]


@pytest.fixture
def machine(root: Path) -> Machine:
    """Return a machine as its crontab's first lines prepare it, with what cron gives a command and nothing else."""
    made = Machine(root, {**settings(), "HOME": "/nonexistent", "LOGNAME": "appfleet"})
    write_fleet(root / "srv/fleet")
    for name in ("var/lib/appfleet", "var/log/appfleet"):
        made.make(name, mode=0o750, ours=True)
    made.make("var/lib/node_exporter", ours=True)
    return made


def test_the_crontab_has_times_a_user_and_commands_without_a_percent_sign() -> None:
    assert len(jobs()) == 2
    for fields, user, command in jobs():
        assert all(CRON_FIELD.fullmatch(field) for field in fields)
        assert user == "appfleet"
        assert command.startswith("/usr/local/bin/appfleet ")
        assert "%" not in command  # cron makes a line break of it


@pytest.mark.slow
def test_two_nights_and_the_hours_between_are_quiet_and_remembered(machine: Machine) -> None:
    (_, _, nightly), (_, _, hourly) = jobs()
    kept = machine.root / "var/lib/appfleet"
    for night, outcome in enumerate(("created", "unchanged"), 1):
        ran = machine.run(nightly, machine.root)
        assert (ran.returncode, ran.stderr) == (0, "")  # else cron sends a mail
        report = json.loads((kept / "last.json").read_text())
        assert {app["key"]: app["outcome"] for app in report["apps"]} == dict.fromkeys(APPS, outcome)
        if night == 1:
            looked = machine.run(hourly, machine.root)
            assert (looked.returncode, looked.stderr) == (0, "")
            assert "Nothing to do" in (kept / "plan.txt").read_text()
        log = (machine.root / "var/log/appfleet/run.jsonl").read_text()
        assert log.count('"event":"run.finished"') == night
    assert "appfleet_last_run_exit_code" in (machine.root / "var/lib/node_exporter/appfleet.prom").read_text()
    assert "2 runs" in history(machine)


@pytest.mark.slow
def test_a_night_that_fails_is_mailed_and_what_it_learned_is_kept(machine: Machine) -> None:
    """One such night quarantines the app by this fleet's policy, so the second leaves it alone."""
    machine.simulated = FAILING
    (_, _, nightly), _ = jobs()
    seen = []
    for _ in range(2):
        ran = machine.run(nightly, machine.root)
        assert ran.returncode == 3
        report = json.loads((machine.root / "var/lib/appfleet/last.json").read_text())
        seen.append(next(app["outcome"] for app in report["apps"] if app["key"] == APPS[0]))
    assert seen == ["failed", "skipped"]


def history(machine: Machine) -> str:
    state = "/var/lib/appfleet/state"
    return machine.run(
        f"/usr/local/bin/appfleet -f /srv/fleet/fleet.toml --state-dir {state} history", machine.root
    ).stdout
