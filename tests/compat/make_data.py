"""Make the data of this folder with another checkout's command line: what that version wrote and said.

    python -m tests.compat.make_data CHECKOUT

The worlds are simulated here, by today's simulator, so that both versions meet the same one; the commands are those of
the checkout. Times and run ids are those of the day; everything else comes out the same each time.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.scenario.snapshot import dump_world
from tests.compat.places import (
    DENIED_STEPS,
    EXIT_CODES,
    KILLED_STEPS,
    LOST,
    NIGHTS_STEPS,
    PLANS,
    QUICK_ALL,
    TEAM_STEPS,
    prepare_killed,
    prepare_nights,
    prepare_varied,
)
from tests.compat.stored import DATA, STATE, Step, journal_script, restored, taken
from tests.e2e.harness import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_LEVELS: Final = re.compile(r"## (\S+)\n\nLevel (\w+)\..*?Fields: ([^\n]*)\n", re.DOTALL)
_ERRORS: Final = re.compile(r"^\| (AF\d{3}) \| (\w+) \| (\d+) \|", re.MULTILINE)


class Earlier(Place):
    """A place whose commands are those of the checkout."""

    checkout = Path()

    def process(
        self,
        *arguments: str,
        stdin: int | IO[Any] = subprocess.DEVNULL,
        stdout: int | IO[Any] = subprocess.PIPE,
        stderr: int | IO[Any] = subprocess.PIPE,
        cold: bool = True,
        **environment: Any,
    ) -> subprocess.Popen[str]:
        """Begin one command of the checkout."""
        del cold
        env = self.environment(PYTHONPATH=str(self.checkout), **environment)
        command = [sys.executable, "-m", "engine", "-f", "fleet.toml", *arguments]
        return subprocess.Popen(
            command, cwd=self.folder, env=env, stdin=stdin, stdout=stdout, stderr=stderr, text=True
        )  # fmt: skip


@contextmanager
def _place() -> Iterator[Earlier]:
    with tempfile.TemporaryDirectory() as folder:
        place = Earlier(Path(folder) / "place")
        place.folder.mkdir()
        with SimulatorThread(place.world) as simulator:
            place.simulator, place.url = simulator, simulator.url
            yield place


def _store(name: str, prepare: Callable[[Place], None]) -> Path:
    """Keep a place as `prepare` leaves it."""
    stored = DATA / name
    shutil.rmtree(stored, ignore_errors=True)
    with _place() as place:
        prepare(place)
        place.scenario(QUICK_ALL)
        left_out = shutil.ignore_patterns(STATE, "log-*.jsonl", "scenario.toml")
        shutil.copytree(place.folder, stored / "files", ignore=left_out)
        document = json.loads(place.within(dump_world))
        document["apps"] = [app for app in document["apps"] if app["key"][2] not in LOST.get(name, ())]
        (stored / "world.json").write_text(json.dumps(document) + "\n")
        if (place.folder / STATE / "journal.sqlite").exists():
            (stored / "journal.sql").write_text(journal_script(place.folder / STATE))
    return stored


def _record(stored: Path, name: str, steps: Sequence[Step], plan: str = "") -> None:
    """Run the commands of the checkout in a place and keep what they gave, and the plan that they saved."""
    with tempfile.TemporaryDirectory() as folder, restored(stored, Path(folder) / "place") as today:
        place = Earlier(today.folder, today.world, today.url, today.simulator)
        given = list(taken(place, steps))
        sys.stdout.write(f"{stored.name}/{name}: {[step.code for step in given]}\n")
        (stored / "steps").mkdir(exist_ok=True)
        if plan:
            (stored / "plans").mkdir(exist_ok=True)
            shutil.copy(place.folder / plan, stored / "plans" / f"{name}.json")
    entries = [{key: value for key, value in asdict(step).items() if value} for step in given]
    (stored / "steps" / f"{name}.json").write_text(json.dumps(entries, indent=1) + "\n")


def _store_lists(checkout: Path) -> None:
    """Keep the closed lists: events with their levels and fields, errors with their classes and exit codes."""
    events = {
        name: {"level": level, "fields": re.findall(r"`(\w+)`", names)}
        for name, level, names in _LEVELS.findall((checkout / "docs" / "events.md").read_text())
    }
    errors = {
        code: [name, int(end)] for code, name, end in _ERRORS.findall((checkout / "docs" / "errors.md").read_text())
    }
    for name, kept in (("events", events), ("errors", errors)):
        (DATA / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")
    shutil.rmtree(DATA / "schemas", ignore_errors=True)
    shutil.copytree(checkout / "docs" / "schemas", DATA / "schemas")


_PLACES: Final[Mapping[str, tuple[Callable[[Place], None], Mapping[str, Sequence[Step]]]]] = {
    "varied": (prepare_varied, {**PLANS, **DENIED_STEPS, **EXIT_CODES, **TEAM_STEPS}),
    "nights": (prepare_nights, NIGHTS_STEPS),
    "killed": (prepare_killed, KILLED_STEPS),
}


def main(checkout: Path, names: Sequence[str]) -> None:
    """Make everything anew, or some places alone."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    Earlier.checkout = checkout.resolve()
    _store_lists(checkout)
    for name, (prepare, files) in _PLACES.items():
        if not names or name in names:
            stored = _store(name, prepare)
            for steps_name, steps in files.items():
                _record(stored, steps_name, steps, "plan.json" if steps_name in PLANS else "")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
