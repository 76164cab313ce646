"""`make bench`: every benchmark, one after the other, each in its own process."""

from __future__ import annotations

import subprocess
import sys

MODULES = (
    "startup",
    "limits",
    "buckets",
    "canary",
    "idle",
    "lanes",
    "cpu",
    "beside",
    "crash",
    "simulator_speed",
    "plan_speed",
    "million",
    "policy_speed",
    "live_view",
    "forecast",
    "hours",
)


def main(names: list[str]) -> int:
    failed: list[str] = []
    for name in names or list(MODULES):
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
