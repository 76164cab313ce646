"""Where the shards of one plan are kept: a folder or a bucket, in which nothing that was written is ever changed.

| object | what | written by |
|---|---|---|
| `shards/I-of-N.json.gz` | what a shard says of its plan | `plan --shard` |
| `ACCOUNT-REGION.json.gz` | the plan of one account and region | `plan --shard` |
| `index.json` | what was approved | `gate` |
| `reports/ACCOUNT-REGION/RUN.json.gz` | what a run did there | `apply --shard` |
| `report.json` | the reports, folded | `gather` |

Not here: what a plan of several shards may do (`policy.gate`).
"""

from __future__ import annotations

import gzip
import json
import zlib
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.adapters.state.folder_objects import FolderObjects
from engine.core.errors import StalePlanError, UsageError
from engine.core.limits import PLAN_FILE_MAX_BYTES
from engine.core.plan_json import plan_from_json
from engine.core.text import count_of, listed
from engine.executor.asking import at_once
from engine.policy.gate import ShardRecord
from engine.ports.objects import ObjectStore, WriteRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Mapping

    from engine.app.options import AppOptions
    from engine.core.bucket_url import BucketUrl
    from engine.core.identity import Lane
    from engine.core.plan import Plan
    from engine.core.shards import Shard

INDEX: Final = "index.json"
REPORT: Final = "report.json"
REPORTS: Final = "reports/"
SHARDS: Final = "shards/"
_SHARDS_NAMED_MAX_COUNT: Final = 5
_PACKED: Final = zlib.MAX_WBITS | 16  # of gzip's form


class PlanPlace:
    """The place of one plan. Methods raise AppfleetError."""

    def __init__(self, store: ObjectStore, shown: str) -> None:
        self._store = store
        self.shown = shown

    async def save_shard(self, record: ShardRecord, plans: Mapping[Lane, Plan]) -> None:
        """Write the plan of each lane, then what the shard says of itself.

        A shard may be planned again as long as it comes to the same. Raises StalePlanError where it does not.
        """

        async def save(item: tuple[Lane, Plan]) -> None:
            lane, plan = item
            name = plan_name(str(lane))
            if not await self._put_new(name, packed(plan.to_json())):
                before = await self._document(name)
                if before is None or before.get("fingerprint") != plan.fingerprint:
                    raise self._taken(f"account {lane.account}, region {lane.region}")

        await at_once(map(save, plans.items()))
        name = _record_name(record.shard)
        if not await self._put_new(name, packed(record.to_json())):
            before = await self._record(record.shard)
            if before is None or before.lanes != record.lanes:
                raise self._taken(f"shard {record.shard}")

    def _taken(self, what: str) -> StalePlanError:
        return StalePlanError(
            f"{self.shown} already holds another plan of {what}",
            hint="Something changed since. Plan every shard again under a new name",
        )

    async def records(self, count: int) -> list[ShardRecord]:
        """Return what each of `count` shards says of its plan. Raises StalePlanError where one is missing."""
        from engine.core.shards import Shard

        shards = [Shard(index, count) for index in range(count)]
        found = await at_once(map(self._record, shards))
        missing = [str(shard) for shard, record in zip(shards, found, strict=True) if record is None]
        if missing:
            others = {name.rpartition("-of-")[2].partition(".")[0] for name in await self._store.names(SHARDS)}
            others -= {str(count)}
            if others and len(missing) == count:
                there = listed(sorted(others), _SHARDS_NAMED_MAX_COUNT)
                raise StalePlanError(
                    f"{self.shown} was not planned in {count_of(count, 'shard')}, but in {there}",
                    hint=f"Run: appfleet gate --shards {min(others)} {self.shown}",
                )
            raise StalePlanError(
                f"{self.shown} has no plan of {len(missing):,} of {count:,} shards: "
                f"{listed(missing, _SHARDS_NAMED_MAX_COUNT)}",
                hint=f"Run: appfleet plan --shard {missing[0]} --out {self.shown}",
            )
        return [record for record in found if record is not None]

    async def _record(self, shard: Shard) -> ShardRecord | None:
        name = _record_name(shard)
        found = await self._document(name)
        try:
            return None if found is None else ShardRecord.from_json(found)
        except (KeyError, TypeError, ValueError, AttributeError, UsageError):
            raise self._unreadable(name) from None

    async def plans(self, lanes: Iterable[str]) -> list[Plan]:
        """Return the plan of each lane. Raises StalePlanError where one is missing or was changed."""

        async def plan_of(lane: str) -> Plan:
            found = await self._document(plan_name(lane))
            if found is None:
                raise StalePlanError(f"{self.shown} has no plan of {lane}", hint="Plan every shard again")
            return plan_from_json(found)

        return await at_once(map(plan_of, lanes))

    async def put_index(self, index: Mapping[str, Any]) -> None:
        """Write what was approved. Raises StalePlanError where something else was before."""
        if await self._put_new(INDEX, _text(index)):
            return
        before = await self.index()
        if before is None or before.get("fingerprint") != index["fingerprint"]:
            raise StalePlanError(f"{self.shown} was approved with other plans before", hint="Plan under a new name")

    async def index(self) -> dict[str, Any] | None:
        """Return what was approved; None where nothing was."""
        return await self._document(INDEX)

    async def put_report(self, lane: str, run_id: str, document: Mapping[str, Any]) -> None:
        """Write what a run did in a lane."""
        await self._put_new(f"{REPORTS}{file_name(lane)}/{run_id}.json.gz", packed(document))

    async def reports(self, lanes: Iterable[str], runs: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        """Return the newest report of each lane that has one; with `runs` the newest of these."""
        newest: dict[str, str] = {}
        for name in await self._store.names(REPORTS):
            _, lane, run = name.split("/")[:3]
            if runs is None or run.removesuffix(".json.gz") in runs:
                newest[lane] = name  # names of runs sort by time

        async def report_of(lane: str) -> dict[str, Any] | None:
            name = newest.get(file_name(lane))
            return None if name is None else await self._document(name)

        wanted = list(lanes)
        found = await at_once(map(report_of, wanted))
        return {lane: report for lane, report in zip(wanted, found, strict=True) if report is not None}

    async def put_whole(self, document: Mapping[str, Any]) -> None:
        """Write the folded report, in place of an earlier one."""
        before = await self._store.get(REPORT)
        await self._store.put(REPORT, _text(document), replaces=None if before is None else before.tag)

    async def _put_new(self, name: str, data: bytes) -> bool:
        """Write an object; return whether there was none."""
        try:
            await self._store.put(name, data, replaces=None)
        except WriteRefusedError:
            return False
        return True

    async def _document(self, name: str) -> dict[str, Any] | None:
        there = await self._store.get(name)
        if there is None:
            return None
        try:
            found = json.loads(_unpacked(there.data) if name.endswith(".gz") else there.data)
        except (ValueError, RecursionError, zlib.error):
            raise self._unreadable(name) from None
        if not isinstance(found, dict):
            raise self._unreadable(name)
        return found

    def _unreadable(self, name: str) -> StalePlanError:
        return StalePlanError(
            f"{self.shown}/{name} is not what appfleet writes there, or is of another version",
            hint="Plan every shard again under a new name",
        )


@asynccontextmanager
async def opened_place(
    options: AppOptions, where: Path | BucketUrl, *, makes: bool = False
) -> AsyncIterator[PlanPlace]:
    """Yield the place that a user names. `makes`: a folder that is not there yet is made with what is written first.

    Raises StalePlanError for a folder that is not there, CloudError, and StateError for a store that ignores
    conditions.
    """
    if isinstance(where, Path):
        if not makes:
            _require_folder(where)
        yield PlanPlace(FolderObjects(where), str(where))
        return
    from engine.app.shared_store import opened_bucket
    from engine.executor.patient_store import PatientStore
    from engine.executor.store_probe import probe

    async with opened_bucket(options, where) as bucket:
        store = PatientStore(bucket)
        await probe(store, str(where))
        yield PlanPlace(store, str(where))


def _require_folder(where: Path) -> None:
    if not where.is_dir():
        hint = f"Plan every shard first: appfleet plan --shard I/N --out {where}"
        raise StalePlanError(f"there is no folder {where}", hint=hint)


def plan_name(lane: str) -> str:
    """Return the name of the plan of a lane, such as `111122223333-eu-west-1.json.gz`."""
    return f"{file_name(lane)}.json.gz"


def file_name(lane: str) -> str:
    """Return a lane as files and objects are named."""
    return lane.replace("/", "-")


def _record_name(shard: Shard) -> str:
    return f"{SHARDS}{shard.index}-of-{shard.count}.json.gz"


def packed(document: Mapping[str, Any]) -> bytes:
    """Return a document as bytes, the same for the same document."""
    return gzip.compress(_text(document), mtime=0)


def _text(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=True, allow_nan=False).encode()


def _unpacked(data: bytes) -> bytes:
    """Return what was packed, in bounded memory. Raises ValueError and zlib.error."""
    unpacking = zlib.decompressobj(_PACKED)
    text = unpacking.decompress(data, PLAN_FILE_MAX_BYTES)
    if unpacking.unconsumed_tail or not unpacking.eof:
        raise ValueError("it is cut off, or too large")
    return text
