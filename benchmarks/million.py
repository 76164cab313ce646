"""A million apps in 1,000 domains, offline: load and rules, plan, order and guardrails, what is printed and reported.

    python benchmarks/million.py [--domains 1000] [--apps 1000] [--rounds 3] [--beside FOLDER]

Each round is a process of its own, for this checkout and, in turn with it, for FOLDER: another one, such as a worktree
of an earlier commit, whose bounds on the size of a fleet are lifted. Seconds are of the processor, since the machine
may be shared: medians with the smallest and the largest. MB are the peak of the process so far. A members file in each
domain names its people, each has a space with one app, and ten rules hold.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.app.loading import Loaded
    from engine.core.desired import DesiredFleet
    from engine.core.identity import AppKey

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
TODAY = date(2026, 11, 24)
MADE_AT = "2026-11-24T01:00:00Z"
TEAMS = 50
UNWELL_EVERY = 100  # apps of a run; so one in a hundred failed
CHECKS = (
    ('app_type == "JupyterLab"', 'instance_type in ["ml.t3.medium", "ml.m5.large", "ml.g5.xlarge"]'),
    ("true", '"cost-center" in tags && tags["cost-center"] == "4711"'),
    ('instance_family.startsWith("g")', 'expires != ""'),
    ("true", "priced && hourly_usd < 5.0"),
    ('app_type == "JupyterServer"', 'instance_type == "system"'),
    ("true", 'owner.matches("^[a-z][a-z0-9-]*$")'),
    ('team != ""', 'team.startsWith("team")'),
    ("true", 'region == "eu-west-1"'),
    ("true", "fallback.all(t, t != instance_type)"),
    ('sharing == "Private"', 'owner_kind == "space"'),
)
POLICY = """[safety]
create_max = 1000000
hourly_usd_max = 10000000.0
[prices]
"ml.t3.medium" = 0.05
"""


def write_fleet(folder: Path, domains: int, apps: int) -> None:
    """Write a fleet of so many domains, each in an account of its own, with so many people and apps each."""
    (folder / "members").mkdir()
    (folder / "policies").mkdir()
    rules = [
        f"[[rule]]\nid = \"r{n}\"\nmatch = '{match}'\ncheck = '{check}'\n" for n, (match, check) in enumerate(CHECKS)
    ]
    (folder / "policies" / "all.toml").write_text(
        POLICY + "".join(f'{rule}enforcement = "mandatory"\n' for rule in rules)
    )
    lines = ["schema = 1", 'name = "million"', "[apps.lab]", 'type = "JupyterLab"', 'instance_type = "ml.t3.medium"']
    for number in range(domains):
        name = f"d{number:04}"
        people = "\n".join(f"{name}-{person:05}" for person in range(apps))
        (folder / "members" / f"{name}.csv").write_text(f"user\n{people}\n")
        team = f"domains.{name}.teams.team{number % TEAMS}"
        lines += [
            f"[domains.{name}]",
            f'id = "d-{number:012}"',
            'region = "eu-west-1"',
            f'account = "{number:012}"',
            f"[{team}]",
            f'members_file = "members/{name}.csv"',
            'tags = { cost-center = "4711" }',
            f"[{team}.spaces]",
            '"{member}-lab" = { apps = ["lab"] }',
        ]
    (folder / "fleet.toml").write_text("\n".join(lines) + "\n")


def timed(label: str, work: Callable[[], T]) -> T:
    """Do `work`, and print what it took as a line of JSON."""
    began = time.process_time()
    result = work()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"what": label, "cpu_s": time.process_time() - began, "peak_mb": peak_mb}), flush=True)
    return result


def measure(fleet_file: Path) -> None:
    """Do everything once, in this process."""
    from engine.app.process import collect_rarely

    collect_rarely()  # as the command does
    lift_bounds()
    from engine.app.loading import load

    loaded = timed("load, with 10 rules", lambda: load(fleet_file, TODAY))
    measure_plan(loaded)
    measure_idle(loaded.fleet)
    measure_report([app.key for app in loaded.fleet.apps])


def measure_plan(loaded: Loaded) -> None:
    """Plan a first night, in which nothing is there yet."""
    from engine.core.forecast import forecast_of
    from engine.core.forecast_inputs import ForecastInputs
    from engine.core.identity import Lane
    from engine.core.observed import ObservedDomain, ObservedFleet
    from engine.core.planner import PlanOptions, plan_fleet
    from engine.core.stages import ordered_steps
    from engine.render.json_text import json_text
    from engine.render.plan_text import plan_text

    fleet = loaded.fleet
    nothing = ObservedFleet({domain.name: ObservedDomain(domain.name, 0.0, {}) for domain in fleet.domains})
    plan = timed("plan", lambda: plan_fleet(fleet, nothing, PlanOptions(made_at=MADE_AT, today=TODAY)))
    timed("fingerprint", lambda: plan.fingerprint)
    steps = timed("order", lambda: len(ordered_steps(plan, loaded.weight)))
    denied = timed("guardrails", lambda: loaded.guardrails(loaded.weights(plan, nothing), ()))
    assert (steps, denied) == (len(fleet.apps), ())
    lanes = {domain.name: Lane(domain.account or "", domain.region) for domain in fleet.domains}
    timed("forecast", lambda: forecast_of(plan.changes, (), ForecastInputs(lanes)))
    text = timed("plan as text", lambda: plan_text(plan))
    print(json.dumps({"what": "plan as text", "lines": text.count("\n")}))
    document = timed("plan as JSON", lambda: json_text(plan.document()))
    print(json.dumps({"what": "plan as JSON", "megabytes": len(document) / 1e6}))


def measure_idle(fleet: DesiredFleet) -> None:
    """Plan a night in which nothing is to do."""
    from engine.core.observed import AppStatus, ObservedApp, ObservedDomain, ObservedFleet, Ownership
    from engine.core.planner import PlanOptions, plan_fleet

    rows: dict[str, dict[AppKey, ObservedApp]] = {domain.name: {} for domain in fleet.domains}
    for app in fleet.apps:
        rows[app.key.domain][app.key] = ObservedApp(app.key, AppStatus.IN_SERVICE, 1.7e9, app.spec, "", Ownership.OURS)
    observed = ObservedFleet({name: ObservedDomain(name, 0.0, apps) for name, apps in rows.items()})
    asked = PlanOptions(made_at=MADE_AT, today=TODAY)
    assert not timed("plan of an idle night", lambda: plan_fleet(fleet, observed, asked)).changes


def measure_report(keys: list[AppKey]) -> None:
    """Make the result of a run over these apps in text and in JSON."""
    from engine.core.change import Action
    from engine.core.outcome import ApplyReport, AppResult, Outcome
    from engine.core.trouble import Trouble
    from engine.render.json_text import json_text
    from engine.render.report.text import report_text

    why = Trouble("ValidationException", "the image of this app does not exist", "Correct image_arn")
    apps = tuple(
        AppResult(key, Action.CREATE, Outcome.FAILED, 1, 1.0, "ml.t3.medium", error=why)
        if number % UNWELL_EVERY == 0
        else AppResult(
            key, Action.CREATE, Outcome.CREATED, 1, 60.0, "ml.t3.medium", f"arn:aws:sagemaker:eu-west-1:{key}"
        )
        for number, key in enumerate(keys)
    )
    report = ApplyReport("run", "million", MADE_AT, 3_600.0, apps, {})
    text = timed("result as text", lambda: report_text(report))
    print(json.dumps({"what": "result as text", "lines": text.count("\n")}))
    document = getattr(report, "document", report.to_json)
    text = timed("result as JSON", lambda: json_text(document()))
    print(json.dumps({"what": "result as JSON", "megabytes": len(text) / 1e6}))


def lift_bounds() -> None:
    """Let an earlier checkout load as much, too."""
    from engine.config.fleet import expand, team_pairs
    from engine.config.reading.files import Folder

    expand.FLEET_APPS_MAX_COUNT = team_pairs.TEAM_PAIRS_MAX_COUNT = 10**8  # type: ignore[attr-defined]
    made = Folder.__init__
    made.__defaults__ = tuple(10**9 if isinstance(one, int) and one else one for one in made.__defaults__ or ())


def one_round(root: Path, fleet_file: Path) -> list[dict[str, Any]]:
    """Measure a checkout once; return the lines that it printed."""
    command = [sys.executable, "-P", __file__, "--measure", str(fleet_file)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(root)}
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2_000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", type=int, default=1_000)
    parser.add_argument("--apps", type=int, default=1_000, help="of each domain")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", type=Path, help="another checkout")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure is not None:
        measure(given.measure)
        return
    roots = {"": ROOT} if given.beside is None else {"": ROOT, " (beside)": given.beside.resolve()}
    found: dict[str, list[dict[str, Any]]] = {mark: [] for mark in roots}
    print(
        f"{given.domains * given.apps:,} apps in {given.domains:,} domains; load {os.getloadavg()[0]:.1f} at the start"
    )
    with tempfile.TemporaryDirectory(prefix="appfleet-bench-") as name:
        write_fleet(Path(name), given.domains, given.apps)
        for _ in range(given.rounds):
            for mark, root in roots.items():
                found[mark] += one_round(root, Path(name) / "fleet.toml")
    for mark, lines in found.items():
        show(lines, mark)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def show(lines: list[dict[str, Any]], mark: str) -> None:
    """Print a line for each thing that was done."""
    from benchmarks.harness import told

    for what in dict.fromkeys(line["what"] for line in lines):
        of_it = [line for line in lines if line["what"] == what]
        seconds = told([line["cpu_s"] for line in of_it if "cpu_s" in line], 2)
        peak = max(line["peak_mb"] for line in of_it if "peak_mb" in line)
        size = next((f", {value:,.0f} {unit}" for line in of_it for unit, value in line.items() if unit in SIZES), "")
        print(f"{what + mark:<34} {seconds} s, peak {peak:,.0f} MB{size}")


SIZES = ("lines", "megabytes")

if __name__ == "__main__":
    main()
