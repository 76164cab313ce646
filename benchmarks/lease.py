"""Six runs that want one lane, stopped and killed (kill -9) at random: no act of an older holder after a newer.

    python -m benchmarks.lease [SECONDS]     (600 unless said otherwise)

Each run is a process with a client of its own, over loopback HTTP to an S3 that keeps conditions. Times are a tenth of
the product's, so that holders follow each other often. An act is a line with the time of the machine's one clock,
written after a look whether the lease is held. The same is played in virtual time by tests/simulation/leases, where
acts also arrive late and the store breaks.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final
from unittest.mock import patch

from engine.adapters.aws.sessions import Clouds
from engine.adapters.aws.signing import signed_by
from engine.adapters.state.since_boot import since_boot
from engine.core import lease as record
from engine.core.desired import DesiredDomain, Source
from engine.core.errors import CloudError
from engine.core.limits import (
    LEASE_GRACE_SECONDS,
    LEASE_POLL_SECONDS,
    LEASE_RENEW_SECONDS,
    LEASE_RETRY_SECONDS,
    LEASE_TTL_SECONDS,
)
from engine.executor import lease
from engine.executor.lease import Lease, LeaseHeldError
from engine.ports.objects import WriteRefusedError
from tests.object_server import object_server

CONTENDERS: Final = 6
FASTER: Final = 10.0
BUCKET: Final = "leases"
NAME: Final = "lane.json"
DOMAIN: Final = DesiredDomain("bench", "d-abcd1234efgh", "eu-west-1", source=Source("bench", 1))
STOPPED_MAX_SECONDS: Final = 15.0
KEYS: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "testtesttest",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def main(seconds: float = 600.0) -> None:
    rng = random.Random()
    os.environ.update(KEYS)
    with tempfile.TemporaryDirectory() as folder, object_server() as url:
        asyncio.run(make_bucket(url))
        command = [sys.executable, "-m", "benchmarks.lease", "--contend", url, folder]
        running = [subprocess.Popen(command) for _ in range(CONTENDERS)]
        troubles: Counter[str] = Counter()
        try:
            disturb(running, command, time.monotonic() + seconds, rng, troubles)
        finally:
            for process in running:
                process.kill()
                process.wait()
        tell(Path(folder), seconds, troubles)


def disturb(
    running: list[subprocess.Popen[bytes]], command: list[str], until: float, rng: random.Random, troubles: Counter[str]
) -> None:
    """Stop and kill runs until it is time; who was killed begins anew."""
    stopped: dict[int, float] = {}
    while time.monotonic() < until:
        time.sleep(rng.uniform(0.0, 1.5))
        for place, goes_on_at in list(stopped.items()):
            if time.monotonic() >= goes_on_at:
                running[place].send_signal(signal.SIGCONT)
                del stopped[place]
        place = rng.randrange(CONTENDERS)
        if place in stopped:
            continue
        if rng.random() < 0.35:
            running[place].kill()
            running[place].wait()
            running[place] = subprocess.Popen(command)
            troubles["kills"] += 1
        else:
            running[place].send_signal(signal.SIGSTOP)
            stopped[place] = time.monotonic() + rng.uniform(0.2, STOPPED_MAX_SECONDS)
            troubles["stops"] += 1


def tell(folder: Path, seconds: float, troubles: Counter[str]) -> None:
    """Judge the acts of all runs by the one clock, and print."""
    acts = sorted(
        (float(at), int(epoch), run)
        for file in folder.iterdir()
        for at, epoch, run in (line.split() for line in file.read_text().splitlines() if line.count(" ") == 2)
    )
    newest, late = 0, 0
    holders: dict[int, set[str]] = {}
    for _, epoch, run in acts:
        late += epoch < newest
        newest = max(newest, epoch)
        holders.setdefault(epoch, set()).add(run)
    shared = sum(len(runs) > 1 for runs in holders.values())
    print(
        f"{CONTENDERS} runs for {seconds:.0f} s, {troubles['stops']} stops, {troubles['kills']} kills: "
        f"{len(acts):,} acts of {len(holders)} holders; "
        f"{late} acts of an older holder after a newer one, {shared} epochs of two runs"
    )
    assert len(holders) > seconds / 60.0, "hardly anybody followed anybody"
    assert late == shared == 0


async def make_bucket(url: str) -> None:
    """Make the bucket, which the product never does."""
    async with Clouds(endpoint_url=url) as clouds:
        store = await clouds.objects(DOMAIN, BUCKET, "")
        with signed_by(store._credentials):  # noqa: SLF001
            await store._s3.create_bucket(  # noqa: SLF001
                Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": DOMAIN.region}
            )


async def contend(url: str, folder: Path) -> None:
    """Take the lease, act, and give it back, again and again."""
    rng = random.Random()
    with (folder / f"{os.getpid()}").open("a") as acts:
        async with Clouds(endpoint_url=url) as clouds:
            store = await clouds.objects(DOMAIN, BUCKET, "")
            while True:
                nonce = secrets.token_hex(8)
                mine = Lease(store, NAME, holder=nonce, nonce=nonce, since_boot=since_boot)
                try:
                    await mine.acquire(5.0)
                except (LeaseHeldError, CloudError, WriteRefusedError):
                    continue
                async with mine.kept():
                    ends_at = time.monotonic() + rng.uniform(0.5, 20.0)
                    while time.monotonic() < ends_at and mine.is_held:
                        acts.write(f"{since_boot()} {mine.epoch} {nonce}\n")
                        acts.flush()
                        await asyncio.sleep(rng.uniform(0.0, 0.2))


def faster() -> None:
    """Let this process's leases live a tenth of their time."""
    for name, value in (
        ("LEASE_TTL_SECONDS", LEASE_TTL_SECONDS),
        ("LEASE_RENEW_SECONDS", LEASE_RENEW_SECONDS),
        ("LEASE_RETRY_SECONDS", LEASE_RETRY_SECONDS),
        ("LEASE_POLL_SECONDS", LEASE_POLL_SECONDS),
    ):
        patch.object(lease, name, value / FASTER).start()
    patch.object(record, "LEASE_GRACE_SECONDS", LEASE_GRACE_SECONDS / FASTER).start()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contend"]:
        faster()
        asyncio.run(contend(sys.argv[2], Path(sys.argv[3])))
    else:
        main(*map(float, sys.argv[1:2]))
