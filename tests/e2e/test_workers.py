"""`--workers` with Dask as it is: a worker that is killed, a run that is stopped, and one that is killed itself."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests import warm
from tests.e2e.harness import POLICY, PROCESS_MAX_SECONDS, QUICK, Place, until
from tests.object_server import make_bucket, object_server
from tests.processes import all_below, is_alive, workers_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

BUCKET = "states-of-workers"
SLOW = QUICK.replace("app_pending = 0.05", "app_pending = 600")
STEADY = POLICY.replace("create_rate = 200", "create_rate = 4").replace("create_rate_max = 200", "create_rate_max = 4")
DOMAIN = """
[domains.dNUMBER]
id = "d-NUMBER"
region = "eu-west-1"
account = "00000000000NUMBER"
role_arn = "arn:aws:iam::00000000000NUMBER:role/provisioner"
[domains.dNUMBER.teams.vision]
members = ["alice", "bob", "carol", "dave", "erin", "frank"]
spaces = { "{member}-lab" = { apps = ["lab"] } }
"""
FLEET = 'schema = 1\nname = "wide"\n[apps.lab]\ntype = "JupyterLab"\ninstance_type = "ml.t3.medium"\n' + "".join(
    DOMAIN.replace("NUMBER", str(number)) for number in range(4)
)
APPS = 24


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with object_server() as url:
        make_bucket(url, BUCKET)
        yield url


class Site:
    """A fleet of four accounts, a state that workers share, and what a run of two workers logs."""

    def __init__(self, place: Place, server: str) -> None:
        self.place = place
        self.log = place.folder / "log.jsonl"
        self._server = server
        place.write(FLEET, policy=STEADY)

    @contextmanager
    def applying(self) -> Iterator[subprocess.Popen[str]]:
        state = f"s3://{BUCKET}/{self.place.folder.name}"
        words = ["-f", "fleet.toml", "--state-dir", state, "--log-file", str(self.log)]
        words += ["apply", "--yes", "--workers", "2", "--format", "json"]
        env = self.place.environment(AWS_ENDPOINT_URL_S3=self._server, PYTHONPATH=str(warm.ROOT))
        with warm.start(words, cwd=self.place.folder, env=env, cold=True, module="tests.hasty_main") as process:
            try:
                yield process
            finally:
                process.kill()

    def created(self) -> int:
        return self.place.calls().get("CreateApp", {}).get("ok", 0)

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if line["event"] == name]


@pytest.fixture
def site(place: Place, server: str) -> Site:
    return Site(place, server)


def test_the_shard_of_a_killed_worker_is_done_by_another(site: Site) -> None:
    with site.applying() as process:
        until(lambda: site.created() >= 3, "something is created")
        os.kill(workers_of(process.pid)[0], signal.SIGKILL)
        out, err = process.communicate(timeout=PROCESS_MAX_SECONDS)
    assert process.returncode == 0, out + err
    summary = json.loads(out)["summary"]
    assert sum(summary.values()) == APPS
    assert set(summary) <= {"created", "adopted", "unchanged"}
    assert site.place.calls()["CreateApp"] == {"ok": APPS}
    assert site.place.stats()["create_for_live_key"] == 0
    (lost,) = site.events("workers.lost")
    tries = [(one["step"], one["tries"]) for one in site.events("shard.started") if one["shard"] == lost["shard"]]
    assert tries == [("plan", 1), ("apply", 1), ("apply", 2)]
    assert site.events("lane.awaited")  # until the lease of the dead one had run out
    assert err == ""


def test_a_stopped_run_has_the_outcome_of_every_app(site: Site) -> None:
    site.place.scenario(SLOW)
    with site.applying() as process:
        until(lambda: site.created() >= 3, "something is created")
        workers = workers_of(process.pid)
        for one in all_below(process.pid):  # as a service manager does
            os.kill(one, signal.SIGTERM)
        out, err = process.communicate(timeout=PROCESS_MAX_SECONDS)
    assert process.returncode == 130, out + err
    document = json.loads(out)
    assert (document["result"], sum(document["summary"].values())) == ("interrupted", APPS)
    assert document["lost"] == []
    assert document["summary"]["interrupted"] > 0
    assert site.events("workers.lost") == []
    assert [one["signal"] for one in site.events("run.interrupted")] == ["SIGTERM"]
    assert not any(map(is_alive, workers))


def test_the_workers_of_a_killed_run_end_with_it(site: Site) -> None:
    site.place.scenario(SLOW)
    with site.applying() as process:
        until(lambda: site.created() >= 1, "something is created")
        workers = workers_of(process.pid)
        assert len(workers) == 2
        process.kill()
        until(lambda: not any(map(is_alive, workers)), "the workers have ended")
    assert site.created() < APPS
