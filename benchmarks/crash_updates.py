"""kill -9 at random moments among the updates of a run, each followed by a second run: none is forgotten."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

from benchmarks.harness import APPFLEET, Simulator, appfleet, environment, simulator, workshop
from benchmarks.limits import UNLIMITED

ROUNDS = 50
SPACES = 30
CONCURRENCY = 8
POLICY = f"""[execution]
create_rate = 100
create_rate_max = 100
read_rate = 100
concurrency = {CONCURRENCY}
[observe]
first_after = "1s"
second_after = "1s"
[owners]
create = true
update = true
"""
DOMAIN = """
[[domain]]
id = "d-abcd1234efgh"
region = "eu-west-1"
account = "111122223333"
name = "research"
"""
AFTER_MAX_SECONDS = 0.5  # between the update that is waited for and the kill
LOOK_EVERY_SECONDS = 0.02


def fleet(idle_minutes: int) -> str:
    """Return a fleet of one team, each member with a space that stops when it is idle for so long."""
    members = ", ".join(f'"u{number:03}"' for number in range(SPACES))
    return f"""schema = 1
name = "updates"
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
account = "111122223333"
[domains.research.teams.all]
members = [{members}]
spaces = {{ "{{member}}-lab" = {{ apps = ["lab"], idle_minutes = {idle_minutes} }} }}
[apps.lab]
type = "JupyterLab"
instance_type = "ml.t3.medium"
"""


def _updates(service: Simulator) -> int:
    """Return how many updates the service has carried out."""
    return int(service.stats()["calls"].get("UpdateSpace", {}).get("ok", 0))


def _await(service: Simulator, process: subprocess.Popen[bytes], updates: int) -> None:
    """Wait until the run has made so many updates: how fast it comes to them is the machine's mood."""
    while process.poll() is None and _updates(service) < updates:
        time.sleep(LOOK_EVERY_SECONDS)


def main(rounds: int = ROUNDS, seed: int = 20_261_130) -> None:
    rng = random.Random(seed)
    sent: list[int] = []
    for number in range(rounds):
        with workshop() as folder:
            (folder / "policies").mkdir(exist_ok=True)
            (folder / "policies" / "execution.toml").write_text(POLICY)
            (folder / "fleet.toml").write_text(fleet(60))
            with simulator(folder, UNLIMITED + DOMAIN, for_fleet=False) as service:
                first = appfleet(folder, service.url, "apply", "--yes")
                assert first.exit_code == 0, (number, first.report)
                (folder / "fleet.toml").write_text(fleet(90))
                command = [*APPFLEET, "-f", str(folder / "fleet.toml"), "apply", "--yes", "--owners"]
                with subprocess.Popen(
                    command, env=environment(service.url), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                ) as process:
                    _await(service, process, rng.randrange(SPACES))
                    time.sleep(rng.uniform(0.0, AFTER_MAX_SECONDS))
                    process.send_signal(signal.SIGKILL)
                    process.wait(30)
                sent.append(_updates(service))
                second = appfleet(folder, service.url, "apply", "--yes", "--owners")
                assert second.exit_code == 0, (number, second.report)
                updated = service.stats()["calls"]["UpdateSpace"]["ok"]
                assert SPACES <= updated <= SPACES + CONCURRENCY, (number, updated)
                third = appfleet(folder, service.url, "apply", "--yes", "--owners")
                assert service.stats()["calls"]["UpdateSpace"]["ok"] == updated, (number, third.report)
    print(
        f"kill -9 at {rounds} random moments of a run that updates {SPACES} spaces (after {min(sent)} to {max(sent)} "
        "updates), then a second run: every space as declared each time, and a third run updates none"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
