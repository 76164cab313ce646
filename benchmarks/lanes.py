"""What an account costs: many accounts with a role each in one process, 50 apps in each of them.

Three questions: a night with nothing to do, a night that creates everything, and how long it takes until the first
create where STS and the service answer in 100 ms. The simulator is one process that serves all accounts; a role's keys
say which. `python -m benchmarks.lanes LANES` takes so many accounts in place of 1,000 (and of 400 for the creates).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import APPFLEET, AT_ONCE, REGION, RUN_MAX_SECONDS, environment, simulator, told, workshop
from engine.app.serving import serve_until_stopped, world_of
from engine.config.fleet.fleet_file import load_fleet
from engine.simulator.service.app_operations import place_app
from engine.simulator.world.records import app_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RUNS = 3
IDLE_LANES = 1_000
FEW_SHARE = 10  # the smaller fleet that is measured beside it, to tell what one more account costs
CREATE_LANES = 400
APPS_EACH = 50
LOOK_SECONDS = 0.02
KB = 1024
POLICY = """[execution]
create_rate = 5
create_rate_max = 5
[safety]
create_max = 1000000
"""
WORLD = """schema = 1
[times]
app_pending = [0.5, 1.5]
answer = {answer}
sts_answer = {sts}
[quotas]
apps_per_bucket = 100000
running_apps = 200000
spaces = 200000
user_profiles = 200000
[request_limits]
CreateApp = {{ rate = 0 }}
ListApps = {{ rate = 0 }}
AssumeRole = {{ rate = 0 }}
"""


@dataclass(frozen=True, slots=True)
class Night:
    """One run: what it took, and what the machine was doing as it began."""

    report: dict[str, Any]
    began_at: float
    seconds: float
    cpu_s: float
    peak_mb: float
    open_files: int
    late_s: float
    load: float


def write_lanes(folder: Path, lanes: int, policy: str) -> None:
    """Write a fleet of so many accounts, each with a domain, a role and 50 spaces."""
    (folder / "policies").mkdir(parents=True, exist_ok=True)
    (folder / "policies" / "execution.toml").write_text(policy)
    people = "\n".join(f"p{number:02}" for number in range(APPS_EACH))
    (folder / "people.csv").write_text(f"user\n{people}\n")
    lines = ["schema = 1", 'name = "lanes"', "[apps.lab]", 'type = "JupyterLab"', 'instance_type = "ml.t3.medium"']
    for number in range(lanes):
        account = f"{number + 1:012}"
        lines += [
            f"[domains.d{number:04}]",
            f'id = "d-{number:012}"',
            f'region = "{REGION}"',
            f'account = "{account}"',
            f'role_arn = "arn:aws:iam::{account}:role/appfleet"',
            f"[domains.d{number:04}.teams.all]",
            'members_file = "people.csv"',
            f"[domains.d{number:04}.teams.all.spaces]",
            '"{member}-lab" = { apps = ["lab"] }',
        ]
    (folder / "fleet.toml").write_text("\n".join(lines) + "\n")


def serve_full(folder: Path) -> None:
    """Serve the fleet's world with every app of it in service already, until the process is ended."""
    world = world_of(folder / "fleet.toml", folder / "scenario.toml")
    for app in load_fleet(folder / "fleet.toml").fleet.apps:
        key = app.key
        domain = world.domains[f"d-{int(key.domain[1:]):012}"]
        identity = app_id(domain.domain_id, key.owner_kind, key.owner, key.app_type, key.app_name)
        place_app(world, domain, identity, key.owner, app.spec, {"appfleet:fleet": "lanes"}, "InService")
    asyncio.run(serve_until_stopped(world, 0, lambda url, _: print(url, flush=True)))


@contextmanager
def full_simulator(folder: Path) -> Iterator[str]:
    """Yield the URL of such a world, in a process of its own."""
    (folder / "scenario.toml").write_text(WORLD.format(answer=0.0, sts=0.0))
    command = [sys.executable, "-m", "benchmarks.lanes", "--serve", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(30)


def night(folder: Path, url: str, *arguments: str) -> Night:
    """Run `apply --yes` and watch the process."""
    log, out = folder / f"log-{time.monotonic_ns()}.jsonl", folder / "out.json"
    words = ["--log-file", str(log), "apply", "--yes", "--format", "json", *arguments]
    load = os.getloadavg()[0]
    with out.open("w") as stdout:
        began_at, began = time.time(), time.monotonic()
        process = subprocess.Popen(
            [*APPFLEET, "-f", str(folder / "fleet.toml"), *words], env=environment(url), stdout=stdout
        )
        files = Path(f"/proc/{process.pid}/fd")
        most = 0
        while True:
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            if time.monotonic() - began > RUN_MAX_SECONDS:
                process.kill()
            most = max(most, _entries(files))
            time.sleep(LOOK_SECONDS)
    process.returncode = os.waitstatus_to_exitcode(status)
    late = [event["seconds"] for event in map(json.loads, log.open()) if event["event"] == "run.lagged"]
    report = json.loads(out.read_text())
    seconds = time.monotonic() - began
    cpu_s = used.ru_utime + used.ru_stime
    return Night(report, began_at, seconds, cpu_s, used.ru_maxrss / KB, most, max(late, default=0.0), load)


def _entries(folder: Path) -> int:
    try:
        return len(os.listdir(folder))  # noqa: PTH208 as quick as can be, many times a second
    except OSError:  # it has just ended
        return 0


def said(nights: Sequence[Night]) -> str:
    """Return the medians of what nights took."""
    late = max(one.late_s for one in nights)
    return (
        f"{told([one.seconds for one in nights], 1)} s, CPU {told([one.cpu_s for one in nights], 1)} s, "
        f"peak {told([one.peak_mb for one in nights], 0)} MB, {max(one.open_files for one in nights)} files open, "
        f"loop late {f'{late:.2f} s at worst' if late else 'never by 0.25 s'} "
        f"(load of the machine as they began: {', '.join(f'{one.load:.1f}' for one in nights)})"
    )


def idle(lanes: int) -> None:
    """Measure nights with nothing to do, of all accounts and of a tenth of them by turns."""
    few = max(1, lanes // FEW_SHARE)
    nights: dict[int, list[Night]] = {lanes: [], few: []}
    with workshop() as folder:
        write_lanes(folder / "many", lanes, POLICY)
        write_lanes(folder / "few", few, POLICY)
        with full_simulator(folder / "many") as url:
            for _ in range(RUNS):
                for count, place in ((few, "few"), (lanes, "many")):
                    one = night(folder / place, url)
                    summary = one.report["summary"]
                    assert summary == {"unchanged": count * APPS_EACH}, summary
                    nights[count].append(one)
    for count, taken in nights.items():
        print(f"{count:,} accounts x {APPS_EACH} apps, nothing to do: {said(taken)}", flush=True)
    more = lanes - few
    cpu, peak = (
        statistics.median(getattr(one, name) for one in nights[lanes])
        - statistics.median(getattr(one, name) for one in nights[few])
        for name in ("cpu_s", "peak_mb")
    )
    print(
        f"one account more, with its {APPS_EACH} apps: {1000 * cpu / more:.1f} ms of CPU, {KB * peak / more:.0f} kB",
        flush=True,
    )


def creating(lanes: int) -> None:
    """Measure a night that makes everything: the service answers in 50 ms, each account takes 5 creates a second."""
    with workshop() as folder:
        write_lanes(folder, lanes, POLICY + AT_ONCE)
        with simulator(folder, WORLD.format(answer=0.05, sts=0.0)) as service:
            one = night(folder, service.url)
            counted = service.stats()
    assert one.report["summary"] == {"created": lanes * APPS_EACH}, one.report["summary"]
    first = counted["create_first_at"] - one.began_at
    spread = counted["create_last_at"] - counted["create_first_at"]
    print(
        f"{lanes:,} accounts x {APPS_EACH} creates at 5/s each: first create after {first:.1f} s, all within "
        f"{spread:.1f} s (least: {APPS_EACH / 5:.0f}); {said([one])}",
        flush=True,
    )


def slow(lanes: int) -> None:
    """Measure how long it takes until the first create where every answer takes 100 ms; then the run is stopped."""
    with workshop() as folder:
        write_lanes(folder, lanes, POLICY + AT_ONCE)
        with simulator(folder, WORLD.format(answer=0.1, sts=0.1)) as service:
            load, began_at = os.getloadavg()[0], time.time()
            command = [*APPFLEET, "-f", str(folder / "fleet.toml"), "apply", "--yes", "--format", "json"]
            process = subprocess.Popen(
                command, env=environment(service.url), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            while "CreateApp" not in service.stats()["calls"] and time.time() < began_at + RUN_MAX_SECONDS:
                time.sleep(1.0)
            process.send_signal(signal.SIGTERM)
            process.wait(RUN_MAX_SECONDS)
            counted = service.stats()
    first = counted["create_first_at"] - began_at
    calls = {name: sum(answers.values()) for name, answers in counted["calls"].items() if name != "CreateApp"}
    print(
        f"{lanes:,} accounts, STS and the service at 100 ms: first create after {first:.1f} s, behind {calls} "
        f"(load of the machine as it began: {load:.1f})",
        flush=True,
    )


def main(lanes: int | None) -> None:
    """Measure all three."""
    idle(lanes or IDLE_LANES)
    creating(lanes or CREATE_LANES)
    slow(lanes or IDLE_LANES)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve_full(Path(sys.argv[2]))
        sys.exit()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
