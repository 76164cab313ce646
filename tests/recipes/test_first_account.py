"""README's way from credentials to a nightly run, in its order, against one simulated account."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.core.desired import AppSpec
from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.service.app_operations import place_app
from engine.simulator.service.owner_operations import add_domain, create_profile, create_space, space_settings
from engine.simulator.world.records import app_id
from engine.simulator.world.world import World
from tests.architecture.test_readme import COMMAND_MAX_SECONDS, blocks, matches, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT = "123456789012"
DOMAIN_ID = "d-abcd1234efgh"
# What another run prints otherwise, and what a simulated account prints and a real one does not.
VARYING = (
    (r", endpoint http://\S+", ""),
    (r"Note: Calls for account .* is not an AWS endpoint\n", ""),
    (r"(starting a new journal in ).*(my-fleet/)", r"\1\2"),
    (r"\d{8}T\d{6}Z-[0-9a-f]{6}", "RUN"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "TIME"),
    (r"\b\d+\.\d\b", "0.0"),
    (r"\b([A-Z]\w+) \d+ ok", r"\1 0 ok"),
)


def steady(lines: list[str]) -> list[str]:
    """Return what does not vary from run to run."""
    text = "".join(f"{line}\n" for line in lines)
    for pattern, instead in VARYING:
        text = re.sub(pattern, instead, text)
    return text.splitlines()


@pytest.fixture
def account() -> Iterator[str]:
    """Yield the address of an account with three people, each with a space, one of them with an app."""
    world = World(account=ACCOUNT)
    world.timing = replace(world.timing, app_pending=(0.01, 0.02))
    domain = add_domain(world, DOMAIN_ID, "eu-west-1", ACCOUNT, name="research")
    role = {"ExecutionRole": f"arn:aws:iam::{ACCOUNT}:role/scientist"}
    for name in ("alice", "bob", "carol"):
        create_profile(world, domain, name, settings=role, at_once=True)
        settings = space_settings("JupyterLab", 20)
        create_space(world, domain, f"{name}-lab", owner=name, sharing="Private", settings=settings, at_once=True)
    key = app_id(DOMAIN_ID, "space", "carol-lab", "JupyterLab", "default")
    place_app(world, domain, key, "carol-lab", AppSpec(instance_type="ml.t3.medium"), {}, "InService")
    with SimulatorThread(world) as simulator:
        yield simulator.url


@pytest.mark.slow
def test_the_first_real_account_goes_as_readme_shows(account: str, tmp_path: Path) -> None:
    """Each command, and all that it prints."""
    variables = {
        "AWS_ENDPOINT_URL": account,
        "AWS_ACCESS_KEY_ID": "nothing-real",
        "AWS_SECRET_ACCESS_KEY": "nothing-real",
    }
    steps = [step for block in blocks() if block.in_account for step in block.steps]
    assert len(steps) == 9
    for command, shown in steps:
        # A terminal shows a live view where this, which is none, gets log lines.
        quiet = {} if "--log-file" in command else {"APPFLEET_LOG_LEVEL": "error"}
        with started(command, tmp_path, variables | quiet, merged=True) as process:
            try:
                printed, _ = process.communicate(timeout=COMMAND_MAX_SECONDS)
            finally:
                process.kill()
        assert process.returncode == 0, f"$ {command}\n{printed}"
        assert matches(steady(shown), steady(printed.splitlines())), f"$ {command}\n{printed}"
    assert (tmp_path / "my-fleet" / "last.json").read_text().startswith('{\n  "format_version": 1')
