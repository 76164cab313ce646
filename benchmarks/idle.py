"""An idle night over 10,000 apps: the listing, who is asking, and nothing else."""

from __future__ import annotations

from benchmarks.harness import appfleet, simulator, told, workshop, write_fleet
from benchmarks.limits import UNLIMITED

RUNS = 3
APPS = 10_000
POLICY = """[execution]
create_rate = 1000
create_rate_max = 1000
read_rate = 200
concurrency = 64
[safety]
create_max = 20000
"""


def main() -> None:
    walls: list[float] = []
    with workshop() as folder:
        write_fleet(folder, APPS, POLICY)
        with simulator(folder, UNLIMITED) as service:
            made = appfleet(folder, service.url, "apply", "--yes")
            assert made.report["summary"] == {"created": APPS}, made.report["summary"]
            for _ in range(RUNS):
                service.reset()
                ran = appfleet(folder, service.url, "apply", "--yes")
                calls = {name: sum(answers.values()) for name, answers in service.stats()["calls"].items()}
                assert calls == {"GetCallerIdentity": 1, "ListApps": 100}, calls
                assert ran.report["summary"] == {"unchanged": APPS}, ran.report["summary"]
                walls.append(ran.wall_s)
    print(f"10,000 apps, nothing to do: 100 ListApps and 1 GetCallerIdentity, {told(walls, 2)} s at read_rate 200")


if __name__ == "__main__":
    main()
