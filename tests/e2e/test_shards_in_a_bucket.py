"""Shards on machines that share a bucket and no disk: planned, approved, applied and gathered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_shared_state import BUCKET, Machine
from tests.object_server import make_bucket, object_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.harness import Place

SHARDS = ("0/2", "1/2")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with object_server() as url:
        make_bucket(url, BUCKET)
        yield url


@pytest.fixture
def machine(place: Place, server: str, tmp_path: Path) -> Machine:
    return Machine(place, server, tmp_path.name)


def test_shards_share_nothing_but_a_bucket(machine: Machine) -> None:
    plans = f"{machine.state}/plans/tonight"
    refused = machine.run("plan", "--out", plans)
    assert refused.code == 64
    assert "takes the plans of shards. Add --shard 0/1" in refused.err
    for shard in SHARDS:
        made = machine.run("plan", "--shard", shard, "--out", plans)
        assert made.code == 0, made.out + made.err
        assert (f"gate --shards 2 {plans}" in made.out) is (shard == "0/2")  # there is one account and region
    early = machine.run("apply", "--shard", "0/2", plans)
    assert early.code == 1
    assert "has no approved plans" in early.err
    gated = machine.run("gate", "--shards", "2", plans, "--format", "json")
    assert gated.code == 0, gated.out + gated.err
    done = [machine.run("apply", "--shard", shard, plans, "--format", "json") for shard in SHARDS]
    assert [ran.code for ran in done] == [0, 0], done[0].err + done[1].err
    outcomes = [outcome for ran in done for outcome in ran.outcomes().values()]
    assert set(outcomes) == {"created"}
    gathered = machine.run("gather", plans, "--format", "json")
    assert gathered.code == 0, gathered.out + gathered.err
    document = json.loads(gathered.out)
    assert document["summary"] == {"created": len(outcomes)}
    assert document["fingerprint"] == json.loads(gated.out)["fingerprint"]
    assert (document["lost"], document["unwell"]) == ([], [])
    assert not (machine.place.folder / ".appfleet").exists()
