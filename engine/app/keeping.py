"""`--report-to`: the report, the result and the log of each run, below a folder or in a bucket.

The log is written there while the run goes on, or beside it for a bucket, which gets it when the last line is written.
What cannot be kept is said and changes nothing about the run.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from engine.core.errors import AppfleetError, OutcomeUnknown, Throttled, Unreachable
from engine.core.limits import REPORT_LOG_MAX_BYTES, REPORT_STORE_MAX_SECONDS, RUNS_BESIDE_REPORT_MAX_COUNT
from engine.core.report_place import LOG, REPORT, RESULT
from engine.core.text import clean
from engine.ports.events import ReportFailed, ReportKept

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engine.app.options import AppOptions
    from engine.core.outcome import ApplyReport
    from engine.core.report_place import ReportPlace
    from engine.ports.events import Emit
    from engine.ports.objects import ObjectStore

_FOLDER_MODE: Final = 0o700
_MAY_PASS: Final = (OutcomeUnknown, Throttled, Unreachable)
_DEFAULT_REGION: Final = "us-east-1"  # S3 says from there in which region a bucket is


class NotKeptError(Exception):
    """A file of a run could not be written. Its text says why."""


class _Store(Protocol):
    """Where the files of one run go."""

    async def put(self, name: str, text: str) -> None:
        """Write one. Raises NotKeptError, and CloudError."""
        ...


def log_path(place: ReportPlace, run_id: str) -> Path:
    """Return the file that the log of a run is written to, which is there from now on. Raises OSError."""
    if place.bucket:
        descriptor, path = tempfile.mkstemp(prefix="appfleet-", suffix=f"-{LOG}")
        os.close(descriptor)
        return Path(path)
    folder = Path(place.of_run(run_id))
    folder.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
    return folder / LOG


async def kept(options: AppOptions, report: ApplyReport, emit: Emit) -> ApplyReport:
    """Keep the report page and the result; return the report with where they are. A signal cuts it short."""
    place = options.report_to
    if place is None:
        return report
    where = place.of_run(report.run_id)
    try:
        async with _bounded(options):  # of shards each has a page of its run
            page = "" if options.crew is not None else await _page(options, report)
    except Exception as error:  # noqa: BLE001 - a page that cannot be made must not cost the result as well
        emit(ReportFailed(where, f"the report page could not be made: {_why(error)}"))
        page = ""
    try:
        async with _bounded(options), _opened(options, place, report.run_id) as (store, region):
            if page:
                await store.put(REPORT, page)
            linked = replace(report, links=_links(place, report.run_id, region, has_page=bool(page)))
            await store.put(RESULT, _document(linked))
    except Exception as error:  # noqa: BLE001 - as above
        emit(ReportFailed(where, _why(error), getattr(error, "hint", "")))
        return replace(report, notes=(*report.notes, f"Not kept in {where}: {_why(error)}"))
    emit(ReportKept(where))
    return linked


def keep_log(options: AppOptions, path: Path, *, is_reached: bool) -> str:
    """Put the log of a run beside its result, where that is in a bucket; return why it could not be, or empty.

    `is_reached`: the result got there. If not, nothing is tried, and the reason is known.
    """
    place = options.report_to
    if place is None or not place.bucket:
        return ""
    try:
        if is_reached and path.stat().st_size > REPORT_LOG_MAX_BYTES:
            return f"it is larger than {REPORT_LOG_MAX_BYTES:,} bytes"
        if is_reached:
            text = path.read_text(encoding="utf-8", errors="backslashreplace")
            asyncio.run(_put_log(options, place, text))
    except Exception as error:  # noqa: BLE001 - the run is over
        return _why(error)
    finally:
        path.unlink(missing_ok=True)
    return ""


async def _put_log(options: AppOptions, place: ReportPlace, text: str) -> None:
    async with _bounded(options), _opened(options, place, options.run_id) as (store, _):
        await store.put(LOG, text)


async def _page(options: AppOptions, report: ApplyReport) -> str:
    """Make the page of the run out of its journal, as `report` does. Raises AppfleetError."""
    from engine.app.history import story_within
    from engine.app.next_options import command_after
    from engine.render.report.html import report_html

    story, beside = await story_within(options, report.run_id, RUNS_BESIDE_REPORT_MAX_COUNT)
    return await asyncio.to_thread(report_html, story, command=command_after(options, story), history=beside)


def _document(report: ApplyReport) -> str:
    from engine.render.json_text import json_text

    return json_text(report.document())


def _links(place: ReportPlace, run_id: str, region: str, *, has_page: bool) -> dict[str, str]:
    from engine.core.iam import partition

    links = place.links(run_id, (*([REPORT] if has_page else []), RESULT, LOG))
    console = place.console_page(run_id, region, partition(region)) if has_page and region else ""
    return {**links, **({"page": console} if console else {})}


@asynccontextmanager
async def _bounded(options: AppOptions) -> AsyncIterator[None]:
    """End the block after its time, or at a signal. Raises NotKeptError then."""
    task = asyncio.current_task()
    stopped: list[str] = []

    def stop(name: str) -> None:
        stopped.append(name)
        if len(stopped) == 1 and task is not None:
            task.cancel()

    try:
        with options.signals.directed_to(stop, asyncio.get_running_loop().call_soon_threadsafe):
            async with asyncio.timeout(REPORT_STORE_MAX_SECONDS):
                yield
    except TimeoutError:
        raise NotKeptError(f"no answer within {REPORT_STORE_MAX_SECONDS:g} s") from None
    except asyncio.CancelledError:
        if not stopped or task is None:
            raise
        task.uncancel()
        raise NotKeptError(f"{stopped[0]} cut it short") from None


@asynccontextmanager
async def _opened(options: AppOptions, place: ReportPlace, run_id: str) -> AsyncIterator[tuple[_Store, str]]:
    """Yield what writes the files of a run, and the region of the bucket where AWS itself has it."""
    if not place.bucket:
        yield _Folder(Path(place.of_run(run_id))), ""
        return
    from engine.app.reaching import Clouds, configured_region

    region = configured_region() or _DEFAULT_REGION
    async with Clouds(endpoint_url=options.endpoint_url, redactor=options.redactor) as clouds:
        objects = await clouds.own_objects(region, place.bucket, f"{place.prefix}{run_id}/")
        yield _Bucket(objects), "" if objects.endpoint else region


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path

    async def put(self, name: str, text: str) -> None:
        from engine.app.named_file import why_not_written

        self.path.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        if why := await asyncio.to_thread(why_not_written, self.path / name, text):
            raise NotKeptError(f"{name}: {why}")


@dataclass(frozen=True, slots=True)
class _Bucket:
    objects: ObjectStore

    async def put(self, name: str, text: str) -> None:
        """Write it, and once more where that may help: what the first try wrote refuses the second."""
        from engine.ports.objects import WriteRefusedError

        data = text.encode()
        try:
            try:
                await self.objects.put(name, data, replaces=None)
            except _MAY_PASS:
                await self.objects.put(name, data, replaces=None)
        except WriteRefusedError:
            return


def _why(error: Exception) -> str:
    if isinstance(error, AppfleetError):
        return clean(error.message)
    if isinstance(error, OSError):
        return clean(error.strerror or type(error).__name__)
    return clean(str(error)) if isinstance(error, NotKeptError) else f"{type(error).__name__}, a bug in appfleet"
