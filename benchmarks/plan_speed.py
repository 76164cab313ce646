"""How long a large plan takes, part by part, and what it holds in memory.

On a machine that others use at the same time the CPU column is the one to compare.

Run: python benchmarks/plan_speed.py [APPS]     (100,000 desired and as many observed apps unless said otherwise)

The night is an eventful one: one app in twenty is gone, one in fifty has drifted, one observed app in a hundred is
undeclared, and every second app is a user profile's.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import tracemalloc
from datetime import date
from typing import TYPE_CHECKING, TypeVar

from engine.core.desired import AppSpec, DesiredApp, DesiredDomain, DesiredFleet, Source
from engine.core.identity import SPACE, USER, AppKey
from engine.core.observed import AppStatus, ObservedApp, ObservedDomain, ObservedFleet, Ownership
from engine.core.plan_json import plan_from_json
from engine.core.planner import PlanOptions, join, needs_ownership, plan_fleet
from engine.core.request import Request
from engine.core.selectors import Selectors
from engine.core.stages import ordered_steps

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

APPS = 100_000
DOMAINS = 4
TEAMS = 50
OPTIONS = PlanOptions(
    made_at="2026-11-24T01:00:00Z", today=date(2026, 11, 24), request=Request(prune=True, replace_on_drift=True)
)


def make_fleet(apps: int) -> DesiredFleet:
    source = Source("fleet.toml", 1)
    specs = (
        AppSpec(instance_type="ml.t3.medium", tags=(("team", "forecasting"),)),
        AppSpec(
            instance_type="ml.g5.xlarge", lifecycle_config_arn="arn:aws:sagemaker:eu-west-1:1:studio-lifecycle-config/x"
        ),
    )
    desired = [
        DesiredApp(make_key(number), specs[number % 2], source, team=f"team-{number % TEAMS:02}")
        for number in range(apps)
    ]
    desired.sort(key=lambda app: app.key)
    domains = tuple(DesiredDomain(f"domain-{d}", f"d-{d:012}", "eu-west-1", source) for d in range(DOMAINS))
    return DesiredFleet("benchmark", domains, tuple(desired), (), (("fleet.toml", "0" * 64),))


def make_key(number: int) -> AppKey:
    owner = f"person-{number // 2:06}"
    if number % 2:
        return AppKey(f"domain-{number % DOMAINS}", USER, owner, "KernelGateway", "default")
    return AppKey(f"domain-{number % DOMAINS}", SPACE, f"{owner}-lab", "JupyterLab", "default")


def make_observed(fleet: DesiredFleet, *, empty: bool = False) -> ObservedFleet:
    rows: dict[str, dict[AppKey, ObservedApp]] = {domain.name: {} for domain in fleet.domains}
    for number, app in enumerate(() if empty else fleet.apps):
        spec = AppSpec(
            instance_type="ml.m5.large" if number % 50 == 0 else app.spec.instance_type,
            image_arn="arn:aws:sagemaker:eu-west-1:1:image/filled-in-by-the-service",
            lifecycle_config_arn=app.spec.lifecycle_config_arn,
        )
        key = AppKey(*app.key)  # keys of a listing are other objects than those of the fleet
        if number % 100 == 1:
            key = key._replace(app_name="left-over")
        if number % 20 != 2:
            rows[key.domain][key] = ObservedApp(key, AppStatus.IN_SERVICE, 1.7e9 + number, spec, "", Ownership.OURS)
    return ObservedFleet({name: ObservedDomain(name, 0.0, apps) for name, apps in rows.items()})


def timed(label: str, work: Callable[[], T]) -> T:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{label:<56} {wall:7.3f} s, {cpu:7.3f} s of CPU")
    return result


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else APPS
    fleet = make_fleet(count)
    observed = make_observed(fleet)
    print(f"{count:,} desired apps, {sum(len(domain.apps) for domain in observed.domains.values()):,} observed")
    selectors = Selectors.parse(teams=["team-0*"], app_types=["Jupyter*"])
    timed("selectors: two globs over every app", lambda: sum(map(selectors.selects, fleet.apps)))
    timed("needs_ownership", lambda: needs_ownership(join(fleet, observed, OPTIONS.selectors), OPTIONS))
    plan = timed("plan_fleet: join, decisions, sorting", lambda: plan_fleet(fleet, observed, OPTIONS))
    print(f"    {plan.summary}")
    timed("fingerprint of those changes", lambda: plan.fingerprint)
    everything = timed(
        "plan_fleet where nothing is there yet", lambda: plan_fleet(fleet, make_observed(fleet, empty=True), OPTIONS)
    )
    timed(f"fingerprint of {len(everything.changes):,} creates", lambda: everything.fingerprint)
    timed("ordered_steps, round robin by team", lambda: ordered_steps(everything))
    text = timed("to_json and json.dumps", lambda: json.dumps(everything.to_json()))
    timed("json.loads and plan_from_json, fingerprint checked", lambda: plan_from_json(json.loads(text)))
    print(f"peak memory of the process so far {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    tracemalloc.start()
    held = plan_fleet(fleet, observed, OPTIONS)
    now, peak = tracemalloc.get_traced_memory()
    print(f"{len(held.decisions):,} decisions hold {now / 2**20:.1f} MiB; planning peaks at {peak / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
