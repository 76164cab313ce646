"""Which runs of a shared state a command reads."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from engine.app.shared_store import _wanted, live_runs, nonce_of
from engine.core.lease import LeaseRecord
from engine.core.limits import LEASE_GRACE_SECONDS
from engine.ports.objects import StoredObject

RUNS = [f"2026{number:04}" for number in range(300)]


@pytest.mark.parametrize(
    ("newest", "since", "wanted"),
    [
        (0, "", []),
        (3, "", RUNS[-3:]),
        (500, "", RUNS[-200:]),
        (2, "nobody", RUNS[-2:]),
        (2, RUNS[290], RUNS[289:]),
        (0, RUNS[-1], RUNS[-2:]),
        (0, RUNS[0], [RUNS[0], *RUNS[-199:]]),
        (2, RUNS[5], [*RUNS[4:6], *RUNS[-198:]]),
    ],
)
def test_the_newest_are_read_and_what_follows_the_one_that_is_named(newest: int, since: str, wanted: list[str]) -> None:
    assert sorted(_wanted(RUNS, newest, since)) == wanted


class Leases:
    """A store with one object per name, each of some age."""

    def __init__(self, objects: dict[str, tuple[bytes, float]]) -> None:
        self.objects = objects

    async def names(self, under: str) -> tuple[str, ...]:
        return tuple(name for name in self.objects if name.startswith(under))

    async def get(self, name: str) -> StoredObject | None:
        data, age_s = self.objects[name]
        return StoredObject(data, "tag", 1_000.0 - age_s, 1_000.0) if data else None

    async def put(self, name: str, data: bytes, *, replaces: str | None) -> str:
        raise AssertionError(name, data, replaces)


def test_the_runs_that_are_alive_are_those_whose_leases_were_renewed() -> None:
    def lease(run_id: str) -> LeaseRecord:
        return LeaseRecord(1, "appfleet apply", nonce_of(run_id), 1, is_held=True, ttl_s=60.0)

    store = Leases(
        {
            "lanes/111122223333-eu-west-1/lease.json": (lease("20261201T010000Z-aaaaaa").to_bytes(), 5.0),
            "lanes/111122223333-eu-west-2/lease.json": (lease("silent").to_bytes(), 60.0 + LEASE_GRACE_SECONDS),
            "lanes/111122223333-eu-west-3/lease.json": (replace(lease("gone"), is_held=False).to_bytes(), 5.0),
            "lanes/111122223333-us-east-1/lease.json": (b"no lease", 5.0),
            "lanes/111122223333-us-east-2/lease.json": (b"", 5.0),
            "lanes/111122223333-us-west-1/memory.gz": (b"not read", 5.0),
        }
    )
    assert asyncio.run(live_runs(store)) == {"20261201T010000Z-aaaaaa"}
