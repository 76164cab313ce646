"""Where the plans of shards are kept: what is not as it was written is refused, in bounded memory."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from engine.adapters.state.folder_objects import FolderObjects
from engine.app import plan_place
from engine.app.gate import approved_index
from engine.app.options import AppOptions
from engine.app.plan_place import PlanPlace, packed
from engine.app.shard_run import gather
from engine.core.errors import StalePlanError
from engine.core.lane_plans import lane_plans
from tests.unit.core.test_lane_plans import LANES, ONE, PLAN
from tests.unit.policy.test_gate import ABOUT, record

if TYPE_CHECKING:
    from pathlib import Path


def place_of(folder: Path) -> PlanPlace:
    return PlanPlace(FolderObjects(folder), str(folder))


RECORD = "shards/0-of-1.json.gz"


async def saved(folder: Path) -> None:
    await place_of(folder).save_shard(record(0, count=1), lane_plans(PLAN, LANES))


async def test_the_objects_of_a_shard_have_the_names_of_lanes(tmp_path: Path) -> None:
    await saved(tmp_path)
    names = ["111111111111-eu-west-1.json.gz", "222222222222-us-east-1.json.gz", RECORD]
    assert await FolderObjects(tmp_path).names("") == tuple(names)
    (found,) = await place_of(tmp_path).records(1)
    assert found == record(0, count=1)
    assert [plan.fingerprint for plan in await place_of(tmp_path).plans([str(ONE)])] == [
        lane_plans(PLAN, LANES)[ONE].fingerprint
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        gzip.compress(b"[]", mtime=0),
        gzip.compress(b"{", mtime=0),
        gzip.compress(b"{}", mtime=0),
        packed({})[:-9],
    ],
)
async def test_a_record_that_is_none_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / RECORD).write_bytes(data)
    with pytest.raises(StalePlanError, match=f"{RECORD} is not what appfleet writes there"):
        await place_of(tmp_path).records(1)


async def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_place, "PLAN_FILE_MAX_BYTES", 100)
    (tmp_path / "shards").mkdir()
    (tmp_path / RECORD).write_bytes(packed({"a": "b" * 1_000}))
    with pytest.raises(StalePlanError, match="is not what appfleet writes"):
        await place_of(tmp_path).records(1)


async def test_another_record_of_the_same_shard_is_refused(tmp_path: Path) -> None:
    await saved(tmp_path)
    await saved(tmp_path)
    with pytest.raises(StalePlanError, match="already holds another plan of shard 0/1"):
        await place_of(tmp_path).save_shard(record(0, count=1, lane="9/r"), {})


async def test_a_lane_without_a_plan_and_another_approval_are_refused(tmp_path: Path) -> None:
    place = place_of(tmp_path)
    with pytest.raises(StalePlanError, match="has no plan of 1/r"):
        await place.plans(["1/r"])
    await place.put_index({"fingerprint": "sha256:a"})
    await place.put_index({"fingerprint": "sha256:a"})
    with pytest.raises(StalePlanError, match="was approved with other plans before"):
        await place.put_index({"fingerprint": "sha256:b"})
    with pytest.raises(StalePlanError, match=r"index.json was not written by gate"):
        await approved_index(place)


async def test_the_newest_report_of_a_lane_counts_and_the_gravest_exit_code_of_all(tmp_path: Path) -> None:
    await saved(tmp_path)
    place, lanes = place_of(tmp_path), [str(lane) for lane in LANES.values()]
    await place.put_index(
        {
            "made_at": "2026-11-24T01:00:00Z", "about": ABOUT.to_json(), "fingerprint": "sha256:a",
            "lanes": dict.fromkeys(lanes, "sha256:x"), "denied_groups": [],
        }
    )  # fmt: skip
    row = {"key": "k", "outcome": "failed", "error": {"code": "c", "message": "m", "hint": ""}}
    for lane, run, code in ((lanes[0], "1", 1), (lanes[0], "2", 3), (lanes[1], "1", 0)):
        rows = [row] if code else []
        await place.put_report(
            lane,
            run,
            {
                "run_id": run,
                "shard": "0/1",
                "result": "r",
                "exit_code": code,
                "error": None,
                "apps": rows,
                "owners": [],
            },
        )
    document = await gather(AppOptions(tmp_path / "fleet.toml"), tmp_path)
    assert document["exit_code"] == 3
    assert [line["run_id"] for line in document["lanes"]] == ["2", "1"]
    assert (document["unwell"], document["lost"], document["more_unwell"]) == ([row], [], 0)
    assert json.loads((tmp_path / "report.json").read_text()) == document
    await place.put_report(
        lanes[1], "3", {"run_id": "3", "shard": "", "result": "r", "error": None, "apps": [], "owners": []}
    )
    with pytest.raises(StalePlanError, match="is not what apply --shard writes"):
        await gather(AppOptions(tmp_path / "fleet.toml"), tmp_path)
