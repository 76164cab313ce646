"""The units: what systemd says of them, and their command in the folders that systemd lays out for a dynamic user."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recipes.platforms import FAILING, OTHER_USERS, RECIPES, RUN_MAX_SECONDS, Machine, write_fleet

UNITS = ("appfleet.service", "appfleet.timer")
FIRST_USER, SECOND_USER = 61184, 61185  # of the range that systemd takes dynamic users from


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    parser.read_string((RECIPES / name).read_text())
    return parser


@pytest.fixture
def machine(root: Path) -> Machine:
    """Return a machine with the state folder of a dynamic user: a link of root's to a folder of the user's."""
    state = root / "var/lib/private/appfleet"
    variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8", "STATE_DIRECTORY": str(state)}
    made = Machine(root, variables, user=FIRST_USER)
    write_fleet(root / "srv/fleet")
    made.make("var/lib/private/appfleet", mode=0o700, ours=True)
    (root / "var/lib/appfleet").symlink_to("private/appfleet")
    return made


def start(machine: Machine) -> subprocess.CompletedProcess[str]:
    """Run the service once."""
    service = unit("appfleet.service")["Service"]
    return machine.run(service["ExecStart"], Path(machine.below(f"{service['WorkingDirectory']}/")))


@pytest.mark.slow
def test_two_nights_under_two_dynamic_users(machine: Machine) -> None:
    """The number of a dynamic user may change; systemd gives it the folder then."""
    first = start(machine)
    assert (first.returncode, "2 created" in first.stdout) == (0, True), first.stderr
    machine.user = SECOND_USER
    machine.give(machine.root / "var/lib/private/appfleet")
    second = start(machine)
    assert second.returncode == 0, second.stderr
    assert "created" not in second.stdout
    assert "is new" not in second.stdout + second.stderr  # the first night is remembered


@pytest.mark.slow
def test_a_night_that_fails_fails_the_unit_and_is_remembered(machine: Machine) -> None:
    machine.simulated = FAILING
    first, second = start(machine), start(machine)
    assert (first.returncode, second.returncode) == (3, 3)
    assert "SuccessExitStatus" not in unit("appfleet.service")["Service"]
    assert "quarantined" not in first.stdout
    assert "quarantined" in second.stdout


@pytest.mark.slow
def test_the_state_folder_by_the_name_of_its_link_is_refused_with_a_name_that_works(machine: Machine) -> None:
    """What a reader of systemd's manual types first."""
    status = "/usr/local/bin/appfleet -f /srv/fleet/fleet.toml --state-dir {} status"
    refused = machine.run(status.format("/var/lib/appfleet"), machine.root)
    assert refused.returncode == 1
    hint = f"--state-dir {machine.root}/var/lib/private/appfleet"
    assert hint in refused.stderr.replace("\n", " ")
    assert machine.run(status.format("/var/lib/private/appfleet"), machine.root).returncode == 0


def test_the_timer_alone_is_enabled() -> None:
    """A service that is wanted by a target would run at every boot as well."""
    assert unit("appfleet.service")["Service"]["Type"] == "oneshot"
    assert not unit("appfleet.service").has_section("Install")
    assert unit("appfleet.timer")["Install"]["WantedBy"] == "timers.target"
    assert unit("appfleet.timer")["Timer"]["OnCalendar"] == "*-*-* 01:15:00"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for name in UNITS:
        text = (RECIPES / name).read_text()
        (tmp_path / name).write_text(text.replace("/usr/local/bin/appfleet", sys.executable))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *(str(tmp_path / name) for name in UNITS)],
        capture_output=True, text=True, check=False, timeout=RUN_MAX_SECONDS,
    )  # fmt: skip
    complaints = [line for line in ran.stderr.splitlines() if "appfleet" in line]
    assert complaints == []


@pytest.mark.skipif(not OTHER_USERS, reason="needs root and setpriv, to have two users")
@pytest.mark.slow
def test_the_folder_of_another_user_is_refused(machine: Machine) -> None:
    """Without systemd's change of owner the second user must not write into the first one's journal."""
    assert start(machine).returncode == 0
    state = machine.root / "var/lib/private/appfleet"
    os.chown(state, SECOND_USER, SECOND_USER)
    machine.user = SECOND_USER
    ran = start(machine)
    assert ran.returncode == 1
    assert f"belongs to user {FIRST_USER}, and this run is user {SECOND_USER}" in ran.stderr.replace("\n", " ")
