"""Start-up beside `python -c "import pydantic"`, interleaved so that the machine's noise meets all alike.

    python benchmarks/startup.py [--rounds 15] [--beside FOLDER]

FOLDER is another checkout, such as a worktree of an earlier commit, whose start-up is measured in the same rounds with
the same Python. Times are wall and processor time; memory is the peak of the process. The last two commands read
SageMaker's model as `settings` are checked with it, and make a first client.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLEET = """schema = 1
name = "startup"
policies = []
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
[apps.lab]
type = "JupyterLab"
instance_type = "ml.t3.medium"
[domains.research.users.alice]
[domains.research.spaces.alice-lab]
owner = "alice"
apps = ["lab"]
"""
SETTINGS = """[domains.research.spaces.alice-lab.settings.JupyterLabAppSettings.DefaultResourceSpec]
InstanceType = "ml.t3.medium"
"""
RUN = "import sys; sys.path.insert(0, sys.argv.pop(1)); "
COMMAND = RUN + "from appfleet import main; sys.exit(main())"
MODEL = RUN + 'from engine.config.service.settings_check import _shapes; _shapes()["UserSettings"]'
CLIENT = (
    RUN
    + """
import asyncio
from contextlib import AsyncExitStack
from engine.adapters.aws.sessions import Clouds
from engine.core.desired import DesiredDomain, Source
async def first():
    async with Clouds(endpoint_url="http://127.0.0.1:9") as clouds:
        await clouds.connect(DesiredDomain("d", "d-abcd1234efgh", "eu-west-1", source=Source("f", 1)))
asyncio.run(first())
"""
)


@dataclass(frozen=True, slots=True)
class Took:
    """One process: seconds of the clock, seconds of the processor, and its peak in MB."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def commands(root: Path, home: Path) -> dict[str, list[str]]:
    """Return what is measured of one checkout."""
    python, at = [sys.executable, "-P", "-c"], str(root)
    return {
        "appfleet --help": [*python, COMMAND, at, "--help"],
        "appfleet validate": [*python, COMMAND, at, "-f", str(root / "fleet.toml"), "validate"],
        "validate, no settings": [*python, COMMAND, at, "-f", str(home / "plain.toml"), "validate"],
        "validate, settings": [*python, COMMAND, at, "-f", str(home / "settings.toml"), "validate"],
        "reading the model": [*python, MODEL, at],
        "a first client": [*python, CLIENT, at],
    }


def took(command: list[str], home: Path) -> Took:
    """Run one command to its end."""
    keys = {"HOME": str(home), "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], **keys}) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return Took(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--beside", type=Path, help="another checkout")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "plain.toml").write_text(FLEET)
        (home / "settings.toml").write_text(FLEET + SETTINGS)
        measured = {"import pydantic": [sys.executable, "-c", "import pydantic"]}
        for root, mark in ((given.beside, " (beside)"), (ROOT, "")):
            if root is not None:
                measured |= {name + mark: command for name, command in commands(root.resolve(), home).items()}
        found: dict[str, list[Took]] = {name: [] for name in measured}
        for command in measured.values():
            took(command, home)  # compiles what is not compiled yet
        for _ in range(given.rounds):
            for name, command in measured.items():
                found[name].append(took(command, home))
    show(found)


def show(found: dict[str, list[Took]]) -> None:
    base = statistics.median(one.wall_s for one in found["import pydantic"])
    base_cpu = statistics.median(one.cpu_s for one in found["import pydantic"])
    for name, runs in found.items():
        wall, cpu = (statistics.median(getattr(one, field) for one in runs) for field in ("wall_s", "cpu_s"))
        least, most = min(one.wall_s for one in runs), max(one.wall_s for one in runs)
        print(
            f"{name}: {wall * 1000:.0f} ms ({least * 1000:.0f} to {most * 1000:.0f}), {wall / base:.2f} ×; "
            f"processor {cpu * 1000:.0f} ms, {cpu / base_cpu:.2f} ×; "
            f"peak {statistics.median(one.peak_mb for one in runs):.1f} MB"
        )


if __name__ == "__main__":
    main()
