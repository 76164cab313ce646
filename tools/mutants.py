"""Show that the simulation finds deliberate bugs: `python tools/mutants.py [--seeds 300]`; 1 when one was not found."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.simulation.mutants import MUTANTS, hunt


def main() -> int:
    """Hunt each bug and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    asked = parser.parse_args()
    missed = 0
    print(f"{'bug':34} {'promise':34} {'seed':>5}  what was seen")
    for mutant in MUTANTS:
        found = hunt(mutant, range(asked.seeds))
        missed += found.seed is None
        seed = "-" if found.seed is None else str(found.seed)
        print(f"{mutant.name:34} {mutant.breaks:34} {seed:>5}  {found.violation[:110] or 'NOT FOUND'}", flush=True)
    print(f"{len(MUTANTS) - missed} of {len(MUTANTS)} found within {asked.seeds} seeds each")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
