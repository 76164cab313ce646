"""Shared by the benchmarks: a fleet of a given shape, a simulator in its own process, the CLI as a process.

Everything goes over loopback HTTP through aioboto3, as in production. Figures are medians; the machine's noise is told
by the smallest and the largest.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DOMAIN_ID = "d-abcd1234efgh"
REGION = "eu-west-1"
ACCOUNT = "111122223333"
APPFLEET = [sys.executable, "-m", "engine"]
RUN_MAX_SECONDS = 900
AT_ONCE = "[tolerance]\ncanary = false\nfailures_max = 1000000\n"  # where calls are measured, and no waits
INSTANCE_TYPES = (
    "ml.t3.medium",
    "ml.t3.large",
    "ml.t3.xlarge",
    "ml.m5.large",
    "ml.m5.xlarge",
    "ml.m5.2xlarge",
    "ml.c5.large",
    "ml.c5.xlarge",
    "ml.r5.large",
    "ml.r5.xlarge",
)


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of the CLI: its report, its exit code, and what it took in seconds."""

    report: dict[str, Any]
    exit_code: int
    wall_s: float
    cpu_s: float
    log: Path

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the events of one name from the log."""
        with self.log.open() as lines:
            return [event for line in lines if (event := json.loads(line))["event"] == name]


def write_fleet(folder: Path, apps: int, policy: str, *, types: Sequence[str] = INSTANCE_TYPES[:1]) -> None:
    """Write a fleet of `apps` JupyterLab spaces, shared out evenly over one team for each instance type."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "execution.toml").write_text(policy)
    lines = ["schema = 1", 'name = "bench"', "[domains.bench]", f'id = "{DOMAIN_ID}"', f'region = "{REGION}"']
    lines.append(f'account = "{ACCOUNT}"')
    each = apps // len(types)
    for number, instance_type in enumerate(types):
        people = "\n".join(f"u{number:02}-{person:05}" for person in range(each))
        (folder / f"team{number}.csv").write_text(f"user\n{people}\n")
        lines += [
            f"[domains.bench.teams.team{number}]",
            f'members_file = "team{number}.csv"',
            f"[domains.bench.teams.team{number}.spaces]",
            f'"{{member}}-lab" = {{ apps = [{{ use = "lab{number}" }}] }}',
            f"[apps.lab{number}]",
            'type = "JupyterLab"',
            f'instance_type = "{instance_type}"',
        ]
    (folder / "fleet.toml").write_text("\n".join(lines) + "\n")


class Simulator:
    """A simulator in a process of its own."""

    def __init__(self, url: str, process: subprocess.Popen[str]) -> None:
        self.url = url
        self._process = process

    def stats(self) -> dict[str, Any]:
        """Return what it counted."""
        with urllib.request.urlopen(f"{self.url}/_appfleet/stats", timeout=30) as answer:
            counted: dict[str, Any] = json.load(answer)
        return counted

    def reset(self) -> None:
        """Forget what it counted."""
        request = urllib.request.Request(f"{self.url}/_appfleet/reset-stats", method="POST", data=b"")
        urllib.request.urlopen(request, timeout=30).close()

    def makespan_s(self) -> float:
        """Return the seconds from the first CreateApp to the last."""
        counted = self.stats()
        return float(counted["create_last_at"] - counted["create_first_at"])

    def throttled_share(self) -> float:
        """Return the share of CreateApp calls that were throttled."""
        answers = self.stats()["calls"]["CreateApp"]
        return float(answers.get("ThrottlingException", 0) / sum(answers.values()))


@contextmanager
def simulator(folder: Path, scenario: str, *, for_fleet: bool = True) -> Iterator[Simulator]:
    """Serve `scenario` (TOML), with the people and spaces of the fleet in `folder`, and end it afterwards."""
    (folder / "scenario.toml").write_text(scenario)
    command = [*APPFLEET, "-f", str(folder / "fleet.toml"), "simulate", "--scenario", str(folder / "scenario.toml")]
    if for_fleet:
        command.append("--for-fleet")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            url = next(word for word in first.split() if word.startswith("http")).rstrip(".")
            yield Simulator(url, process)
        finally:
            process.terminate()
            process.wait(30)


def environment(url: str) -> dict[str, str]:
    """Return the variables that point everything at the simulator."""
    return {
        **os.environ,
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
    }


def appfleet(folder: Path, url: str, *arguments: str) -> Ran:
    """Run one command of the CLI over the fleet in `folder`; the log goes to a file of its own."""
    log = folder / f"log-{time.monotonic_ns()}.jsonl"
    command = [*APPFLEET, "-f", str(folder / "fleet.toml"), "--log-file", str(log), *arguments, "--format", "json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(
        command, env=environment(url), capture_output=True, text=True, timeout=RUN_MAX_SECONDS, check=False
    )
    wall_s = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if not done.stdout.strip().startswith("{"):
        raise RuntimeError(f"{' '.join(command)} gave {done.returncode}: {done.stderr[-2_000:]}")
    return Ran(json.loads(done.stdout), done.returncode, wall_s, cpu_s, log)


@contextmanager
def workshop() -> Iterator[Path]:
    """Yield a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="appfleet-bench-") as name:
        yield Path(name)


def told(values: Sequence[float], digits: int = 3) -> str:
    """Return the median with the smallest and the largest."""
    middle = statistics.median(values)
    return f"{middle:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
