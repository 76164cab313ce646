"""The recipes are what they say: their files are read as their readers read them, and their commands run.

Commands run in a copy of the example fleet against the simulated service; folders of a server are replaced by those
of the test, and `gh` by a script that keeps what it was told. What only a cluster, a forge or an init system could show
is not claimed.
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.files import ROOT

RECIPES = ROOT / "docs" / "recipes"
RUN_MAX_SECONDS = 180
COMMENT_MAX_CHARS = 65_536
CRON_FIELD = re.compile(r"(?:\*|\d{1,2}(?:-\d{1,2})?)(?:/\d{1,2})?(?:,\d{1,2})*")
RECORDING_GH = '#!/bin/sh\nprintf "%s\\n" "$@" > gh-arguments\n'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a folder that stands for the server's root, with the example fleet in /srv/fleet and in /fleet."""
    for home in ("srv/fleet", "fleet"):
        (tmp_path / home).mkdir(parents=True)
        shutil.copy(ROOT / "fleet.toml", tmp_path / home)
        for folder in ("teams", "policies"):
            shutil.copytree(ROOT / folder, tmp_path / home / folder)
    for folder in ("var/lib/appfleet", "var/log/appfleet", "var/lib/node_exporter", "state", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "var/lib/appfleet").chmod(0o700)
    gh = tmp_path / "bin" / "gh"
    gh.write_text(RECORDING_GH)
    gh.chmod(0o755)
    return tmp_path


def below(command: str, root: Path) -> str:
    """Put the absolute paths of a command below `root`."""
    return re.sub(r"(?<![\w.])/(srv|var|fleet|state)(?=/)", rf"{root}/\1", command)


def run(command: str, root: Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "APPFLEET_"))}
    path = os.pathsep.join((str(root / "bin"), str(Path(sys.executable).parent), kept.get("PATH", "")))
    environment = {**kept, "PATH": path, "APPFLEET_SIMULATE": "true", "APPFLEET_TEAM": "vision", **variables}
    return subprocess.run(
        ["/bin/bash", "-e", "-c", command],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=RUN_MAX_SECONDS,
    )  # fmt: skip


def cron_jobs() -> list[tuple[list[str], str, str]]:
    """Give the five fields, the user and the command of each line of the crontab."""
    lines = [line for line in (RECIPES / "appfleet.cron").read_text().splitlines() if line and line[0] != "#"]
    jobs = [line.split(None, 6) for line in lines if "=" not in line.split(None, 1)[0]]
    return [(job[:5], job[5], job[6]) for job in jobs]


def workflow() -> dict[Any, Any]:
    return dict(yaml.safe_load((RECIPES / "github-actions.yml").read_text()))


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((RECIPES / "kubernetes-cronjob.yaml").read_text()))


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    parser.read_string((RECIPES / name).read_text())
    return parser


def test_the_crontab_has_times_a_user_and_commands_without_a_percent_sign() -> None:
    assert len(cron_jobs()) == 2
    for fields, user, command in cron_jobs():
        assert all(CRON_FIELD.fullmatch(field) for field in fields)
        assert user == "appfleet"
        assert command.startswith("appfleet ")
        assert "%" not in command  # cron makes a line break of it


@pytest.mark.slow
def test_the_crontabs_commands_run(place: Path) -> None:
    nightly, looking = (below(command, place) for _, _, command in cron_jobs())
    ran = run(nightly, place, place)
    assert ran.returncode == 0, ran.stderr
    assert (place / "var/lib/appfleet/last.json").read_text().startswith("{")
    assert "appfleet_last_run_exit_code" in (place / "var/lib/node_exporter/appfleet.prom").read_text()
    assert '"event":"run.finished"' in (place / "var/log/appfleet/run.jsonl").read_text()
    assert run(looking, place, place).returncode == 0  # nothing is left to do


@pytest.mark.slow
def test_the_services_command_runs(place: Path) -> None:
    service = unit("appfleet.service")["Service"]
    command = below(service["ExecStart"].replace("/usr/local/bin/", ""), place)
    ran = run(command, place, place / "srv/fleet")
    assert ran.returncode == 0, ran.stderr
    assert service["Type"] == "oneshot"
    assert unit("appfleet.timer")["Timer"]["OnCalendar"] == "*-*-* 01:15:00"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for name in ("appfleet.service", "appfleet.timer"):
        text = (RECIPES / name).read_text()
        (tmp_path / name).write_text(text.replace("/usr/local/bin/appfleet", sys.executable))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True, text=True, check=False, timeout=RUN_MAX_SECONDS,
    )  # fmt: skip
    complaints = [line for line in ran.stderr.splitlines() if "appfleet" in line]
    assert complaints == []


@pytest.mark.parametrize("job", ["plan", "apply"])
def test_every_script_of_the_workflow_is_one(job: str) -> None:
    scripts = [step["run"] for step in workflow()["jobs"][job]["steps"] if "run" in step]
    assert scripts
    for script in scripts:
        subprocess.run(["/bin/bash", "-n", "-c", script], check=True, timeout=RUN_MAX_SECONDS)
        assert "${{" not in script  # what comes from outside goes in by a variable, never into the script


def test_the_workflow_may_do_no_more_than_it_needs() -> None:
    assert workflow()["permissions"] == {"contents": "read", "id-token": "write", "pull-requests": "write"}
    assert workflow()["concurrency"]["cancel-in-progress"] is False
    assert set(workflow()[True]) == {"pull_request", "push"}  # YAML reads `on` as a boolean


@pytest.mark.slow
def test_the_workflows_scripts_run(place: Path) -> None:
    home = place / "srv/fleet"
    summary = place / "summary.md"
    variables = {"GITHUB_STEP_SUMMARY": str(summary), "PULL_REQUEST": "7"}
    for job in ("plan", "apply"):
        for step in workflow()["jobs"][job]["steps"]:
            if "run" in step and step["name"] != "Install":
                ran = run(step["run"], place, home, **variables)
                assert ran.returncode == 0, f"{step['name']}\n{ran.stdout}{ran.stderr}"
    assert (home / "gh-arguments").read_text().split()[:3] == ["pr", "comment", "7"]
    comment = (home / "plan.md").read_text()
    assert comment.startswith("### Plan: ")
    assert len(comment) < COMMENT_MAX_CHARS
    assert "converged" in summary.read_text()


def test_the_manifests_are_whole() -> None:
    kinds = {document["kind"]: document for document in manifests()}
    assert set(kinds) == {"PersistentVolumeClaim", "ServiceAccount", "CronJob"}
    job = kinds["CronJob"]["spec"]
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    assert job["concurrencyPolicy"] == "Forbid"
    assert all(CRON_FIELD.fullmatch(field) for field in job["schedule"].split())
    assert pod["serviceAccountName"] == kinds["ServiceAccount"]["metadata"]["name"]
    (container,) = pod["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    claims = [
        volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume
    ]
    assert claims == [kinds["PersistentVolumeClaim"]["metadata"]["name"]]
    assert pod["securityContext"]["runAsNonRoot"] is True


@pytest.mark.slow
def test_the_containers_command_runs(place: Path) -> None:
    (job,) = (document for document in manifests() if document["kind"] == "CronJob")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    command = shlex.join([*container["command"], *container["args"]])
    command = command.replace("=/fleet/", f"={place}/fleet/").replace("=/state/", f"={place}/state/")
    ran = run(command, place, place)
    assert ran.returncode == 0, ran.stderr
    assert (place / "state/appfleet").is_dir()


def test_every_recipe_stands_on_the_page() -> None:
    page = (RECIPES / "README.md").read_text()
    files = {path.name for path in RECIPES.iterdir()} - {"README.md"}
    assert {name for name in files if f"({name})" not in page} == set()
