"""Past runs, as the journal kept them: read back for every command that looks behind; and the end of a run kept.

Not here: the journal of the run that is going on (`session`).
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from engine.adapters.state import journal_reader
from engine.adapters.state.journal_reader import last_failures, last_seen, owner_seconds, runs, settle_seconds
from engine.adapters.state.lock import holds
from engine.adapters.state.state_dir import StateDir
from engine.app.fleet_name import fleet_name
from engine.app.stopping import stopped_by_signals
from engine.core.errors import UsageError
from engine.core.limits import HISTORY_SHOWN_MAX_COUNT, RUNS_COMPARED_MAX_COUNT, RUNS_NAMED_MAX_COUNT
from engine.core.nearest import nearest
from engine.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from engine.app.options import AppOptions
    from engine.core.bucket_url import BucketUrl
    from engine.core.outcome import ApplyReport
    from engine.ports.history import PastRun, RunDetail, RunRecord, RunStory, RunTrail

    _Lives = Callable[[RunRecord], bool]

__all__ = [
    "keep_end",
    "kept_runs",
    "kept_stories",
    "last_failures",
    "last_seen",
    "owner_seconds",
    "past_runs",
    "run_of",
    "run_of_fleet",
    "run_story",
    "run_trail_of",
    "runs",
    "settle_seconds",
    "write_metrics",
]  # fmt: skip

run_of = journal_reader.run
_HISTORY_HINT = "To list the runs that are kept: appfleet history"


def past_runs(options: AppOptions, limit: int) -> tuple[PastRun, ...]:
    """Return past runs of the fleet in numbers, the newest first. Raises StateError."""
    from engine.adapters.state import timeline_reader

    with _opened(options, newest=limit) as (state, lives):
        return _past(timeline_reader.past_runs(state, fleet=fleet_name(options.fleet_file), limit=limit), lives)


def kept_runs(options: AppOptions) -> tuple[str, ...]:
    """Return the names of the runs that the state folder keeps of the fleet, the newest first. Raises StateError."""
    with StateDir.open(options.state_path, create=False) as state:
        found = journal_reader.runs(state, fleet=fleet_name(options.fleet_file), limit=HISTORY_SHOWN_MAX_COUNT)
    return tuple(record.run_id for record in found)


@contextmanager
def kept_stories(
    options: AppOptions, limit: int
) -> Iterator[tuple[tuple[PastRun, ...], Callable[[str], RunStory | None]]]:
    """Yield the fleet's runs in numbers, the newest first, and what returns all that is kept of one of them.

    Raises StateError, and CloudError for a shared state.
    """
    from engine.adapters.state import timeline_reader

    with _opened(options, newest=limit) as (state, lives):
        fleet = fleet_name(options.fleet_file)
        runs = _past(timeline_reader.past_runs(state, fleet=fleet, limit=limit), lives)
        yield runs, lambda run_id: timeline_reader.run_story(state, run_id=run_id, fleet=None)


def run_story(options: AppOptions, run_id: str | None, limit: int) -> tuple[RunStory, tuple[PastRun, ...]]:
    """Return all that is kept of one run, the fleet's newest where none is named, and the runs of its fleet.

    Raises UsageError where there is no such run, and StateError.
    """
    with _opened(options, newest=max(limit, RUNS_COMPARED_MAX_COUNT), since=run_id or "") as (state, lives):
        return _story_in(state, options, run_id, limit, lives)


async def story_within(options: AppOptions, run_id: str, limit: int) -> tuple[RunStory, tuple[PastRun, ...]]:
    """Return what `run_story` does, beside a loop that may be cancelled. Raises as it does."""
    if options.state_url is None:
        return await asyncio.to_thread(run_story, options, run_id, limit)
    from engine.app.shared_store import scratch_folder

    with scratch_folder() as state:
        most = max(limit, RUNS_COMPARED_MAX_COUNT)
        lives = await _read_shared(options, options.state_url, state, newest=most, since=run_id)
        return await asyncio.to_thread(_story_in, state, options, run_id, limit, lives)


def _story_in(
    state: StateDir, options: AppOptions, run_id: str | None, limit: int, lives: _Lives
) -> tuple[RunStory, tuple[PastRun, ...]]:
    from engine.adapters.state import timeline_reader

    fleet = None if run_id else fleet_name(options.fleet_file)
    story = timeline_reader.run_story(state, run_id=run_id, fleet=fleet)
    if story is None:
        if run_id:
            raise _no_such_run(state, run_id, f"in {options.state_place}")
        raise UsageError(f"there is no run in {options.state_place}", hint="To make one: appfleet apply")
    return story, _past(timeline_reader.past_runs(state, fleet=story.detail.run.fleet, limit=limit), lives)


def _past(runs: Iterable[PastRun], lives: _Lives) -> tuple[PastRun, ...]:
    """Return the runs, each of which knows whether it is still running."""
    return tuple(replace(one, is_running=True) if one.run.ended is None and lives(one.run) else one for one in runs)


def run_of_fleet(options: AppOptions, run_id: str, fleet: str) -> RunDetail:
    """Return a run of this fleet. Raises UsageError where there is no such run, and StateError."""
    with _opened(options, newest=RUNS_COMPARED_MAX_COUNT, since=run_id) as (state, _):
        detail = journal_reader.run(state, run_id)
        if detail is None or detail.run.fleet != fleet:
            raise _no_such_run(state, run_id, f"of fleet {fleet} in {options.state_place}", fleet)
    return detail


def run_trail_of(options: AppOptions, run_id: str) -> RunTrail:
    """Return what an undo must know of a run besides its detail. Raises StateError."""
    with _opened(options, newest=0, since=run_id) as (state, _):
        return journal_reader.run_trail(state, run_id)


def keep_end(options: AppOptions, fleet: str, report: ApplyReport, kept_as: str, started: float) -> None:
    """Keep the end of a run that did not get as far as its journal. Raises AppfleetError."""
    from engine.adapters.state.journal import RunHeader, keep_refusal
    from engine.adapters.state.journal_end import End

    end = End(kept_as, int(report.exit_code), time.time(), report.error)
    header = RunHeader(report.run_id, fleet, version("appfleet"), started)
    if options.state_url is not None:
        from engine.app.shared_state import keep_shared_end

        asyncio.run(keep_shared_end(options, options.state_url, header, end))
        return
    # As a run opens it, so that a folder which a run refuses gets no journal of ours either.
    with StateDir.open(options.state_path) as state:
        keep_refusal(state, header, end)


def write_metrics(path: Path, report: ApplyReport) -> None:
    """Write the result of a run for Prometheus. Raises OSError."""
    from engine.adapters import metrics_file

    metrics_file.write_metrics(path, report.fleet, report, int(report.exit_code), time.time())


@contextmanager
def _opened(options: AppOptions, *, newest: int, since: str = "") -> Iterator[tuple[StateDir, _Lives]]:
    """Open what is kept of past runs: the folder, or what the shared state has of the newest, and of all `since` one.

    Beside it comes what says of a run without an end whether it still holds its lock, or a lease.

    Raises StateError, and CloudError for a shared state.
    """
    if options.state_url is None:
        with StateDir.open(options.state_path, create=False) as state:
            yield state, lambda run: holds(state, run.fleet, run.run_id, run.alive_at, now=time.time())
        return
    from engine.app.shared_store import scratch_folder

    async def read(url: BucketUrl, state: StateDir) -> _Lives:
        with stopped_by_signals(options.signals):
            return await _read_shared(options, url, state, newest=newest, since=since)

    with scratch_folder() as state:
        yield state, asyncio.run(read(options.state_url, state))


async def _read_shared(options: AppOptions, url: BucketUrl, state: StateDir, *, newest: int, since: str) -> _Lives:
    """Read runs of a shared state into a folder; return what says of one whether it still holds a lease.

    Raises UsageError, CloudError and StateError.
    """
    from engine.app.shared_store import live_runs, opened_store, read_state
    from engine.executor.patient_store import PatientStore

    fleet = fleet_name(options.fleet_file)
    if fleet is None:
        raise UsageError(
            f"{options.fleet_file} does not say which fleet's runs to look for in {url}",
            hint="Name the fleet file with -f; what is kept in a store is kept by the fleet's name",
        )
    async with opened_store(options, url, fleet) as store:
        patient = PatientStore(store)
        await read_state(patient, state, newest=newest, since=since, with_memories=False)
        known = await asyncio.to_thread(journal_reader.runs, state, fleet=fleet, limit=RUNS_COMPARED_MAX_COUNT)
        live = await live_runs(patient) if any(run.ended is None for run in known) else frozenset()
    return lambda run: run.run_id in live


def _no_such_run(state: StateDir, run_id: str, where: str, fleet: str | None = None) -> UsageError:
    """Return the error of a run, of `fleet` or of any, that is not kept, or whose name several runs begin with.

    `where` says where it is not: `in .appfleet`.
    """
    known = [record.run_id for record in journal_reader.runs(state, fleet=fleet, limit=RUNS_COMPARED_MAX_COUNT)]
    alike = [one for one in known if one.startswith(run_id)]
    if len(alike) > 1:
        shown = ", ".join(alike[:RUNS_NAMED_MAX_COUNT])
        return UsageError(f"{len(alike)} runs begin with {clean(run_id, 80)}", hint=f"Type more of it: {shown}")
    guess = "" if fleet else nearest(run_id, known)  # an undo of the run that was meant is no undo of a similar name
    hint = f"Did you mean {guess}?" if guess else _HISTORY_HINT
    return UsageError(f"there is no run {clean(run_id, 80)} {where}", hint=hint)
