"""How close a run comes to the service's limit: the limit known, unknown, and changing under way.

The bound is the least time in which the service's own token bucket would have let the same calls pass.
"""

from __future__ import annotations

import sys

from benchmarks.harness import AT_ONCE, Simulator, appfleet, simulator, told, workshop, write_fleet

RUNS = 3
TIMES = """schema = 1
[times]
app_pending = [0.5, 1.5]
answer = [0.02, 0.06]
[quotas]
apps_per_bucket = 100000
running_apps = 200000
spaces = 200000
user_profiles = 200000
"""


UNLIMITED = TIMES + "[request_limits]\nCreateApp = { rate = 0 }\nListApps = { rate = 0 }\n"


def policy(rate: float, rate_max: float, concurrency: int = 16) -> str:
    return (
        f"[execution]\ncreate_rate = {rate}\ncreate_rate_max = {rate_max}\n"
        f"concurrency = {concurrency}\nread_rate = 5.0\n{AT_ONCE}"
    )


def request_limit(rate: float, burst: float) -> str:
    return f"[request_limits.CreateApp]\nrate = {rate}\nburst = {burst}\n"


def change_at(seconds: float, rate: float, burst: float) -> str:
    limit = f'request_limit = {{ operation = "CreateApp", rate = {rate}, burst = {burst} }}'
    return f'[[at]]\nseconds = {seconds}\nfrom = "first-create"\n{limit}\n'


def least_seconds(calls: int, burst: float, phases: list[tuple[float, float]]) -> float:
    """Return the least time for `calls` calls; `phases` are (from second, rate), the first from 0."""
    left = calls - burst
    for (begin, rate), (end, _) in zip(phases, [*phases[1:], (float("inf"), 0.0)], strict=True):
        if left <= rate * (end - begin):
            return begin + left / rate
        left -= rate * (end - begin)
    raise AssertionError


def measure(
    title: str, apps: int, rates: tuple[float, float], scenario: str, bound_s: float
) -> list[tuple[float, float]]:
    """Run it three times; print and give (makespan over bound, share throttled) of each."""
    found: list[tuple[float, float]] = []
    for _ in range(RUNS):
        with workshop() as folder:
            write_fleet(folder, apps, policy(*rates))
            with simulator(folder, scenario) as service:
                ran = appfleet(folder, service.url, "apply", "--yes")
                _check(ran.exit_code, service, apps)
                found.append((service.makespan_s() / bound_s, service.throttled_share()))
                in_flight = service.stats()["max_in_flight"]
                print(
                    f"  {title}: {found[-1][0]:.3f} of the bound {bound_s:.1f} s, {found[-1][1]:.2%} throttled, "
                    f"{in_flight} in flight at most",
                    flush=True,
                )
    print(
        f"{title}: makespan / bound {told([one for one, _ in found])}, "
        f"throttled {told([share * 100 for _, share in found], 2)} %"
    )
    return found


def _check(exit_code: int, service: Simulator, apps: int) -> None:
    counted = service.stats()
    assert exit_code == 0, exit_code
    assert counted["calls"]["CreateApp"]["ok"] == apps, counted["calls"]
    assert counted["create_for_live_key"] == 0, counted["create_for_live_key"]
    assert counted["max_in_flight"] <= 16, counted["max_in_flight"]


def main(names: list[str]) -> None:
    everything = {
        "house": lambda: measure(
            "1,000 apps, 50/s burst 10, create_rate 45", 1_000, (45, 45), TIMES + request_limit(50, 10), 1_000 / 45
        ),
        "known": lambda: measure(
            "limit known: 2,000 apps, 40/s burst 10, create_rate 40",
            2_000,
            (40, 40),
            TIMES + request_limit(40, 10),
            least_seconds(2_000, 10, [(0, 40)]),
        ),
        "unknown": lambda: measure(
            "limit unknown: 2,000 apps, 40/s burst 10, from 2/s",
            2_000,
            (2, 200),
            TIMES + request_limit(40, 10),
            least_seconds(2_000, 10, [(0, 40)]),
        ),
        "halves": lambda: measure(
            "the limit halves from 15 s to 30 s: 2,000 apps, 40/s burst 10, from 2/s",
            2_000,
            (2, 200),
            TIMES + request_limit(40, 10) + change_at(15, 20, 10) + change_at(30, 40, 10),
            least_seconds(2_000, 10, [(0, 40), (15, 20), (30, 40)]),
        ),
    }
    for name in names or list(everything):
        everything[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
