"""Feed hostile inputs to everything that reads one: `python -m tools.fuzz --seconds 600 --seed 1`.

Prints one line per target: executions, the slowest input, and what broke. Whatever broke is saved to
`tests/fuzz/corpus`, from where the test suite and the next run take it. The same seed with `--runs N` gives the same
inputs.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.app.process import collect_rarely
from tests.fuzz.session import Session
from tests.fuzz.targets import CORPUS, all_targets, target_named

if TYPE_CHECKING:
    from tests.fuzz.session import Crasher

MEMORY_MAX_BYTES: Final = 4 * 2**30
DETAIL_LINES_MAX_COUNT: Final = 12
ROUND_SECONDS: Final = 120.0  # what a target works out in one round, before the others have theirs


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one target in one round."""

    name: str
    seed: str
    executions: int
    seconds: float
    slowest_s: float
    crashers: tuple[Crasher, ...]


def _play(name: str, seed: str, seconds: float | None, runs: int | None) -> Played:
    """Play one target in a process of its own, so that what it does to memory ends with it."""
    collect_rarely()  # as every command does
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
    started = time.monotonic()
    target = target_named(name)()
    try:
        session = Session(target, seed)
        session.play(seconds=seconds, count=runs)
    finally:
        target.close()
    took = time.monotonic() - started
    return Played(name, seed, session.executions, took, session.slowest_s, tuple(session.crashers.values()))


def _tell(played: Played) -> None:
    rate = played.executions / max(played.seconds, 0.001)
    print(
        f"{played.name:14} seed {played.seed:8} {played.executions:9,} executions {rate:7,.0f}/s "
        f"slowest {played.slowest_s:5.2f} s  {len(played.crashers)} findings",
        flush=True,
    )


def _save(played: Played, known: set[tuple[str, str]]) -> None:
    for crasher in played.crashers:
        if (played.name, crasher.kind) in known:
            continue
        known.add((played.name, crasher.kind))
        folder = CORPUS / played.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / crasher.name).write_bytes(crasher.data)
        print(f"  FOUND {played.name}: {crasher.kind} ({len(crasher.data):,} bytes) -> {folder / crasher.name}")
        print("    " + "\n    ".join(crasher.detail.splitlines()[-DETAIL_LINES_MAX_COUNT:]), flush=True)


def main() -> int:
    """Play the targets in rounds until the time is up; 1 when anything broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="of all targets together")
    parser.add_argument("--runs", type=int, help="new inputs of each target, instead of a time")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--target", action="append", help="this target alone; repeatable")
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    names = asked.target or [target.name for target in all_targets()]
    end = time.monotonic() + asked.seconds
    known: set[tuple[str, str]] = set()
    total, number = 0, 0
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        while number == 0 or (asked.runs is None and time.monotonic() < end):
            left = end - time.monotonic()
            seconds = None if asked.runs is not None else min(ROUND_SECONDS, left * asked.jobs / len(names))
            seed = asked.seed if number == 0 else f"{asked.seed}.{number}"
            for future in [pool.submit(_play, name, seed, seconds, asked.runs) for name in names]:
                played = future.result()
                total += played.executions
                _tell(played)
                _save(played, known)
            number += 1
    print(f"{total:,} executions in all, {len(known)} findings")
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
