"""What `--report-to` keeps of a run, below a folder and in a bucket, and what is said where it cannot."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from aiobotocore.session import AioSession

from engine.app import keeping
from engine.app.keeping import keep_log, kept, log_path
from engine.app.options import AppOptions
from engine.core.crew import Crew
from engine.core.errors import Unreachable
from engine.core.outcome import ApplyReport
from engine.core.report_place import report_place
from engine.ports.objects import WriteRefusedError
from tests.http_receiver import http_receiver
from tests.object_server import object_server
from tests.unit.app.test_notifying import caller  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.ports.events import Event

REPORT = ApplyReport("run-1", "ml", "", 1.0, (), {})
BUCKET = "reports-of-tests"


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with object_server() as url:
        yield url


def options(folder: Path, place: str) -> AppOptions:
    return AppOptions(folder / "fleet.toml", run_id="run-1", report_to=report_place(place))


async def test_without_a_journal_the_result_is_kept_and_no_page(tmp_path: Path) -> None:
    events: list[Event] = []
    place = tmp_path / "kept"
    after = await kept(options(tmp_path, str(place)), REPORT, events.append)
    assert [event.name for event in events] == ["report.failed", "report.kept"]
    assert set(after.links) == {"result", "log"}
    assert json.loads((place / "run-1" / "result.json").read_text())["links"] == dict(after.links)
    nowhere = AppOptions(tmp_path / "fleet.toml")
    assert await kept(nowhere, REPORT, events.append) is REPORT


async def test_a_run_of_workers_has_no_page_since_each_shard_has_one(tmp_path: Path) -> None:
    events: list[Event] = []
    given = replace(options(tmp_path, str(tmp_path / "kept")), crew=Crew(2))
    after = await kept(given, REPORT, events.append)
    assert [event.name for event in events] == ["report.kept"]
    assert set(after.links) == {"result", "log"}


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    events: list[Event] = []
    after = await kept(options(tmp_path, str(tmp_path / "file")), REPORT, events.append)
    assert events[-1].facts()["message"] == "Not a directory"
    assert after.links == {}
    assert after.notes[0].startswith("Not kept in ")
    folder = tmp_path / "kept" / "run-1" / "result.json"
    folder.mkdir(parents=True)
    await kept(options(tmp_path, str(tmp_path / "kept")), REPORT, events.append)
    assert events[-1].facts()["message"] == "result.json: it is a folder"


@pytest.mark.usefixtures("caller")
def test_a_bucket_gets_result_and_log(tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", store)

    async def made() -> list[str]:
        async with AioSession().create_client("s3", region_name="us-east-1") as s3:
            await s3.create_bucket(Bucket=BUCKET)
            events: list[Event] = []
            after = await kept(given, REPORT, events.append)
            assert after.links["result"] == f"s3://{BUCKET}/a/run-1/result.json"
            return [event.name for event in events]

    async def names() -> list[str]:
        async with AioSession().create_client("s3", region_name="us-east-1") as s3:
            return [row["Key"] for row in (await s3.list_objects_v2(Bucket=BUCKET))["Contents"]]

    given = options(tmp_path, f"s3://{BUCKET}/a")
    assert asyncio.run(made()) == ["report.failed", "report.kept"]
    assert given.report_to is not None
    path = log_path(given.report_to, "run-1")
    path.write_text('{"event": "run.finished"}\n')
    assert keep_log(given, path, is_reached=True) == ""
    assert not path.exists()
    assert asyncio.run(names()) == ["a/run-1/log.jsonl", "a/run-1/result.json"]


@pytest.mark.usefixtures("caller")
def test_a_log_that_cannot_be_put_is_told_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = options(tmp_path, f"s3://{BUCKET}/a")
    path = tmp_path / "log"
    path.write_text("long")
    assert keep_log(given, path, is_reached=False) == ""
    path.write_text("long")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "refused" in keep_log(given, path, is_reached=True)
    assert not path.exists()
    path.write_text("long")
    monkeypatch.setattr(keeping, "REPORT_LOG_MAX_BYTES", 1)
    assert keep_log(given, path, is_reached=True) == "it is larger than 1 bytes"
    assert keep_log(options(tmp_path, str(tmp_path)), path, is_reached=True) == ""


@pytest.mark.usefixtures("caller")
async def test_a_store_that_hangs_has_its_bound_and_a_signal_cuts_it_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "REPORT_STORE_MAX_SECONDS", 1.0)
    events: list[Event] = []
    with http_receiver(hangs=True) as receiver:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{receiver.host}")
        await kept(options(tmp_path, f"s3://{BUCKET}/a"), REPORT, events.append)
        assert events[-1].facts()["message"] == "no answer within 1 s"
        monkeypatch.setattr(keeping, "REPORT_STORE_MAX_SECONDS", 30.0)
        receiver.arrived.clear()
        given = options(tmp_path, f"s3://{BUCKET}/a")
        work = asyncio.ensure_future(kept(given, REPORT, events.append))
        while not receiver.arrived.is_set():  # noqa: ASYNC110 - it is of another thread
            await asyncio.sleep(0.01)
        assert given.signals._take is not None
        given.signals._take("SIGTERM")
        await work
    assert events[-1].facts()["message"] == "SIGTERM cut it short"


async def test_what_the_first_try_wrote_refuses_the_second() -> None:
    tries: list[str] = []

    class Objects:
        async def put(self, name: str, _data: bytes, *, replaces: str | None) -> str:
            assert replaces is None
            tries.append(name)
            raise Unreachable("lost") if len(tries) == 1 else WriteRefusedError(name)

    await keeping._Bucket(Objects()).put("result.json", "{}")  # type: ignore[arg-type]
    assert tries == ["result.json", "result.json"]


def test_a_bug_is_named_by_its_class_alone() -> None:
    assert keeping._why(ZeroDivisionError("secret")) == "ZeroDivisionError, a bug in appfleet"
