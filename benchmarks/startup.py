"""Start-up beside `python -c "import pydantic"`, interleaved so that the machine's noise meets all alike."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
ROOT = Path(__file__).resolve().parent.parent
COMMANDS = {
    "import pydantic": [sys.executable, "-c", "import pydantic"],
    "appfleet --help": [str(Path(sys.executable).with_name("appfleet")), "--help"],
    "appfleet validate": [str(Path(sys.executable).with_name("appfleet")), "validate"],
}


def main() -> None:
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
            taken[name].append(time.perf_counter() - began)
    base = statistics.median(taken["import pydantic"])
    for name, seconds in taken.items():
        middle = statistics.median(seconds)
        print(
            f"{name}: {middle * 1000:.0f} ms ({min(seconds) * 1000:.0f} to {max(seconds) * 1000:.0f}), "
            f"{middle / base:.2f} ×"
        )


if __name__ == "__main__":
    main()
