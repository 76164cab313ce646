"""The recipes of shards: each step's commands as its scheduler starts them, shards as processes at the same time.

Buckets are folders here, one of the state for each process, as the simulated service keeps its world in one.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.recipes.platforms import APPFLEET, RECIPES, RUN_MAX_SECONDS, WELL

if TYPE_CHECKING:
    from pathlib import Path

SHARDS = 4
STEPS = ("plan", "gate", "apply", "gather")
BUCKET = "s3://acme-appfleet/prod"
DOMAIN = """[domains.d{number}]
id = "d-{number:012}"
region = "eu-west-1"
account = "{number:012}"
[domains.d{number}.teams.vision]
members = ["ana", "bo"]
user_apps = ["canvas"]
"""
Step = tuple[str, dict[str, str]]  # a command and the variables that its scheduler gives it


def kubernetes(_: Path) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    text = (RECIPES / "kubernetes-indexed-jobs.yaml").read_text().replace("NIGHT", "20261201")
    for job in yaml.safe_load_all(text):
        spec, (container,) = job["spec"], job["spec"]["template"]["spec"]["containers"]
        indexed = spec.get("completionMode") == "Indexed"
        assert spec.get("parallelism") == spec.get("completions")
        words = [*container["command"], *container["args"]]
        found[job["metadata"]["labels"]["step"]] = [
            (shlex.join(word.replace("$(JOB_COMPLETION_INDEX)", str(index)) for word in words), {})
            for index in range(spec["completions"] if indexed else 1)
        ]
    return found


def github(_: Path) -> dict[str, list[Step]]:
    workflow = yaml.safe_load((RECIPES / "github-matrix.yml").read_text())
    variables = {name: re.sub(r"\$\{\{[^}]*\}\}", "1", value) for name, value in workflow["env"].items()}
    found: dict[str, list[Step]] = {}
    for name, job in workflow["jobs"].items():
        command = job["steps"][-1]["run"]
        total = len(job["strategy"]["matrix"]["shard"]) if "strategy" in job else 1
        found[name] = [
            (command.replace("${{ strategy.job-index }}", str(index)).replace("${{ strategy.job-total }}", str(total)),
             {**variables, "GITHUB_STEP_SUMMARY": "summary.md"})
            for index in range(total)
        ]  # fmt: skip
    needs = {name: job.get("needs") for name, job in workflow["jobs"].items()}
    assert needs == {"plan": None, "gate": "plan", "apply": "gate", "gather": ["gate", "apply"]}
    return found


def batch(folder: Path) -> dict[str, list[Step]]:
    """Run the script with an `aws` that writes down what is submitted, and names each job by its step."""
    aws = folder / "bin" / "aws"
    aws.parent.mkdir()
    aws.write_text(
        '#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done >> submitted\necho - >> submitted\necho "id-$4"\n'
    )
    aws.chmod(0o755)
    ran = subprocess.run(
        [str(RECIPES / "aws-batch.sh")], cwd=folder, env={"PATH": f"{aws.parent}:/usr/bin:/bin"},
        capture_output=True, text=True, check=True, timeout=RUN_MAX_SECONDS,
    )  # fmt: skip
    assert ran.stdout == "id-appfleet-gather\n"
    found: dict[str, list[Step]] = {}
    before = ""
    for job in (folder / "submitted").read_text().removesuffix("-\n").split("\n-\n"):
        words = job.rstrip("\n").split("\n")
        options = dict(zip(words[2::2], words[3::2], strict=True))
        assert options.get("--depends-on", "") == (f"jobId={before}" if before else "")
        before = f"id-{options['--job-name']}"
        command = json.loads(options["--container-overrides"])["command"]
        size = int(options.get("--array-properties", "size=1").removeprefix("size="))
        step = options["--job-name"].removeprefix("appfleet-")
        found[step] = [(shlex.join(command), {"AWS_BATCH_JOB_ARRAY_INDEX": str(index)}) for index in range(size)]
    return found


@pytest.fixture
def fleet(root: Path) -> Path:
    folder = root / "fleet"
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "execution.toml").write_text("[execution]\ncreate_rate = 100\ncreate_rate_max = 100\n")
    (folder / "teams").mkdir()
    head = 'schema = 1\nname = "nightly"\n[apps.canvas]\ntype = "Canvas"\n'
    (folder / "fleet.toml").write_text(head + "".join(DOMAIN.format(number=number) for number in range(1, 7)))
    (root / "scenario.toml").write_text(WELL)
    return folder


def start(folder: Path, number: int, step: Step) -> subprocess.CompletedProcess[str]:
    """Run one command, its buckets as folders below `folder`."""
    command, variables = step
    root = folder.parent

    def local(text: str) -> str:
        text = text.replace(f"{BUCKET}/plans", f"{root}/plans").replace("/fleet/", f"{folder}/")
        return text.replace(BUCKET, f"{root}/state-{number}")

    environment = {name: local(value) for name, value in variables.items()}
    environment |= {"PATH": f"{APPFLEET.parent}:/usr/bin:/bin", "HOME": str(root)}
    environment["APPFLEET_SIMULATE"] = str(root / "scenario.toml")
    return subprocess.run(
        ["/bin/sh", "-c", local(command)], cwd=folder, env=environment, capture_output=True, text=True, check=False,
        timeout=RUN_MAX_SECONDS, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [kubernetes, github, batch], ids=lambda recipe: recipe.__name__)
def test_the_steps_of_a_recipe_make_every_app_once(fleet: Path, recipe: object) -> None:
    steps = recipe(fleet.parent)  # type: ignore[operator]
    assert tuple(steps) == STEPS
    assert [len(steps[name]) for name in STEPS] == [SHARDS, 1, SHARDS, 1]
    for name in STEPS:
        with ThreadPoolExecutor(SHARDS) as machines:
            ended = list(machines.map(lambda numbered: start(fleet, *numbered), enumerate(steps[name])))
        assert [ran.returncode for ran in ended] == [0] * len(ended), f"{name}: {[ran.stderr for ran in ended]}"
    (report,) = (fleet.parent / "plans").glob("*/report.json")
    document = json.loads(report.read_text())
    assert document["summary"] == {"created": 12}
    assert [line["lane"] for line in document["lanes"]] == [f"{number:012}/eu-west-1" for number in range(1, 7)]
    assert {line["shard"] for line in document["lanes"]} == {f"{index}/{SHARDS}" for index in range(SHARDS)}
