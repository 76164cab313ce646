"""A run of two workers by Dask, one of which is killed (kill -9) at a random moment: all in service, none twice.

    python -m benchmarks.dask_kills [TRIES]     (50 unless said otherwise)

Each try is a run of the command line over loopback HTTP, to a simulated SageMaker and to an S3 that keeps conditions,
over four accounts. The times of the lease are those of `two_machines`: a tenth of the product's, with a grace of 3 s. A
worker imports the main module of the process that starts it, so its lease has them too.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from benchmarks.harness import environment, simulator, told, workshop
from benchmarks.two_machines import MACHINE, POLICY, SCENARIO, SHORTER
from tests.object_server import make_bucket, object_server
from tests.processes import workers_of

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.harness import Simulator

TRIES: Final = 50
ACCOUNTS: Final = 4
APPS_EACH: Final = 25
APPS: Final = ACCOUNTS * APPS_EACH
BUCKET: Final = "states"
RUN_MAX_SECONDS: Final = 600

if __name__ == "__mp_main__":  # in a worker
    for bound, seconds in SHORTER.items():
        patch(bound, seconds).start()


def write_fleet(folder: Path, accounts: int, apps_each: int, policy: str = POLICY) -> None:
    """Write a fleet of one domain in each account, with so many spaces."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "execution.toml").write_text(policy)
    lines = ["schema = 1", 'name = "bench"', "[apps.lab]", 'type = "JupyterLab"', 'instance_type = "ml.t3.medium"']
    for number in range(accounts):
        people = ", ".join(f'"p{number:03}-{person:05}"' for person in range(apps_each))
        lines += [
            f"[domains.d{number:03}]",
            f'id = "d-{number:012}"',
            'region = "eu-west-1"',
            f'account = "{number:012}"',
            f'role_arn = "arn:aws:iam::{number:012}:role/provisioner"',
            f"[domains.d{number:03}.teams.all]",
            f"members = [{people}]",
            'spaces = { "{member}-lab" = { apps = ["lab"] } }',
        ]
    (folder / "fleet.toml").write_text("\n".join(lines) + "\n")


def main(tries: int = TRIES) -> None:
    rng = random.Random()
    with object_server() as store:
        make_bucket(store, BUCKET)
        ran = [_killed(store, rng, f"kill-{number}") for number in range(tries)]
    moments, took = [one[0] for one in ran], [one[1] for one in ran]
    print(
        f"kill -9 of one of two workers at {tries} moments (after {min(moments)} to {max(moments)} creates of {APPS}): "
        "all in service each time, no CreateApp for a live key, none made twice. "
        f"Seconds of a run: {told(took, 1)}; load {os.getloadavg()[0]:.1f} at the end"
    )


def _killed(store: str, rng: random.Random, prefix: str) -> tuple[int, float]:
    """Kill a worker of a run; return after how many creates, and how long the run took."""
    with workshop() as folder:
        write_fleet(folder, ACCOUNTS, APPS_EACH)
        with simulator(folder, SCENARIO) as service:
            began = time.monotonic()
            with (folder / "said.txt").open("ab") as said:
                process = _started(folder, service, store, prefix, said.fileno())
                try:
                    after = rng.randint(0, APPS - 1)
                    while _created(service) < after or len(workers_of(process.pid)) < 2:
                        assert process.poll() is None, (folder / "said.txt").read_text()
                        time.sleep(0.01)
                    os.kill(rng.choice(workers_of(process.pid)), signal.SIGKILL)
                    killed_after = _created(service)
                    code = process.wait(RUN_MAX_SECONDS)
                finally:
                    process.kill()
                    process.wait(30)
            took = time.monotonic() - began
            assert code == 0, (folder / "said.txt").read_text()
            counted = service.stats()
            assert counted["create_for_live_key"] == 0, counted
            assert counted["calls"]["CreateApp"]["ok"] == APPS, counted
            return killed_after, took


def _created(service: Simulator) -> int:
    found: int = service.stats()["calls"].get("CreateApp", {}).get("ok", 0)
    return found


def _started(folder: Path, service: Simulator, store: str, prefix: str, said: int) -> subprocess.Popen[bytes]:
    words = ["-f", str(folder / "fleet.toml"), "--state-dir", f"s3://{BUCKET}/{prefix}"]
    words += ["--log-file", str(folder / "log.jsonl"), "apply", "--yes", "--workers", "2"]
    command = [sys.executable, "-m", "benchmarks.dask_kills", MACHINE, *words]
    variables = {**environment(service.url), "AWS_ENDPOINT_URL_S3": store}
    return subprocess.Popen(command, env=variables, stdout=said, stderr=said)


if __name__ == "__main__":
    if sys.argv[1:2] == [MACHINE]:
        from engine.cli.main import main as appfleet

        sys.exit(appfleet(sys.argv[2:]))
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TRIES)
