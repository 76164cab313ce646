"""The store of a state that machines share, and what a command that only looks reads from it.

It reads the memories of all lanes and the newest runs into a journal in a scratch folder, so that whatever reads a
journal reads them. Not here: a run that writes (`shared_state`).
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import sqlite3
import tempfile
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.adapters.aws.endpoints import configured_region
from engine.adapters.aws.sessions import Clouds
from engine.adapters.state import shared_rows
from engine.adapters.state.journal_schema import JournalUnusable, open_for_writing
from engine.adapters.state.lane_memories import LANES, MEMORY
from engine.adapters.state.shared_documents import DAMAGED_HINT, Document, unpacked
from engine.adapters.state.state_dir import StateDir
from engine.app.quota_cache import CACHE_NAME, cache_file
from engine.core.bucket_url import safe_name
from engine.core.errors import StateError
from engine.core.lease import LeaseUnreadableError, parse_lease
from engine.core.limits import STATE_RUNS_READ_MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from engine.adapters.aws.objects import S3Objects
    from engine.app.options import AppOptions
    from engine.core.bucket_url import BucketUrl
    from engine.ports.objects import ObjectStore

RUNS: Final = "runs/"
LEASE: Final = "lease.json"  # of a lane, in its folder
_OF_A_LANE: Final = re.compile(rf"{LANES}\d{{12}}-[a-z0-9-]+/{re.escape(MEMORY)}")  # and nothing that others put there
_LEASE: Final = re.compile(rf"{LANES}\d{{12}}-[a-z0-9-]+/{re.escape(LEASE)}")
_REGION: Final = "us-east-1"


@asynccontextmanager
async def opened_store(options: AppOptions, url: BucketUrl, fleet: str, region: str = "") -> AsyncIterator[S3Objects]:
    """Yield what holds the shared state of a fleet, reached with the caller's own credentials.

    `region` is taken where neither the environment nor the AWS profile names one. Raises CloudError and UsageError.
    """
    own = replace(url, prefix=f"{url.prefix}{safe_name(fleet)}/")
    async with opened_bucket(options, own, region) as store:
        yield store


@asynccontextmanager
async def opened_bucket(options: AppOptions, url: BucketUrl, region: str = "") -> AsyncIterator[S3Objects]:
    """Yield what holds the objects below a prefix. `region` and what is raised are as of `opened_store`."""
    async with Clouds(endpoint_url=options.endpoint_url, redactor=options.redactor) as clouds:
        try:
            yield await clouds.own_objects(configured_region() or region or _REGION, url.bucket, url.prefix)
        except StateError as error:  # whoever reads of an object looks for its whole name
            whole = error.message.replace("The object ", f"The object s3://{url.bucket}/{url.prefix}", 1)
            raise StateError(whole, hint=error.hint) from None


@contextmanager
def scratch_folder() -> Iterator[StateDir]:
    """Yield a state folder of this process alone, which is removed at the end."""
    path = Path(tempfile.mkdtemp(prefix="appfleet-"))
    try:
        with StateDir.open(path) as state:
            yield state
    finally:
        shutil.rmtree(path, ignore_errors=True)


async def read_state(
    store: ObjectStore, state: StateDir, *, newest: int, since: str = "", with_memories: bool = True
) -> None:
    """Read memories and runs into the folder's journal: the `newest` runs, and those from `since` on.

    `since` is a run, or the beginning of its name; the run before it is read too. Raises CloudError and StateError.
    """
    lanes = await store.names(LANES) if with_memories else ()
    runs = await store.names(RUNS)
    memories = [name for name in lanes if _OF_A_LANE.fullmatch(name)]
    wanted = _wanted({name.split("/")[1] for name in runs}, newest, since)
    names = [*memories, *(name for name in runs if name.split("/")[1] in wanted)]
    documents = await _read(store, names)
    if documents:
        await asyncio.to_thread(fill, state, documents)


async def live_runs(store: ObjectStore) -> frozenset[str]:
    """Return the runs that hold a lease now, by the store's own clock. Raises CloudError."""
    names = [name for name in await store.names(LANES) if _LEASE.fullmatch(name)]
    found: set[str] = set()
    for there in await asyncio.gather(*map(store.get, names)):
        with suppress(LeaseUnreadableError):
            record = None if there is None else parse_lease(there.data)
            if record is not None and there is not None and record.may_be_taken_in_s(there.age_s) > 0.0:
                found.add(run_of_nonce(record.nonce))
    return frozenset(found)


def nonce_of(run_id: str) -> str:
    """Return a name for the leases of one run that no other run has."""
    return f"{run_id}-{secrets.token_hex(8)}"


def run_of_nonce(nonce: str) -> str:
    """Return the run that `nonce_of` made it for."""
    return nonce.rpartition("-")[0]


def fill(state: StateDir, documents: Mapping[str, Document]) -> None:
    """Make the folder's journal of what objects hold, by their names. Raises StateError."""
    try:
        with closing(open_for_writing(state).connection) as connection:
            shared_rows.put_in(connection, ((name, one.columns, one.rows) for name, one in documents.items()))
    except ValueError as error:
        raise StateError(str(error), hint=DAMAGED_HINT) from None
    except (sqlite3.Error, JournalUnusable) as error:
        raise StateError(
            f"The journal of this run in {state.path} cannot be written: {error}",
            hint="Leave some space in the folder for temporary files, or name another one with TMPDIR",
        ) from None
    quotas: dict[str, Any] = {}
    for document in documents.values():
        quotas.update(document.quotas)
    state.write_atomically(CACHE_NAME, cache_file(quotas))


def _wanted(known: Iterable[str], newest: int, since: str) -> frozenset[str]:
    """Return the runs to read; of too many, the one that is named and the one before it go before all others."""
    runs = sorted(known)
    count = len(runs)
    first = next((place for place, name in enumerate(runs) if since and name.startswith(since)), count)
    named = runs[max(first - 1, 0) : first + 1] if first < count else []
    others = runs[min(first, max(count - newest, 0)) :]
    return frozenset((*named, *others[-(STATE_RUNS_READ_MAX_COUNT - len(named)) :]))


async def _read(store: ObjectStore, names: Iterable[str]) -> dict[str, Document]:
    found: dict[str, Document] = {}

    async def one(name: str) -> None:
        there = await store.get(name)
        if there is not None:
            found[name] = unpacked(name, there.data)

    await asyncio.gather(*map(one, names))
    return dict(sorted(found.items()))
