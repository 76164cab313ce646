"""A forecast beside the run that it speaks of: within 10 % in five scenarios.

Each scenario runs twice in a simulated service over loopback HTTP. The first run teaches the fleet's journal the rate
and the durations; then all is gone, and the plan's forecast is held against the second run.

Run: python benchmarks/forecast.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.harness import INSTANCE_TYPES, appfleet, simulator, workshop, write_fleet

if TYPE_CHECKING:
    from pathlib import Path

SHARE_MAX = 0.10
POLICY = """[execution]
create_rate = 5
create_rate_max = 40
read_rate = 20
[backoff.ResourceLimitExceeded]
initial = "1s"
max = "10s"
give_up_after = "30s"
"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One service and one fleet; `rate` None: no limit on calls."""

    name: str
    apps: int
    types: int
    pending: str
    rate: float | None
    quota: int | None = None
    exit_code: int = 0


SCENARIOS = (
    Scenario("a steady limit on calls", 500, 1, "[10, 12]", 10.0),
    Scenario("no limit that is met", 200, 1, "[15, 15]", None),
    Scenario("durations far apart", 500, 1, "[5, 40]", 10.0),
    Scenario("three kinds of app", 450, 3, "[8, 20]", 8.0),
    Scenario("a quota that is too small", 200, 2, "[10, 12]", 10.0, quota=80, exit_code=3),
)


def main() -> None:
    worst = 0.0
    for scenario in SCENARIOS:
        with workshop() as folder:
            forecast, took = _measured(folder, scenario)
        share = abs(forecast - took) / took
        worst = max(worst, share)
        print(f"forecast, {scenario.name}: {forecast:.1f} s, and it took {took:.1f} s ({share:.1%} off)", flush=True)
    print(f"forecast: at most {worst:.1%} off")
    assert worst <= SHARE_MAX, worst


def _service(scenario: Scenario, *, quota: bool) -> str:
    rate = scenario.rate or 0.0
    text = f"schema = 1\n[times]\napp_pending = {scenario.pending}\n[request_limits]\nListApps = {{ rate = 0 }}\n"
    text += f"CreateApp = {{ rate = {rate}, burst = {max(rate, 1.0)} }}\n"
    if quota and scenario.quota is not None:
        text += f'[[quota]]\napp_type = "JupyterLab"\ninstance_type = "{INSTANCE_TYPES[0]}"\nvalue = {scenario.quota}\n'
    return text


def _measured(folder: Path, scenario: Scenario) -> tuple[float, float]:
    """Return the forecast, and what the run took from its first CreateApp to its last app's end, in seconds."""
    write_fleet(folder, scenario.apps, POLICY, types=INSTANCE_TYPES[: scenario.types])
    with simulator(folder, _service(scenario, quota=False)) as service:
        assert appfleet(folder, service.url, "apply", "--yes").exit_code == 0
    # Another world: everything is gone, and what the journal learnt is all that is left.
    with simulator(folder, _service(scenario, quota=True)) as service:
        forecast = appfleet(folder, service.url, "plan").report["forecast"]
        ran = appfleet(folder, service.url, "apply", "--yes")
        assert ran.exit_code == scenario.exit_code, ran.report["summary"]
    assert forecast["parked"] == ran.report["summary"].get("parked", 0), forecast
    return float(forecast["seconds"]), float(ran.report["seconds"])


if __name__ == "__main__":
    main()
