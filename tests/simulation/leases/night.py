"""Machines that want one lane, for an hour of virtual time: no call of an older holder comes after one of a newer."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Final

from tests.simulation.leases.machine import Act, Kept, Machine
from tests.simulation.leases.shared_store import SharedStore
from tests.simulation.virtual_loop import VirtualLoop

MACHINES_MAX_COUNT: Final = 4
NIGHT_SECONDS: Final = 3_600.0
TROUBLE_MAX_SECONDS: Final = 240.0
TROUBLE_EVERY_MAX_SECONDS: Final = 200.0


@dataclass(frozen=True, slots=True)
class LeaseNight:
    """What one seed came to. `seen` names what happened in it."""

    violations: tuple[str, ...]
    acts: tuple[Act, ...]
    seen: frozenset[str]


def play(seed: int) -> LeaseNight:
    """Play one seed."""
    rng = random.Random(seed)
    loop = VirtualLoop(rng)
    try:
        return loop.run_until_complete(_night(rng))
    finally:
        loop.close()


async def _night(rng: random.Random) -> LeaseNight:
    acts: list[Act] = []
    kept: list[Kept] = []
    store = SharedStore(rng, rng.uniform(-1e5, 1e5), rng.choice((0.0, 0.05, 0.3)))
    machines = [Machine(f"m{number}", store, rng, acts, kept) for number in range(rng.randint(2, MACHINES_MAX_COUNT))]
    tasks = [asyncio.create_task(machine.live()) for machine in machines]
    loop = asyncio.get_running_loop()
    while loop.time() < NIGHT_SECONDS:
        await asyncio.sleep(rng.uniform(0.0, TROUBLE_EVERY_MAX_SECONDS))
        machine = rng.choice(machines)
        name, trouble = rng.choice((("stopped", machine.stop), ("cut off", machine.cut_off)))
        store.seen.add(name)
        trouble(rng.uniform(0.0, TROUBLE_MAX_SECONDS))
    crashed = tuple(f"crashed: {task.exception()!r}" for task in tasks if task.done())
    store.is_gone = True
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.wait(rest)
    counts = ("taken", "unclean", "lost")
    seen = store.seen | {name for name in counts if any(getattr(one, f"{name}_count") for one in machines)}
    return LeaseNight((*crashed, *violations(acts), *forgotten(kept)), tuple(acts), frozenset(seen))


def forgotten(kept: list[Kept]) -> list[str]:
    """Name each intent that was kept for a run and not found by the one that followed it."""
    found: list[str] = []
    promised: dict[str, int] = {}
    for one in kept:
        if one.is_found:
            found += [
                f"the run of epoch {one.epoch} did not find {intent}, kept in epoch {epoch}"
                for intent, epoch in promised.items()
                if epoch < one.epoch and intent not in one.intents
            ]
        else:
            promised.update(dict.fromkeys(one.intents, one.epoch))
    return found


def violations(acts: list[Act]) -> list[str]:
    """Name each call that came after one of a newer holder, and each epoch of two runs."""
    found: list[str] = []
    newest = 0
    holders: dict[int, str] = {}
    for act in acts:
        if act.epoch < newest:
            found.append(f"a call of {act.run} in epoch {act.epoch} came after one of epoch {newest}")
        newest = max(newest, act.epoch)
        if holders.setdefault(act.epoch, act.run) != act.run:
            found.append(f"epoch {act.epoch} is of {holders[act.epoch]} and of {act.run}")
    return found
