"""Two machines with one state in a store: replaces under SIGSTOP, and runs that are killed (kill -9) and taken over.

    python -m benchmarks.two_machines [TRIES [MUTANT]]     (50 each unless said otherwise)

Every machine is a process over loopback HTTP, to a simulated SageMaker and to an S3 that keeps conditions. The times of
the lease are a tenth of the product's, and the grace is 3 s, so that a try takes seconds: calls of the simulator are
over within one. MUTANT names what a machine leaves out: `no-guards` neither looks at its lease before a call, nor
writes the intents of deletes into the memory of the lane, nor asks how old its look is when a delete leaves.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from benchmarks.harness import environment, simulator, workshop, write_fleet
from benchmarks.limits import TIMES
from tests.object_server import make_bucket, object_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.harness import Simulator
    from engine.ports.cloud import AppName

TRIES: Final = 50
REPLACED_APPS: Final = 40
KILLED_APPS: Final = 100
BUCKET: Final = "states"
MACHINE: Final = "machine"
SHORTER: Final = {
    "engine.executor.lease.LEASE_TTL_SECONDS": 6.0,
    "engine.executor.lease.LEASE_RENEW_SECONDS": 2.0,
    "engine.executor.lease.LEASE_RETRY_SECONDS": 0.5,
    "engine.executor.lease.LEASE_POLL_SECONDS": 0.5,
    "engine.core.lease.LEASE_GRACE_SECONDS": 3.0,
}
POLICY: Final = """[execution]
create_rate = 20
create_rate_max = 20
read_rate = 50
concurrency = 16
[observe]
first_after = "1s"
second_after = "1s"
[safety]
replace = "on-drift"
destroy_max = 1000
replace_wave = 1000
destroy_share_max = 1.0
"""
SCENARIO: Final = (
    TIMES + "[request_limits]\nCreateApp = { rate = 0 }\nListApps = { rate = 0 }\nDescribeApp = { rate = 0 }\n"
)


def main(tries: int = TRIES, mutant: str = "") -> None:
    rng = random.Random()
    with object_server() as store:
        make_bucket(store, BUCKET)
        fresh = [_stopped_replace(store, rng, f"stop-{number}", mutant) for number in range(tries)]
        print(
            f"stopped between look and delete, while another machine goes on: {sum(fresh)} apps of the other machine "
            f"deleted in {sum(1 for one in fresh if one)} of {tries} tries of {REPLACED_APPS} replaces"
            + (f" (mutant {mutant})" if mutant else ""),
            flush=True,
        )
        if mutant:
            return
        assert not any(fresh), fresh
        moments = [_killed(store, rng, f"kill-{number}") for number in range(tries)]
        print(
            f"kill -9 on one machine at {tries} moments (after {min(moments)} to {max(moments)} creates of "
            f"{KILLED_APPS}), the next run on another one: all in service each time, no CreateApp for a live key, none "
            "made twice"
        )


def _stopped_replace(store: str, rng: random.Random, prefix: str, mutant: str) -> int:
    """Return how many deletes there were beyond one for each app."""
    with workshop() as folder:
        write_fleet(folder, REPLACED_APPS, POLICY)
        with simulator(folder, SCENARIO) as service:
            assert _run(folder, service, store, prefix) == 0
            fleet = folder / "fleet.toml"
            fleet.write_text(fleet.read_text().replace("ml.t3.medium", "ml.t3.large"))
            with _started(folder, service, store, prefix, mutant, rng.randint(1, REPLACED_APPS // 2)) as first:
                while not _is_stopped(first.pid):
                    assert first.poll() is None, "the first machine ended before it was stopped"
                    time.sleep(0.01)
                assert _run(folder, service, store, prefix) == 0
                first.send_signal(signal.SIGCONT)
                first.wait(120)
            return _deletes(service) - REPLACED_APPS


def _killed(store: str, rng: random.Random, prefix: str) -> int:
    """Kill one run and let another follow; return after how many creates it was killed."""
    with workshop() as folder:
        write_fleet(folder, KILLED_APPS, POLICY)
        with simulator(folder, SCENARIO) as service:
            with _started(folder, service, store, prefix) as first:
                after = rng.randint(0, KILLED_APPS - 1)
                while service.stats()["calls"].get("CreateApp", {}).get("ok", 0) < after:
                    assert first.poll() is None, "the first machine ended before it was killed"
                    time.sleep(0.01)
                first.kill()
                first.wait(30)
            killed_after: int = service.stats()["calls"].get("CreateApp", {}).get("ok", 0)
            assert _run(folder, service, store, prefix) == 0
            counted = service.stats()
            assert counted["create_for_live_key"] == 0, counted
            assert counted["calls"]["CreateApp"]["ok"] == KILLED_APPS, counted
            return killed_after


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def _deletes(service: Simulator) -> int:
    found: int = service.stats()["calls"].get("DeleteApp", {}).get("ok", 0)
    return found


def _run(folder: Path, service: Simulator, store: str, prefix: str) -> int:
    with _started(folder, service, store, prefix) as process:
        return process.wait(300)


@contextmanager
def _started(
    folder: Path, service: Simulator, store: str, prefix: str, mutant: str = "", stops_at: int = 0
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run on a machine of its own, which stops before its delete of that number; its words go to a file."""
    state = ["--state-dir", f"s3://{BUCKET}/{prefix}"]
    words = ["-f", str(folder / "fleet.toml"), "--log-file", str(folder / "log.jsonl"), *state, "apply", "--yes"]
    command = [sys.executable, "-m", "benchmarks.two_machines", MACHINE, mutant, str(stops_at), *words]
    variables = {**environment(service.url), "AWS_ENDPOINT_URL_S3": store}
    with (
        (folder / "said.txt").open("ab") as said,
        subprocess.Popen(command, env=variables, stdout=said, stderr=said) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _be_a_machine(mutant: str, stops_at: int, words: list[str]) -> int:
    from engine.adapters.aws.sagemaker import SageMakerCloud
    from engine.cli.main import main as appfleet

    delete, deletes = SageMakerCloud.delete_app, count(1)

    async def delete_app(self: SageMakerCloud, app: AppName) -> None:
        if next(deletes) == stops_at:  # its look is done, and its request is not on its way
            os.kill(os.getpid(), signal.SIGSTOP)
        await delete(self, app)

    SageMakerCloud.delete_app = delete_app  # type: ignore[method-assign]

    for name, seconds in SHORTER.items():
        patch(name, seconds).start()
    if mutant == "no-guards":
        patch("engine.app.shared_state._Leases.guard", lambda *_: None).start()
        patch("engine.adapters.state.lane_memories.LaneMemories.keep", _kept).start()
        patch("engine.executor.changes.require_fresh", lambda _: None).start()
        patch("engine.executor.changes.sent_while_fresh", lambda *_: nullcontext()).start()
    return appfleet(words)


async def _kept(*_: object) -> bool:
    return True


if __name__ == "__main__":
    if sys.argv[1:2] == [MACHINE]:
        sys.exit(_be_a_machine(sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TRIES, *sys.argv[2:3])
