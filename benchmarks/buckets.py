"""One full bucket beside nine free ones: the nine finish as fast as without it, and the full one costs a few probes."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

from benchmarks.harness import AT_ONCE, INSTANCE_TYPES, Ran, appfleet, simulator, told, workshop, write_fleet
from benchmarks.limits import UNLIMITED

if TYPE_CHECKING:
    from pathlib import Path

RUNS = 3
APPS = 500
POLICY = """[execution]
create_rate = 40
create_rate_max = 40
read_rate = 5
[backoff.ResourceLimitExceeded]
initial = "1s"
max = "60s"
give_up_after = "60s"
"""
FULL_TYPE = INSTANCE_TYPES[-1]
FULL = f'[[quota]]\napp_type = "JupyterLab"\ninstance_type = "{FULL_TYPE}"\nvalue = 4\n'


def main() -> None:
    ratios: list[float] = []
    probes: list[float] = []
    for _ in range(RUNS):
        with workshop() as folder:
            without = _seconds_of_the_nine(folder / "free", UNLIMITED, 0)
            beside, probed = _beside_a_full_one(folder / "full")
            ratios.append(beside / without)
            probes.append(probed)
            print(f"  the nine: {beside:.2f} s beside a full one, {without:.2f} s without; {probed} probes", flush=True)
    print(f"one full bucket beside nine: the nine take {told(ratios)} of the time without it")
    print(f"one full bucket beside nine: probes {told(probes, 0)} in its 60 s")


def _seconds_of_the_nine(folder: Path, scenario: str, parked: int) -> float:
    """Return the seconds from the first CreateApp to the last accepted one outside the full bucket."""
    ran = _run(folder, scenario, parked)
    return _span(ran)


def _beside_a_full_one(folder: Path) -> tuple[float, int]:
    # Four apps of the full type have room, so it fills under way as in life; 46 stay parked.
    ran = _run(folder, UNLIMITED + FULL, 46)
    outcomes = Counter(app["outcome"] for app in ran.report["apps"] if app["instance_type"] == FULL_TYPE)
    assert outcomes == {"created": 4, "parked": 46}, outcomes
    return _span(ran), len(ran.events("bucket.probed"))


def _run(folder: Path, scenario: str, parked: int) -> Ran:
    types = INSTANCE_TYPES if parked else INSTANCE_TYPES[:-1]
    write_fleet(folder, APPS * len(types) // len(INSTANCE_TYPES), POLICY + AT_ONCE, types=types)
    with simulator(folder, scenario) as service:
        ran = appfleet(folder, service.url, "apply", "--yes")
        assert ran.exit_code == (3 if parked else 0), ran.report["summary"]
        assert service.stats()["create_for_live_key"] == 0
    return ran


def _span(ran: Ran) -> float:
    made = [event for event in ran.events("app.created") if event["instance_type"] != FULL_TYPE]
    assert len(made) == APPS * 9 // 10, len(made)
    times = [datetime.fromisoformat(event["ts"]).timestamp() for event in made]
    return max(times) - min(times)


if __name__ == "__main__":
    main()
