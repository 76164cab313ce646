"""How long a team of forty takes from names to running apps, and what it calls; then the run that changes nothing.

One process over loopback HTTP each, with the policy's own create rate of two calls a second to begin with.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.service import owner_operations
from engine.simulator.world.request_limit import RequestLimit
from engine.simulator.world.world import World

PEOPLE: Final = 40
ACCOUNT: Final = "111122223333"
DOMAIN_ID: Final = "d-abcd1234efgh"
FLEET: Final = f"""schema = 1
name = "bench"
include = ["teams/*.toml"]
[domains.research]
id = "{DOMAIN_ID}"
region = "eu-west-1"
[apps.canvas]
type = "Canvas"
[apps.lab]
type = "JupyterLab"
instance_type = "ml.t3.medium"
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "policies").mkdir()
        (folder / "policies" / "owners.toml").write_text("[owners]\ncreate = true\n")
        (folder / "fleet.toml").write_text(FLEET)
        (folder / "people.csv").write_text("".join(f"u{number:03}\n" for number in range(PEOPLE)))
        world = World(account=ACCOUNT, request_limits={"*": RequestLimit(100.0, 200.0)})
        world.advance(time.time())
        owner_operations.add_domain(world, DOMAIN_ID, "eu-west-1", ACCOUNT)
        with SimulatorThread(world) as simulator:
            print(f"{PEOPLE} people, a canvas app and a lab each")
            for what in ("first run", "second run"):
                simulator.run(lambda world: world.stats.reset())
                seconds = _onboard(folder, simulator.url)
                calls = simulator.run(lambda world: world.stats_json()["calls"])
                counted = ", ".join(f"{name} {sum(kinds.values())}" for name, kinds in sorted(calls.items()))
                print(f"  {what}: {seconds:.1f} s; {counted}")


def _onboard(folder: Path, url: str) -> float:
    command = [sys.executable, "-m", "engine", "-f", "fleet.toml", "onboard", "vision", "--members-file", "people.csv"]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
    }
    began = time.monotonic()
    ran = subprocess.run(
        [*command, "--app", "canvas", "--app", "lab", "--yes", "--format", "json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout)["result"] == "converged"
    return time.monotonic() - began


if __name__ == "__main__":
    main()
