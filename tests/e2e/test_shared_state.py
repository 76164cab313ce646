"""A state in a store that machines share: any of them takes over where another one ended, and none works beside it."""

from __future__ import annotations

import json
import shutil
import signal
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.harness import POLICY, QUICK, Place, fleet_text, lab_of, people, until
from tests.object_server import in_front_of, lying_server, make_bucket, object_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from engine.simulator.world.world import World
    from tests.e2e.harness import Ran, Running

BUCKET = "states-of-fleets"
APPLY = ("--yes", "--format", "json")
LEASE = "lanes/111122223333-eu-west-1/lease.json"
MEMORY = "lanes/111122223333-eu-west-1/memory.json.gz"
SLOW = QUICK.replace("app_pending = 0.05", "app_pending = 600")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with object_server() as url:
        make_bucket(url, BUCKET)
        yield url


class Machine:
    """A machine with the fleet's files and nothing else of its own."""

    def __init__(self, place: Place, server: str, prefix: str) -> None:
        self.place = place
        self.state = f"s3://{BUCKET}/{prefix}"
        self.server = server
        self._prefix = prefix

    def run(self, *words: str, **more: str) -> Ran:
        shutil.rmtree(self.place.folder / ".appfleet", ignore_errors=True)
        with self.start(*words, **more) as running:
            return running.end()

    def start(self, *words: str, **more: str) -> AbstractContextManager[Running]:
        given: dict[str, Any] = {"AWS_ENDPOINT_URL_S3": self.server, **more}
        return self.place.start("--state-dir", self.state, *words, **given)

    def apply(self, *words: str, **more: str) -> Ran:
        return self.run("apply", *APPLY, *words, **more)

    def object_url(self, name: str) -> str:
        return f"{self.server}/{BUCKET}/{self._prefix}/e2e/{name}"

    def read(self, name: str) -> bytes:
        with urllib.request.urlopen(self.object_url(name), timeout=30) as answer:  # noqa: S310 - loopback
            data: bytes = answer.read()
        return data

    def write(self, name: str, data: bytes) -> None:
        request = urllib.request.Request(self.object_url(name), data, method="PUT")  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310
            pass


@pytest.fixture
def machine(place: Place, server: str, tmp_path: Path) -> Machine:
    return Machine(place, server, tmp_path.name)


def test_another_machine_goes_on_where_one_ended(machine: Machine) -> None:
    first = machine.apply()
    assert first.code == 0, first.out + first.err
    assert set(first.outcomes().values()) == {"created"}
    assert any("No run history found in s3://" in note for note in first.report["notes"]), first.report["notes"]
    again = machine.apply()
    assert again.code == 0, again.out + again.err
    assert set(again.outcomes().values()) == {"unchanged"}
    assert not any("history" in note for note in again.report["notes"]), again.report["notes"]
    assert not (machine.place.folder / ".appfleet").exists()
    shown = json.loads(machine.run("history", "--format", "json").out)
    assert [run["run_id"] for run in shown["runs"]] == [again.report["run_id"], first.report["run_id"]]
    page = machine.run("report", first.report["run_id"], "--out", "-")
    assert "u000-lab" in page.out
    status = machine.run("status", "--format", "json")
    assert status.code == 0, status.err


def lease_of(machine: Machine) -> dict[str, object]:
    found: dict[str, object] = json.loads(machine.read(LEASE))
    return found


def test_two_machines_do_not_work_in_one_lane_and_a_killed_run_is_followed(machine: Machine) -> None:
    """Row 44: another machine meanwhile."""
    place = machine.place
    place.scenario(SLOW)
    with machine.start("apply", *APPLY) as running:
        until(lambda: place.calls().get("CreateApp", {}).get("ok", 0) == 4, "the first machine has created all")
        refused = machine.apply()
        assert refused.code == 5, refused.out + refused.err
        assert "Another run works in account 111122223333, region eu-west-1: appfleet apply, run" in refused.err
        assert place.calls()["CreateApp"] == {"ok": 4}
        looked = machine.run("plan", "--format", "json")
        assert looked.code == 0, looked.err  # looking needs no lane
        alive = json.loads(machine.run("history", "--format", "json").out)["runs"]
        assert [one["exit_code"] for one in alive if one.get("running")] == [None]
        running.signal(signal.SIGKILL)
        running.process.wait(60)
    place.settle()
    place.scenario(QUICK)
    after = machine.apply()
    assert after.code == 0, after.out + after.err
    assert after.events("lane.awaited")
    assert after.events("run.waited")
    assert set(after.outcomes().values()) <= {"unchanged", "adopted", "created"}
    assert place.calls()["CreateApp"] == {"ok": 4}
    assert (lease_of(machine)["is_held"], lease_of(machine)["epoch"]) == (False, 2)
    kept = json.loads(machine.run("history", "--format", "json").out)["runs"]
    codes = {run["run_id"]: run["exit_code"] for run in kept}
    assert (codes.pop(refused.report["run_id"]), codes.pop(after.report["run_id"])) == (5, 0)
    (killed,) = codes
    assert codes[killed] is None
    assert machine.run("report", killed, "--out", "-").code == 0


def test_once_and_quarantine_are_known_to_a_new_machine(machine: Machine) -> None:
    place = machine.place
    more = '[domains.research.spaces.shared-lab]\nowner = "u000"\napps = [{ use = "lab", mode = "once" }]'
    place.write(fleet_text(people(1), more=more), policy=POLICY + "[safety]\nquarantine_after = 1\n")
    shared, lab = "research/space/shared-lab/JupyterLab/default", lab_of("u000")
    assert machine.apply().outcomes() == {shared: "created", lab: "created"}

    def let_go(world: World) -> None:
        for app in list(world.apps.values()):
            world.set_app_status(app, "Deleted")

    place.within(let_go)
    place.scenario(QUICK + '[[failure]]\nreason = "the script of the lifecycle configuration failed"\n')
    assert machine.apply().outcomes() == {shared: "unchanged", lab: "failed"}
    assert machine.apply().outcomes() == {shared: "unchanged", lab: "skipped"}


def test_a_run_whose_lane_was_taken_over_stops_there_and_says_so(machine: Machine) -> None:
    place = machine.place
    place.scenario(SLOW)
    place.write(fleet_text(people(4)), policy=place_policy(create_rate=0.5))
    with machine.start("apply", *APPLY) as running:
        until(lambda: place.calls().get("CreateApp", {}).get("ok", 0) >= 1, "something is created")
        record = lease_of(machine)
        taken = {**record, "epoch": 2, "nonce": "another", "holder": "another run", "count": 1}
        machine.write(LEASE, json.dumps(taken).encode())
        ran = running.end()
    assert ran.code == 1, ran.out + ran.err
    ends = {app["key"]: (app["outcome"], (app["error"] or {}).get("code")) for app in ran.report["apps"]}
    assert ("interrupted", "lease_lost") in ends.values()
    assert "lease_lost" in {error["code"] for error in ran.report["errors"]}
    assert json.loads(machine.read(LEASE))["nonce"] == "another"
    assert any("could not be written" in note for note in ran.report["notes"]), ran.report["notes"]


def place_policy(*, create_rate: float) -> str:
    return POLICY.replace("create_rate = 200", f"create_rate = {create_rate}").replace(
        "create_rate_max = 200", f"create_rate_max = {create_rate}"
    )


def test_a_delete_is_not_sent_whose_intent_the_store_does_not_take(machine: Machine) -> None:
    place = machine.place
    assert machine.apply().code == 0
    place.write(fleet_text(people(3)))
    place.forget_calls()
    writes = 0

    def refuses(method: str, path: str) -> bool:
        nonlocal writes
        writes += method == "PUT" and path.endswith(MEMORY)
        return method == "PUT" and path.endswith(MEMORY) and writes > 1  # the first one takes the lane over

    with in_front_of(machine.server, refuses) as front:
        ran = machine.apply("--prune", AWS_ENDPOINT_URL_S3=front)
    assert writes > 1
    gone = lab_of("u003")
    assert place.only_looked()
    assert ran.code == 3, ran.out + ran.err
    error = next(app["error"] for app in ran.report["apps"] if app["key"] == gone)
    assert error["code"] == "journal_not_durable"
    assert any("could not be written" in note for note in ran.report["notes"]), ran.report["notes"]
    place.forget_calls()
    pruned = machine.apply("--prune")
    assert pruned.code == 0, pruned.out + pruned.err
    assert place.calls()["DeleteApp"] == {"ok": 1}


@pytest.mark.parametrize(
    ("state", "code", "said"),
    [
        ("s3://nobodys-bucket/x", 1, "The bucket nobodys-bucket does not exist"),
        ("gs://states/x", 64, "is not an address that appfleet knows"),
        ("s3:states", 64, "is not an address that appfleet knows"),
    ],
)
def test_a_store_that_is_not_there_is_one_clear_error_and_nothing_is_called(
    machine: Machine, state: str, code: int, said: str
) -> None:
    machine.state = state
    ran = machine.apply()
    assert ran.code == code, ran.out + ran.err
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert set(machine.place.calls()) <= {"GetCallerIdentity"}
    assert not list(machine.place.folder.glob("*:*"))


def test_a_store_that_takes_every_write_is_refused_before_anything_is_called(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "store" / BUCKET).mkdir(parents=True)
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testtesttest", "AWS_SESSION_TOKEN": ""}
    with lying_server(tmp_path / "store") as url:
        ran = machine.apply(AWS_ENDPOINT_URL_S3=url, **keys)
    assert ran.code == 1, ran.out + ran.err
    assert "accepts a write although its condition" in ran.err
    assert set(machine.place.calls()) <= {"GetCallerIdentity"}


def test_a_memory_that_cannot_be_read_is_never_overwritten(machine: Machine) -> None:
    assert machine.apply().code == 0
    machine.write(MEMORY, b"no memory")
    ran = machine.apply()
    assert ran.code == 1, ran.out + ran.err
    assert f"The object {machine.state}/e2e/{MEMORY} cannot be read: it is not what appfleet writes" in ran.err
    assert machine.read(MEMORY) == b"no memory"
    assert lease_of(machine)["is_held"] is False


def test_a_simulated_world_is_not_kept_in_a_store(machine: Machine) -> None:
    ran = machine.run("plan", "--simulate")
    assert ran.code == 64
    assert "--simulate keeps its world in a folder" in ran.err
