"""Planning by one worker and by two, offline: how much faster two are.

    python -m benchmarks.dask_plan [--domains 1000] [--apps 1000] [--rounds 3]

A worker loads its shard with ten rules, plans a first night in which nothing is there yet, cuts the plan into those of
its lanes and writes them to a folder: what `plan --shard` does, without the calls. The workers are those of
`--workers`; their start is told apart. Seconds are of the clock, and of the processor for the worker that needs most of
it, which says the same on a busy machine: medians with the smallest and the largest.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import told, workshop
from benchmarks.million import MADE_AT, TODAY, write_fleet

if TYPE_CHECKING:
    from engine.ports.workers import Line, Values


def work(task: Values, _line: Line) -> Values:
    """Plan one shard."""
    from engine.adapters.state.folder_objects import FolderObjects
    from engine.app.gate import record_of
    from engine.app.loading import load
    from engine.app.plan_place import PlanPlace
    from engine.app.process import collect_rarely
    from engine.core.lane_plans import lane_plans, lanes_of
    from engine.core.observed import ObservedDomain, ObservedFleet
    from engine.core.planner import PlanOptions, plan_fleet
    from engine.core.shards import parse_shard

    collect_rarely()
    began = time.process_time()
    shard = parse_shard(str(task["shard"]))
    loaded = load(Path(str(task["fleet"])), TODAY, shard=shard)
    nothing = ObservedFleet({one.name: ObservedDomain(one.name, 0.0, {}) for one in loaded.fleet.domains})
    made = plan_fleet(loaded.fleet, nothing, PlanOptions(made_at=MADE_AT, today=TODAY))
    plans = lane_plans(made, lanes_of(loaded.fleet.domains))
    record = record_of(shard, made, plans, loaded, nothing)
    place = PlanPlace(FolderObjects(Path(str(task["plans"]))), "plans")
    asyncio.run(place.save_shard(record, plans))
    return {"changes": len(made.changes), "cpu_s": time.process_time() - began}


async def planned(count: int, fleet: Path, folder: Path) -> tuple[float, float, float]:
    """Plan in `count` shards; return the seconds of the start, of the plans, and of the busiest worker's processor."""
    from engine.adapters.dask_workers import opened_workers
    from engine.core.crew import Crew

    began = time.monotonic()
    async with opened_workers(Crew(count), work, lambda _: None, folder / "workers") as workers:
        started = time.monotonic()
        tasks: list[dict[str, Any]] = [
            {"fleet": str(fleet), "shard": f"{index}/{count}", "plans": str(folder / "plans")} for index in range(count)
        ]
        results = await asyncio.gather(*(workers.submit(partial(dict, task)) for task in tasks))
        ended = time.monotonic()
    return started - began, ended - started, max(float(one["cpu_s"]) for one in results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", type=int, default=1000)
    parser.add_argument("--apps", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    found: dict[int, list[tuple[float, float, float]]] = {1: [], 2: []}
    with workshop() as folder:
        write_fleet(folder, asked.domains, asked.apps)
        for number in range(asked.rounds):
            for count, ran in found.items():
                place = folder / f"round-{number}-{count}"
                ran.append(asyncio.run(planned(count, folder / "fleet.toml", place)))
    for count, ran in found.items():
        starts, plans, cpu = (told([one[which] for one in ran], 1) for which in range(3))
        print(
            f"{asked.domains * asked.apps:,} apps, {count} of Dask's workers: plan {plans} s, "
            f"of the processor {cpu} s, start {starts} s"
        )
    clock, cpu = (
        told([one[which] / two[which] for one, two in zip(found[1], found[2], strict=True)], 2) for which in (1, 2)
    )
    print(f"two are {clock} times as fast as one, by the processor {cpu}; load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
