"""What a canary costs: an onboarding of 500 apps of three shapes with a new journal, then the same with what it learnt.

Each run meets an empty service in which every app takes the same time to start, so what is longer is the wait.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from benchmarks.harness import AT_ONCE, Ran, appfleet, simulator, told, workshop, write_fleet

if TYPE_CHECKING:
    from pathlib import Path

RUNS = 3
APPS = 501
SETTLE_SECONDS = 20.0
TYPES = ("ml.t3.medium", "ml.m5.large", "ml.c5.large")
POLICY = "[execution]\ncreate_rate = 20\ncreate_rate_max = 20\n"
SCENARIO = f"""schema = 1
[times]
app_pending = [{SETTLE_SECONDS}, {SETTLE_SECONDS}]
[quotas]
apps_per_bucket = 100000
running_apps = 200000
spaces = 200000
[request_limits]
CreateApp = {{ rate = 0 }}
ListApps = {{ rate = 0 }}
"""


def main() -> None:
    nights: dict[str, list[float]] = {"all at once": [], "a new journal": [], "shapes that ran here": []}
    for _ in range(RUNS):
        with workshop() as folder:
            nights["all at once"].append(_night(folder / "at-once", POLICY + AT_ONCE))
            nights["a new journal"].append(_night(folder / "canaries", POLICY))
            nights["shapes that ran here"].append(_night(folder / "canaries", POLICY))
    for name, seconds in nights.items():
        print(f"{APPS} apps of {len(TYPES)} shapes, {SETTLE_SECONDS:.0f} s to start, {name}: {told(seconds, 1)} s")


def _night(folder: Path, policy: str) -> float:
    """Run once in an empty service; return the seconds from the first CreateApp to the last app in service."""
    write_fleet(folder, APPS, policy, types=TYPES)
    with simulator(folder, SCENARIO) as service:
        ran = appfleet(folder, service.url, "apply", "--yes")
        assert ran.exit_code == 0, ran.report["summary"]
        assert ran.report["summary"] == {"created": APPS}
    return _at(ran, "app.in_service", -1) - _at(ran, "app.created", 0)


def _at(ran: Ran, event: str, place: int) -> float:
    return sorted(datetime.fromisoformat(one["ts"]).timestamp() for one in ran.events(event))[place]


if __name__ == "__main__":
    main()
