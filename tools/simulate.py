"""Play many nights of the deterministic simulation: `python tools/simulate.py --seeds 10000 --jobs 2`.

Prints each seed that fails with the end of its trace, and a line of figures. `--seed N` plays one with its whole trace.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.simulation.kinds import EXPECTED, missing
from tests.simulation.night import NightResult, play
from tests.simulation.scenario import DRAWING

CHUNK: Final = 50
TRACE_LINES: Final = 80
FAILURES_SHOWN_MAX_COUNT: Final = 10


def _chunk(first: int, last: int) -> tuple[list[NightResult], float, int, int, Counter[str]]:
    """Play some seeds; the failed ones, how much was simulated, and in how many nights each thing happened."""
    failed: list[NightResult] = []
    seen: Counter[str] = Counter()
    simulated, runs, calls = 0.0, 0, 0
    for seed in range(first, last):
        try:
            result = play(seed)
        except Exception as error:  # noqa: BLE001 - a crash is a failure of that seed, and the others go on
            result = NightResult(seed, [f"crashed: {error!r}"], [], 0.0, 0, 0)
        simulated += result.simulated_s
        runs += result.runs
        calls += result.calls
        seen.update(result.seen)
        if result.violations:
            failed.append(result)
    return failed, simulated, runs, calls, seen


def _show(result: NightResult, lines: int | None) -> None:
    for violation in result.violations:
        print(f"seed {result.seed}: {violation}")
    print("\n".join(result.trace if lines is None else result.trace[-lines:]))


def main() -> int:
    """Play what was asked for; 1 when a seed failed, or when many nights lack something that they should hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int)
    asked = parser.parse_args()
    if asked.seed is not None:
        result = play(asked.seed)
        _show(result, None)
        return 1 if result.violations else 0
    began = time.monotonic()
    failed: list[NightResult] = []
    simulated, runs, calls = 0.0, 0, 0
    seen: Counter[str] = Counter()
    end = asked.first + asked.seeds
    firsts = range(asked.first, end, CHUNK)
    with ProcessPoolExecutor(asked.jobs) as pool:
        for part in pool.map(_chunk, firsts, (min(first + CHUNK, end) for first in firsts)):
            for result in part[0]:
                if len(failed) < FAILURES_SHOWN_MAX_COUNT:
                    _show(result, TRACE_LINES)
                failed.append(result)
            simulated, runs, calls = simulated + part[1], runs + part[2], calls + part[3]
            seen.update(part[4])
    seconds = time.monotonic() - began
    lacking = missing(seen, asked.seeds)
    print("nights in which it happened:")
    for name in sorted({*seen, *EXPECTED}):
        print(f"  {seen[name]:6} {seen[name] / max(asked.seeds, 1):7.1%}  {name}")
    print(
        f"{asked.seeds} seeds, {len(failed)} failed; {runs} runs, {calls} calls, {simulated / 3600:.1f} h simulated "
        f"in {seconds:.0f} s ({simulated / max(seconds, 0.001):.0f} times real time, {asked.jobs} jobs)"
    )
    if failed:
        print(f"add to tests/simulation/seeds.txt, of drawing {DRAWING}:", *(result.seed for result in failed))
    if lacking:
        print("never happened, so nothing is known of it:", ", ".join(lacking))
    return 1 if failed or lacking else 0


if __name__ == "__main__":
    sys.exit(main())
