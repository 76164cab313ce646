"""The workflow: its rights, and its steps as a runner carries them out, with a cache that keeps what it is given."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.recipes.platforms import FAILING, RECIPES, RUN_MAX_SECONDS, Machine, write_fleet

COMMENT_MAX_CHARS = 65_536
RECORDER = '#!/bin/sh\nprintf "%s\\n" "$@" > {root}/{name}-arguments\n'
FULL_HASH = re.compile(r"[0-9a-f]{40}")


def workflow() -> dict[Any, Any]:
    return dict(yaml.safe_load((RECIPES / "github-actions.yml").read_text()))


def steps(job: str) -> list[dict[str, Any]]:
    return list(workflow()["jobs"][job]["steps"])


@dataclass
class Runner:
    """A runner: a new machine and a new checkout for each run, and a cache that outlives them."""

    machine: Machine
    runs: int = 0
    cache: dict[str, bytes] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.machine.root / "checkout"

    def job(self, name: str) -> tuple[int, list[str]]:
        """Carry out a job on a new checkout; return the exit code of the step that failed, or 0, and all output."""
        self.runs += 1
        shutil.rmtree(self.home, ignore_errors=True)
        write_fleet(self.home)
        self.machine.give(self.home)
        failed, output = 0, []
        for step in steps(name):
            if failed and "always()" not in step.get("if", ""):
                continue
            if "hashFiles('plan.md')" in step.get("if", "") and not (self.home / "plan.md").exists():
                continue
            if "run" in step:
                ran = self._run(step)
                output.append(ran.stdout + ran.stderr)
                failed = failed or ran.returncode
            else:
                self._use(step)
        return failed, output

    def _run(self, step: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        variables = {**workflow()["env"], **step.get("env", {})}
        known = {"GITHUB_STEP_SUMMARY": str(self.machine.root / "summary.md"), "PULL_REQUEST": "7", "GH_TOKEN": "x"}
        return self.machine.run(f"set -e\n{step['run']}", self.home, by="/bin/bash", **{**variables, **known})

    def _use(self, step: dict[str, Any]) -> None:
        action = step["uses"].split("@")[0]
        if action == "actions/cache/restore":
            wanted = self._key(step["with"]["key"])
            prefix = step["with"].get("restore-keys", "")
            newest = next((key for key in reversed(self.cache) if prefix and key.startswith(prefix)), None)
            data = self.cache.get(wanted, self.cache.get(newest or ""))
            if data is not None:
                with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                    archive.extractall(self.home, filter="tar")
                self.machine.give(self.home / step["with"]["path"])
        elif action == "actions/cache/save":
            path = self.home / step["with"]["path"]
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w") as archive:
                archive.add(path, arcname=step["with"]["path"])
            self.cache.setdefault(self._key(step["with"]["key"]), buffer.getvalue())  # a key is written once
        else:
            assert action in {"actions/checkout", "actions/setup-python", "aws-actions/configure-aws-credentials"}

    def _key(self, text: str) -> str:
        return text.replace("${{ github.run_id }}", str(self.runs)).replace("${{ github.run_attempt }}", "1")


@pytest.fixture
def runner(root: Path) -> Runner:
    binaries = root / "bin"
    binaries.mkdir()
    for name in ("pip", "gh"):
        (binaries / name).write_text(RECORDER.format(root=root, name=name))
        (binaries / name).chmod(0o755)
    path = os.pathsep.join((str(binaries), str(Path(sys.executable).parent), "/usr/bin", "/bin"))
    machine = Machine(root, {"PATH": path, "HOME": str(root), "CI": "true"})
    for name in ("summary.md", "pip-arguments", "gh-arguments"):
        (root / name).touch()
        machine.give(root / name)
    return Runner(machine)


@pytest.mark.slow
def test_a_pull_request_gets_the_plan_as_a_comment(runner: Runner) -> None:
    code, output = runner.job("plan")
    assert code == 0, output
    assert (runner.machine.root / "gh-arguments").read_text().split()[:3] == ["pr", "comment", "7"]
    comment = (runner.home / "plan.md").read_text()
    assert comment.startswith("### Plan: 2 to create")
    assert len(comment) < COMMENT_MAX_CHARS
    assert runner.cache == {}


@pytest.mark.slow
def test_two_merges_in_a_row(runner: Runner) -> None:
    for count in (2, 0):
        code, output = runner.job("apply")
        assert code == 0, output
        summary = (runner.machine.root / "summary.md").read_text()
        assert f"of {count} apps changed" in summary or count == 0
    assert "converged" in summary
    assert len(runner.cache) == 2
    code, output = runner.job("plan")  # the pull request after that sees the same state
    assert (runner.home / "plan.md").read_text().startswith("### Plan: 0 to create"), output


@pytest.mark.slow
def test_the_state_of_a_run_that_fails_is_kept(runner: Runner) -> None:
    """Else `once`, quarantine and the learned rate would be lost by the runs that need them most."""
    runner.machine.simulated = FAILING
    assert [runner.job("apply")[0] for _ in range(2)] == [3, 3]
    assert len(runner.cache) == 2
    assert "quarantined" in (runner.machine.root / "summary.md").read_text()


@pytest.mark.parametrize("job", ["plan", "apply"])
def test_what_is_installed_is_one_commit_with_its_constraints(runner: Runner, job: str) -> None:
    runner.home.mkdir()
    (install,) = (step for step in steps(job) if step.get("name") == "Install")
    assert runner._run(install).returncode == 0
    revision = workflow()["env"]["REVISION"]
    assert FULL_HASH.fullmatch(revision)
    command, option, constraints, requirement = (runner.machine.root / "pip-arguments").read_text().splitlines()
    assert (command, option) == ("install", "--constraint")
    assert f"/{revision}/constraints/pinned.txt" in constraints
    assert re.fullmatch(rf"appfleet @ git\+https://\S+@{revision}", requirement)


@pytest.mark.parametrize("job", ["plan", "apply"])
def test_every_script_of_the_workflow_is_one(job: str) -> None:
    scripts = [step["run"] for step in steps(job) if "run" in step]
    assert scripts
    for script in scripts:
        subprocess.run(["/bin/bash", "-n", "-c", script], check=True, timeout=RUN_MAX_SECONDS)
        assert "${{" not in script  # what comes from outside goes in by a variable, never into the script


def test_the_workflow_may_do_no_more_than_it_needs() -> None:
    assert workflow()["permissions"] == {"contents": "read", "id-token": "write", "pull-requests": "write"}
    assert workflow()["concurrency"]["cancel-in-progress"] is False
    assert set(workflow()[True]) == {"pull_request", "push"}  # YAML reads `on` as a boolean


def test_a_plan_never_takes_an_applys_place_in_the_queue() -> None:
    """A group holds one that waits; a newer one replaces it."""
    assert workflow()["concurrency"]["group"] == "appfleet-${{ github.event.pull_request.number || 'apply' }}"
