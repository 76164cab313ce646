"""The data of the version before: places (files, a world, a journal), and what its commands said in them.

A place is a folder of `data`: the fleet's files below `files`, `world.json` (a simulated world as that version kept
one), and `journal.sql` where runs went before. `steps/NAME.json` has commands that begin there, each with what it gave.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.scenario.snapshot import load_world
from tests.compat.plain import codes_of, plain_json, types_of
from tests.e2e.harness import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.e2e.harness import Ran

DATA: Final = Path(__file__).parent / "data"
STATE: Final = ".appfleet"
_EPOCH: Final = re.compile(r"(?<![\w.-])(?:1[7-9]|2\d)\d{8}\.\d+(?![\w.])")  # older ones are the data's own
_PRECISE: Final = re.compile(r"\b\d\.\d+e\+\d\d\b")  # how SQLite writes most moments
_LAG_SECONDS: Final = 300.0  # between the data's last moment and now: what was in flight is not any more


@dataclass
class Step:
    """One command with what it gave; `writes` are files that are written before it."""

    words: list[str]
    writes: dict[str, str] = field(default_factory=dict)
    code: int = 0
    errors: list[str] = field(default_factory=list)
    out: Any = None
    events: dict[str, dict[str, str]] = field(default_factory=dict)

    def result(self, ran: Ran) -> Step:
        """Return this step with what a run gave."""
        events: dict[str, dict[str, str]] = {}
        for event in ran.events():
            events.setdefault(event["event"], {}).update(types_of(event))
        return Step(self.words, self.writes, ran.code, codes_of(ran.err), plain_json(ran.out), events)


def steps_of(path: Path) -> list[Step]:
    """Return the steps of a file."""
    return [Step(**step) for step in json.loads(path.read_text())]


def all_steps() -> list[Path]:
    """Return every file of steps."""
    return sorted(DATA.glob("*/steps/*.json"))


@contextmanager
def restored(stored: Path, folder: Path) -> Iterator[Place]:
    """Yield a place as the version before left it, in a folder of its own; its recent times are moved up to now."""
    shutil.copytree(stored / "files", folder, dirs_exist_ok=True)
    world, journal = ((stored / name).read_text() if (stored / name).exists() else "" for name in _TIMED)
    later = time.time() - _LAG_SECONDS - float(json.loads(world)["now"])

    def moved(text: str) -> str:
        return _EPOCH.sub(lambda found: f"{float(found[0]) + later:.3f}", text)

    (folder / "world.json").write_text(moved(world))
    (folder / "world.json").chmod(0o600)
    if journal:
        _restore_journal(folder / STATE, moved(journal))
    kept = load_world(folder / "world.json")
    assert kept is not None
    with SimulatorThread(kept) as simulator:
        yield Place(folder, kept, simulator.url, simulator)


_TIMED: Final = ("world.json", "journal.sql")


def _restore_journal(state: Path, script: str) -> None:
    state.mkdir(mode=0o700)
    with closing(sqlite3.connect(state / "journal.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(script)
    (state / "journal.sqlite").chmod(0o600)


def journal_script(state: Path) -> str:
    """Return a journal as SQL, with what SQLite keeps outside its tables."""
    with closing(sqlite3.connect(state / "journal.sqlite")) as connection:
        names = ("application_id", "user_version")
        pragmas = [f"PRAGMA {name} = {connection.execute(f'PRAGMA {name}').fetchone()[0]};" for name in names]
        lines = [_PRECISE.sub(lambda found: f"{float(found[0]):.3f}", line) for line in connection.iterdump()]
    return "\n".join([*lines, *pragmas]) + "\n"


def taken(place: Place, steps: Sequence[Step]) -> Iterator[Step]:
    """Run the commands of `steps` in a place, one after the other, and yield each with what it gave."""
    for step in steps:
        for name, text in step.writes.items():
            (place.folder / name).parent.mkdir(exist_ok=True)
            (place.folder / name).write_text(text)
        yield step.result(place.run(*step.words))
