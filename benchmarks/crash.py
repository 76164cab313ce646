"""kill -9 at random moments of a run over HTTP, each followed by a second run: nothing lost, nothing doubled."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

from benchmarks.harness import APPFLEET, appfleet, environment, simulator, workshop, write_fleet
from benchmarks.limits import UNLIMITED

ROUNDS = 50
APPS = 300
POLICY = """[execution]
create_rate = 100
create_rate_max = 100
read_rate = 20
concurrency = 16
[observe]
first_after = "1s"
second_after = "1s"
"""
# From the first import to the last app in service a run takes about so long; a kill falls anywhere in it.
RUN_SECONDS = 7.0


def main(rounds: int = ROUNDS, seed: int = 20_261_124) -> None:
    rng = random.Random(seed)
    killed_after: list[int] = []
    for number in range(rounds):
        with workshop() as folder:
            write_fleet(folder, APPS, POLICY)
            with simulator(folder, UNLIMITED) as service:
                fleet = str(folder / "fleet.toml")
                command = [*APPFLEET, "-f", fleet, "--log-file", str(folder / "killed.jsonl"), "apply", "--yes"]
                with subprocess.Popen(
                    command, env=environment(service.url), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                ) as process:
                    time.sleep(rng.uniform(0.3, RUN_SECONDS))
                    process.send_signal(signal.SIGKILL)
                    process.wait(30)
                killed_after.append(service.stats()["calls"].get("CreateApp", {}).get("ok", 0))
                second = appfleet(folder, service.url, "apply", "--yes")
                counted = service.stats()
                summary = second.report["summary"]
                assert second.exit_code == 0, (number, summary)
                assert summary.get("created", 0) + summary.get("unchanged", 0) == APPS, (number, summary)
                assert counted["create_for_live_key"] == 0, (number, counted["create_for_live_key"])
                assert counted["calls"]["CreateApp"]["ok"] == APPS, (number, counted["calls"])
    print(
        f"kill -9 at {rounds} random moments of a run of {APPS} apps (after {min(killed_after)} to {max(killed_after)} "
        "creates), then a second run: all in service each time, no CreateApp for a live key"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
