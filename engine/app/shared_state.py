"""A run whose state machines share: the leases of its lanes, and a journal of its own made of their memories.

What changes in the journal is written back to the store, each lane by itself; at the end the run's own record is added.
Not here: what a lease promises (`executor.lease`), how a memory is written (`adapters.state.lane_memories`).
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from engine.adapters.state import shared_rows
from engine.adapters.state.journal import RunHeader, SqliteJournal
from engine.adapters.state.journal_reader import read_journal
from engine.adapters.state.lane_memories import LaneMemories, Left, cancelled, lane_folder, memory_name
from engine.adapters.state.lock import Holder
from engine.adapters.state.shared_documents import Document, packed
from engine.adapters.state.shared_rows import Part, Rows
from engine.adapters.state.since_boot import since_boot
from engine.app.quota_cache import QuotaCache
from engine.app.shared_store import LEASE, RUNS, fill, nonce_of, opened_store, scratch_folder
from engine.core.errors import CloudError, LaneHeldError, StateError
from engine.core.limits import STATE_END_MAX_SECONDS, STATE_SETTINGS_MAX_SECONDS
from engine.executor.lease import Lease, LeaseHeldError
from engine.executor.patient_store import PatientStore
from engine.executor.store_probe import probe
from engine.executor.troubles import LEASE_LOST
from engine.ports.events import JournalFailed, LaneAwaited
from engine.ports.objects import WriteRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

    from engine.adapters.aws.objects import S3Objects
    from engine.adapters.state.journal_end import End
    from engine.adapters.state.state_dir import StateDir
    from engine.app.begun import Begun
    from engine.app.options import AppOptions
    from engine.core.bucket_url import BucketUrl
    from engine.core.identity import AppKey, Lane, Owner
    from engine.core.trouble import Trouble
    from engine.executor.link import Link
    from engine.ports.events import Emit
    from engine.ports.objects import ObjectStore

BEGUN: Final = "begun.json.gz"  # so that a run that was killed is known too
WHOLE_RUN: Final = "run.json.gz"
_NOT_KEPT: Final = (
    "The next run waits until the calls of this one would be visible, and `once`, quarantine and the learned rate may "
    "be out of date"
)


@dataclass(frozen=True, slots=True)
class SharedRun:
    """What a run of a shared state works with. `held_back` are the lanes that another run holds, with the error.

    `guards` say why a lane was lost. `end` writes what is left, once, and returns a note of what could not be kept.
    """

    state: StateDir
    journal: SqliteJournal
    guards: Mapping[Lane, Callable[[], Trouble | None]]
    held_back: Mapping[Lane, LaneHeldError]
    end: Callable[[], Awaitable[str]]


@asynccontextmanager
async def shared_run(
    options: AppOptions, url: BucketUrl, links: Sequence[Link], header: RunHeader, begun: Begun
) -> AsyncIterator[SharedRun]:
    """Take the lanes of `links`, and make the run's journal of what they remember.

    Raises CloudError for a store that cannot be used, StateError for one that ignores conditions or holds what no run
    writes, and LaneHeldError where another run holds every lane.
    """
    async with AsyncExitStack() as stack:
        region = links[0].domain.region if links else ""  # a shard may have no lane
        bucket = await stack.enter_async_context(opened_store(options, url, header.fleet, region))
        store = PatientStore(bucket)
        await probe(store, str(url))
        leases = _Leases(store, options, begun.emit)
        state = stack.enter_context(scratch_folder())
        await stack.enter_async_context(leases.kept(sorted({link.lane for link in links})))
        parts = _Parts(links, header.fleet, state)
        memories = LaneMemories(store, leases.held, leases.nonce, parts.in_thread)
        left = await memories.claim()
        parts.add(left)
        await asyncio.to_thread(fill, state, {memory_name(lane): one.document for lane, one in left.items()})
        journal = SqliteJournal.open(state, header)
        await add_run(store, header.run_id, BEGUN, await _rows_of_run(state, header.run_id))
        unclean_end_at = _unclean_end_at(leases, left)
        journal.memory = replace(journal.memory, is_new=not left, unclean_end_at=unclean_end_at)
        new = () if left else (f"No run history found in {url}; starting a new journal",)
        journal.notes = (*new, *await _about_bucket(bucket, url))

        async def also_kept(key: AppKey | Owner) -> bool:
            return await memories.keep(parts.lane_of(key))

        journal.also_kept = also_kept
        end = _End(url, header.run_id, store, state, memories, leases, begun)
        stack.push_async_callback(end)
        stack.push_async_callback(cancelled, asyncio.create_task(memories.keep_changed_for_ever()))
        guards = {lane: partial(leases.guard, lane) for lane in leases.held}
        yield SharedRun(state, journal, guards, leases.held_back, end)


class _Leases:
    """The leases of one run on its lanes. `nonce` tells this run from every other."""

    def __init__(self, store: ObjectStore, options: AppOptions, emit: Emit) -> None:
        self.held: dict[Lane, Lease] = {}
        self.held_back: dict[Lane, LaneHeldError] = {}
        self.nonce = nonce_of(options.run_id)
        self._store = store
        self._options = options
        self._emit = emit
        self._holder = str(Holder.of_this_process(options.run_id, options.command, now=time.time()))

    @asynccontextmanager
    async def kept(self, lanes: Iterable[Lane]) -> AsyncIterator[None]:
        """Take as many as can be had and renew them for the length of the block.

        Those whose end is clean are given back, however the block ended, and also where another one could not be taken.
        Raises CloudError and StateError, and LaneHeldError when there is none.
        """
        failed: BaseException | None = None
        async with AsyncExitStack() as stack:
            try:
                await self._take_all(lanes, stack)
                yield
            except BaseException as error:  # noqa: BLE001 - raised below, once they are given back
                failed = error
        if failed is not None:
            raise failed

    async def _take_all(self, lanes: Iterable[Lane], stack: AsyncExitStack) -> None:
        answers = await asyncio.gather(*(self._take(lane, stack) for lane in lanes), return_exceptions=True)
        for answer in answers:
            if answer is not None:
                raise answer
        if self.held_back and not self.held:
            raise next(iter(self.held_back.values()))

    async def _take(self, lane: Lane, stack: AsyncExitStack) -> None:
        lease = Lease(
            self._store, f"{lane_folder(lane)}{LEASE}",
            holder=self._holder, nonce=self.nonce, since_boot=since_boot,
        )  # fmt: skip
        try:
            await lease.acquire(self._options.lock_timeout_s, lambda *wait: self._emit(LaneAwaited(lane, *wait)))
        except LeaseHeldError as error:
            self.held_back[lane] = LaneHeldError(
                f"Another run works in account {lane.account}, region {lane.region}: {error.holder}",
                hint="Wait for it to end, or let this run wait with --lock-timeout 10m; nothing was called there",
            )
        else:
            await stack.enter_async_context(lease.kept())
            self.held[lane] = lease

    def guard(self, lane: Lane) -> Trouble | None:
        """Return why nothing may be called in a lane any more, or None."""
        return None if self.held[lane].is_held else LEASE_LOST


async def _about_bucket(store: S3Objects, url: BucketUrl) -> tuple[str, ...]:
    """Return a note of a bucket that grows without end. Whoever may not read its settings gets none."""
    try:
        async with asyncio.timeout(STATE_SETTINGS_MAX_SECONDS):
            grows = await store.keeps_old_versions()
    except (CloudError, TimeoutError):
        return ()
    if not grows:
        return ()
    note = (
        f"The bucket {url.bucket} keeps old versions and no lifecycle rule expires them, while a run writes a lease of "
        "each account and region every 20 s. Add a rule with NoncurrentVersionExpiration"
    )
    return (note,)


class _Parts:
    """Which lane each domain belongs to, and what the journal holds of each lane."""

    def __init__(self, links: Sequence[Link], fleet: str, state: StateDir) -> None:
        self._fleet = fleet
        self._state = state
        self._lanes = {link.domain.name: link.lane for link in links}
        self._names: defaultdict[Lane, set[str]] = defaultdict(set)
        self._ids: defaultdict[Lane, set[str]] = defaultdict(set)
        for link in links:
            self._names[link.lane].add(link.domain.name)
            self._ids[link.lane].add(link.domain.domain_id)

    def add(self, left: Mapping[Lane, Left]) -> None:
        """Keep what is remembered of domains that this run does not look at."""
        for lane, one in left.items():
            self._names[lane].update(name for name in one.document.names if self._lanes.get(name, lane) == lane)
            self._ids[lane].update(one.document.ids)

    def lane_of(self, key: AppKey | Owner) -> Lane:
        """Return the lane of an app or owner of this run."""
        return self._lanes[key.domain]

    async def in_thread(self, lanes: Sequence[Lane]) -> Mapping[Lane, Document]:
        """Return what the journal holds of lanes, read beside the loop. Raises StateError."""
        return await asyncio.to_thread(self.snapshot, lanes)

    def snapshot(self, lanes: Sequence[Lane]) -> Mapping[Lane, Document]:
        """Return what the journal holds of lanes. Raises StateError."""
        parts = [Part(lane, frozenset(self._names[lane]), frozenset(self._ids[lane])) for lane in lanes]
        found: dict[Lane, Rows] = read_journal(
            self._state, {}, lambda connection: shared_rows.memories(connection, self._fleet, parts, time.time())
        )
        quotas = QuotaCache(self._state, refresh=False).lanes
        return {part.lane: _document(part, found.get(part.lane, {}), quotas) for part in parts}


def _document(part: Part, rows: Rows, quotas: Mapping[str, object]) -> Document:
    own = {key: value for key, value in quotas.items() if f"{key} ".startswith(f"{part.lane} ")}
    return Document(rows, names=tuple(sorted(part.names)), ids=tuple(sorted(part.ids)), quotas=own)


def _unclean_end_at(leases: _Leases, left: Mapping[Lane, Left]) -> float | None:
    """Return when the last run was alive that gave a lane back without a clean end, or never gave it back.

    By this machine's clock: only ages are taken from the store, so that no two clocks are compared.
    """
    ages = [lease.silent_s for lease in leases.held.values() if lease.silent_s is not None]
    ages += [one.age_s for one in left.values() if shared_rows.ended_uncleanly(one.document.rows)]
    return time.time() - min(ages) if ages else None


class _End:
    """Writes what is left at the end of a run, once. A run that was cut off writes nothing and gives nothing back."""

    def __init__(
        self,
        url: BucketUrl,
        run_id: str,
        store: ObjectStore,
        state: StateDir,
        memories: LaneMemories,
        leases: _Leases,
        begun: Begun,
    ) -> None:
        self._url = url
        self._run_id = run_id
        self._store = store
        self._state = state
        self._memories = memories
        self._leases = leases
        self._begun = begun
        self._is_over = False

    async def __call__(self) -> str:
        """Return a note of what could not be kept, or empty."""
        if self._is_over:
            return ""
        self._is_over = True
        for lease in self._leases.held.values():
            lease.is_clean = False
        if self._begun.control.aborted.is_set():
            return ""
        try:
            async with asyncio.timeout(STATE_END_MAX_SECONDS):
                await self._memories.keep_changed()
                await self._keep_run()
            why = next(iter(self._memories.broken.values()), "")
        except TimeoutError:  # and nobody knows whose memory was written: none of them is given back
            return self._not_kept(f"it takes longer than {STATE_END_MAX_SECONDS:g} s")
        except (CloudError, StateError) as error:
            why = error.message
        for lane, lease in self._leases.held.items():
            lease.is_clean = lane not in self._memories.broken
        return self._not_kept(why)

    def _not_kept(self, why: str) -> str:
        if not why:
            return ""
        self._begun.emit(JournalFailed(why, _NOT_KEPT))
        return f"{self._url} could not be written: {why}. {_NOT_KEPT}"

    async def _keep_run(self) -> None:
        """Add the run's record. Raises CloudError and StateError."""
        await add_run(self._store, self._run_id, WHOLE_RUN, await _rows_of_run(self._state, self._run_id))


async def _rows_of_run(state: StateDir, run_id: str) -> Rows:
    return await asyncio.to_thread(read_journal, state, {}, lambda connection: shared_rows.run_rows(connection, run_id))


async def keep_shared_end(options: AppOptions, url: BucketUrl, header: RunHeader, end: End) -> None:
    """Keep the end of a run that held no lane. Raises AppfleetError."""
    at, _, result, exit_code, *error = end.row()
    known = (header.run_id, header.fleet, header.version, header.started, at, at, result, exit_code, 0, *error)
    try:
        async with asyncio.timeout(STATE_END_MAX_SECONDS), opened_store(options, url, header.fleet) as store:
            await add_run(PatientStore(store), header.run_id, WHOLE_RUN, {shared_rows.RUNS: [list(known)]})
    except TimeoutError:
        raise StateError(
            f"The end of this run could not be written to {url} within {STATE_END_MAX_SECONDS:g} s",
            hint="Find out why the store of --state-dir does not answer; the run itself is over",
        ) from None


async def add_run(store: ObjectStore, run_id: str, name: str, rows: Rows) -> None:
    """Keep a record of a run, which nothing ever changes. Raises CloudError."""
    with suppress(WriteRefusedError):  # the echo of this very write: no other run has the name
        await store.put(f"{RUNS}{run_id}/{name}", packed(Document(rows)), replaces=None)
