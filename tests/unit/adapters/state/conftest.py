"""What the tests of the state folder share: folders, journals, outcomes, and a user who may not do everything."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.adapters.state.journal import RunHeader, SqliteJournal
from engine.adapters.state.state_dir import StateDir
from engine.core.change import Action
from engine.core.identity import AppKey
from engine.core.outcome import AppResult, Outcome

if TYPE_CHECKING:
    from engine.core.trouble import Trouble

NOBODY = 65534
TIMEOUT_S = 180

OpenState = Callable[..., StateDir]
OpenJournal = Callable[..., SqliteJournal]
MakeResult = Callable[..., AppResult]
MakeKey = Callable[..., AppKey]


def until(holds: Callable[[], bool]) -> None:
    """Let the journal's thread get there, in bounds."""
    give_up_at = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0)  # lets the other thread on


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as closing:
        yield closing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".appfleet"


@pytest.fixture
def state(folder: Path, stack: ExitStack) -> StateDir:
    return stack.enter_context(StateDir.open(folder))


@pytest.fixture
def open_journal(state: StateDir, stack: ExitStack) -> OpenJournal:
    """Open a journal that is closed at the end, whatever the test did with it."""

    def make(run_id: str = "r1", fleet: str = "ml", started: float = 100.0, wall: float = 100.0) -> SqliteJournal:
        journal = SqliteJournal.open(state, RunHeader(run_id, fleet, "0.1.0", started), wall=lambda: wall)
        stack.callback(journal.close)
        return journal

    return make


@pytest.fixture
def make_key() -> MakeKey:
    def make(owner: str = "alice") -> AppKey:
        return AppKey("research", "user", owner, "JupyterServer", "default")

    return make


@pytest.fixture
def make_result(make_key: MakeKey) -> MakeResult:
    def make(
        owner: str = "alice", outcome: Outcome = Outcome.CREATED, error: Trouble | None = None, seconds: float = 2.5
    ) -> AppResult:
        return AppResult(make_key(owner), Action.CREATE, outcome, 1, seconds, "system", "arn:x", error)

    return make


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """Yield an empty folder that this process owns, while it is not root: root may write what is read-only."""
    place = Path(tempfile.mkdtemp())
    as_root = os.geteuid() == 0
    if as_root:
        os.chown(place, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield place
    finally:
        if as_root:
            os.seteuid(0)
        for path in [place, *place.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(place)
