"""The workflow and the action that it uses: their rights, and their steps as a runner carries them out.

The runner is one of a few lines: it knows the contexts, functions and files that the two use, and a cache that keeps
what it is given. `python` and `pip` only record what they are asked to install.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.files import ROOT, unpack
from tests.recipes.platforms import APPFLEET, FAILING, RECIPES, RUN_MAX_SECONDS, Machine, write_fleet

COMMENT_MAX_CHARS = 65_536
RECORDER = '#!/bin/sh\nprintf "%s\\n" "$@" >> {root}/{name}-arguments\n'
# `python -I -m venv FOLDER`: a folder with a pip that records, and the appfleet that is tested.
VENV = """#!/bin/sh
test "$1 $2 $3" = "-I -m venv" || exit 99
mkdir -p "$4/bin"
ln -s {root}/bin/pip {appfleet} "$4/bin/"
"""
PINNED = re.compile(r"example-org/appfleet@[0-9a-f]{40}")
EXPRESSION = re.compile(r"\$\{\{ ([^}]*) \}\}")
NOT_S3 = re.compile(r"!startsWith\(([\w.-]+), 's3://'\)")
COMPARED = re.compile(r"([\w.-]+) (==|!=) '([^']*)'")
PLATFORMS_OWN = {"actions/checkout", "actions/setup-python", "aws-actions/configure-aws-credentials"}


def workflow() -> dict[Any, Any]:
    return dict(yaml.safe_load((RECIPES / "github-actions.yml").read_text()))


def action() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "action.yml").read_text()))


def use(job: str) -> dict[str, Any]:
    """Return the step of the workflow that uses the action."""
    (found,) = (step for step in workflow()["jobs"][job]["steps"] if PINNED.fullmatch(step["uses"]))
    return dict(found)


@dataclass
class Runner:
    """A runner: a new machine and a new checkout for each run, and a cache that outlives them."""

    machine: Machine
    runs: int = 0
    cache: dict[str, bytes] = field(default_factory=dict)
    contexts: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.machine.root / "checkout"

    def job(self, name: str, **more: str) -> tuple[int, list[str]]:
        """Carry out a job of the workflow; return the exit code of what failed, or 0, and the output."""
        event = workflow()["jobs"][name]["if"].removeprefix("github.event_name == ").strip("'")
        others = {step["uses"].split("@")[0] for step in workflow()["jobs"][name]["steps"]} - {"example-org/appfleet"}
        assert others == PLATFORMS_OWN
        return self.action(event, **{**use(name)["with"], **more})

    def action(self, event: str = "push", **inputs: str) -> tuple[int, list[str]]:
        """Carry out the action on a new checkout; `inputs` may write a hyphen as an underscore."""
        self._begin(event, {name.replace("_", "-"): value for name, value in inputs.items()})
        failed, output = 0, []
        for step in action()["runs"]["steps"]:
            if not self._applies(step.get("if", ""), bool(failed)):
                continue
            if "run" in step:
                ran = self._run(step)
                output.append(ran.stdout + ran.stderr)
                failed = failed or ran.returncode
                self._read_outputs(step.get("id", ""))
            else:
                self._use(step)
        return failed, output

    def output(self, name: str) -> str:
        """Return an output of the action after its steps."""
        return self._filled(action()["outputs"][name]["value"])

    def _begin(self, event: str, inputs: dict[str, str]) -> None:
        self.runs += 1
        for folder in (self.home, self.machine.root / "temp"):
            shutil.rmtree(folder, ignore_errors=True)
        self.machine.make("temp", ours=True)
        for name in ("output", "path"):
            (self.machine.root / name).write_text("")
            self.machine.give(self.machine.root / name)
        write_fleet(self.home)
        self.machine.give(self.home)
        defaults = {name: given.get("default", "") for name, given in action()["inputs"].items()}
        assert inputs.keys() <= defaults.keys()
        self.contexts = {
            "github.event_name": event, "github.run_id": str(self.runs), "github.run_attempt": "1", "github.token": "x",
            "github.repository": "example-org/fleet",
            "github.event.pull_request.number": "7" if event == "pull_request" else "",
        }  # fmt: skip
        self.contexts |= {f"inputs.{name}": self._filled(value) for name, value in {**defaults, **inputs}.items()}

    def _filled(self, text: str) -> str:
        """Put the values of contexts into a text: those of an `||` that has one."""

        def value(found: re.Match[str]) -> str:
            return next(filter(None, (self.contexts.get(name, "") for name in found[1].split(" || "))), "")

        return EXPRESSION.sub(value, text)

    def _applies(self, condition: str, has_failed: bool) -> bool:
        terms = condition.split(" && ") if condition else []
        if has_failed and "always()" not in terms:
            return False
        return all(self._is_true(term) for term in terms if term != "always()")

    def _is_true(self, term: str) -> bool:
        if found := NOT_S3.fullmatch(term):
            return not self.contexts[found[1]].startswith("s3://")
        found = COMPARED.fullmatch(term)
        assert found is not None, term
        return (self.contexts[found[1]] == found[3]) is (found[2] == "==")

    def _run(self, step: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        assert step["shell"] == "bash"
        root = self.machine.root
        given = {name: self._filled(value) for name, value in step.get("env", {}).items()}
        before = os.pathsep.join([*(root / "path").read_text().split(), self.machine.variables["PATH"]])
        files = {"STEP_SUMMARY": "summary.md", "OUTPUT": "output", "PATH": "path"}
        known = {f"GITHUB_{name}": str(root / file) for name, file in files.items()} | {
            "RUNNER_TEMP": str(root / "temp")
        }
        return self.machine.run(
            f"set -eo pipefail\n{step['run']}", self.home, by="/bin/bash",
            **{**given, **known, "PATH": before, "GITHUB_ACTION_PATH": str(ROOT), "RUNNER_TEMP": str(root / "temp")},
        )  # fmt: skip

    def _read_outputs(self, step_id: str) -> None:
        file = self.machine.root / "output"
        for line in file.read_text().splitlines():
            name, _, value = line.partition("=")
            self.contexts[f"steps.{step_id}.outputs.{name}"] = value
        file.write_text("")

    def _use(self, step: dict[str, Any]) -> None:
        name = step["uses"].split("@")[0]
        path = self._filled(step["with"]["path"])
        wanted = self._filled(step["with"]["key"])
        if name == "actions/cache/restore":
            prefix = step["with"]["restore-keys"]
            newest = next((key for key in reversed(self.cache) if key.startswith(prefix)), "")
            data = self.cache.get(wanted, self.cache.get(newest))
            if data is not None:
                with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                    unpack(archive, self.home)
                self.machine.give(self.home / path)
        else:
            assert name == "actions/cache/save"
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w") as archive:
                archive.add(self.home / path, arcname=path)
            self.cache.setdefault(wanted, buffer.getvalue())  # a key is written once


@pytest.fixture
def runner(root: Path) -> Runner:
    binaries = root / "bin"
    binaries.mkdir()
    programs = {name: RECORDER.format(root=root, name=name) for name in ("pip", "gh")}
    programs["python"] = VENV.format(root=root, appfleet=APPFLEET)
    for name, text in programs.items():
        (binaries / name).write_text(text)
        (binaries / name).chmod(0o755)
    path = os.pathsep.join((str(binaries), "/usr/bin", "/bin"))
    machine = Machine(root, {"PATH": path, "HOME": str(root), "CI": "true"})
    for name in ("summary.md", "pip-arguments", "gh-arguments"):
        (root / name).touch()
        machine.give(root / name)
    return Runner(machine)


@pytest.mark.slow
def test_a_pull_request_gets_the_plan_as_a_comment(runner: Runner) -> None:
    code, output = runner.job("plan")
    assert code == 0, output
    said = (runner.machine.root / "gh-arguments").read_text().splitlines()
    assert said[:3] == ["pr", "comment", "7"]
    comment = Path(said[-1]).read_text()
    assert comment.startswith("### Plan: 2 to create")
    assert len(comment) < COMMENT_MAX_CHARS
    assert (runner.machine.root / "summary.md").read_text() == comment
    assert (runner.output("exit-code"), runner.output("changes")) == ("2", "true")
    assert runner.cache == {}


@pytest.mark.slow
def test_two_merges_in_a_row(runner: Runner) -> None:
    for count in (2, 0):
        code, output = runner.job("apply")
        assert code == 0, output
        summary = (runner.machine.root / "summary.md").read_text()
        assert f"of {count} apps changed" in summary or count == 0
    assert "converged" in summary
    assert runner.output("exit-code") == "0"
    assert len(runner.cache) == 2
    code, output = runner.job("plan", comment="false")  # the pull request after that sees the same state
    assert (runner.machine.root / "temp" / "plan.md").read_text().startswith("### Plan: 0 to create"), output
    assert (runner.output("exit-code"), runner.output("changes")) == ("0", "false")
    assert (runner.machine.root / "gh-arguments").read_text() == ""


@pytest.mark.slow
def test_the_state_of_a_run_that_fails_is_kept(runner: Runner) -> None:
    """Else `once`, quarantine and the learned rate would be lost by the runs that need them most."""
    runner.machine.simulated = FAILING
    assert [runner.job("apply")[0] for _ in range(2)] == [3, 3]
    assert runner.output("exit-code") == "3"
    assert len(runner.cache) == 2
    assert "quarantined" in (runner.machine.root / "summary.md").read_text()


def test_what_is_installed_is_the_commit_of_the_action_with_the_hashes_that_it_has(runner: Runner) -> None:
    assert runner.action(command="install", state_dir="s3://bucket/prefix")[0] == 0
    words = (runner.machine.root / "pip-arguments").read_text().split()
    first, second = " ".join(words).removeprefix("install ").split(" install ")
    assert "--require-hashes" in first
    assert [word for word in first.split() if word.startswith("/")] == [
        str(ROOT / "constraints" / name) for name in ("hashed.txt", "build.txt")
    ]
    assert second.split() == ["--quiet", "--no-deps", "--no-build-isolation", str(ROOT)]
    assert (runner.machine.root / "path").read_text() == f"{runner.machine.root}/temp/appfleet/bin\n"


@pytest.mark.slow
def test_no_input_becomes_a_part_of_a_script(runner: Runner) -> None:
    """Nor do the words of the arguments become commands or the names of files."""
    for inputs in (
        {"command": "plan; touch pwned"},
        {"command": "plan", "file": "$(touch pwned).toml"},
        {"command": "plan", "arguments": "--team * ; touch pwned $(touch pwned) `touch pwned`"},
        {"command": "apply", "state-dir": "'; touch pwned; '", "arguments": "| touch pwned"},
    ):
        code, output = runner.action("pull_request", **inputs)
        assert code == 64, output
        assert not (runner.home / "pwned").exists()


def test_every_script_of_the_action_is_one_and_takes_values_from_variables_alone() -> None:
    scripts = [step["run"] for step in action()["runs"]["steps"] if "run" in step]
    assert len(scripts) == 5
    for script in scripts:
        subprocess.run(["/bin/bash", "-n", "-c", script], check=True, timeout=RUN_MAX_SECONDS)
        assert "${{" not in script


def test_the_action_describes_what_it_takes_and_gives() -> None:
    assert action()["runs"]["using"] == "composite"
    assert all(given["description"] for part in ("inputs", "outputs") for given in action()[part].values())


@pytest.mark.parametrize("job", ["plan", "apply"])
def test_the_workflow_runs_no_script_of_its_own_and_gives_the_action_what_it_knows(job: str) -> None:
    assert not [step for step in workflow()["jobs"][job]["steps"] if "run" in step]
    assert use(job)["with"].keys() <= action()["inputs"].keys()


def test_every_workflow_uses_one_commit_of_the_action() -> None:
    used = [
        line.split("uses: ")[1]
        for path in RECIPES.glob("*.yml")
        for line in path.read_text().splitlines()
        if "uses: example-org/" in line
    ]
    assert len(used) == 6
    assert len(set(used)) == 1
    assert PINNED.fullmatch(used[0])


def test_the_workflow_may_do_no_more_than_it_needs() -> None:
    assert workflow()["permissions"] == {"contents": "read", "id-token": "write", "pull-requests": "write"}
    assert workflow()["concurrency"]["cancel-in-progress"] is False
    assert set(workflow()[True]) == {"pull_request", "push"}  # YAML reads `on` as a boolean


def test_a_plan_never_takes_an_applys_place_in_the_queue() -> None:
    """A group holds one that waits; a newer one replaces it."""
    assert workflow()["concurrency"]["group"] == "appfleet-${{ github.event.pull_request.number || 'apply' }}"
