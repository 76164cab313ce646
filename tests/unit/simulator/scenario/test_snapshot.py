"""Worlds that are saved and come back."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.errors import StateError
from engine.simulator.scenario import snapshot
from engine.simulator.scenario.changes import SetQuota
from engine.simulator.scenario.scenario import load_scenario
from engine.simulator.scenario.snapshot import (
    dump_world,
    load_world,
    parse_world,
    save_world,
)
from engine.simulator.world.faults import FailureRule, Fault, FaultKind, FaultRule
from engine.simulator.world.request_limit import RequestLimit
from engine.simulator.world.training_plans import training_plan
from engine.simulator.world.world import Timing, World
from tests.unit.simulator.worlds import DOMAIN_ID, START, add_space, call, create, make_world, pass_time, the_domain

if TYPE_CHECKING:
    from collections.abc import Callable

STORM = Path(__file__).parents[4] / "scenarios" / "storm.toml"


def world_to_json(world: World) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(dump_world(world))
    return document


def world_from_json(document: dict[str, Any]) -> World:
    return parse_world(json.dumps(document).encode())


def a_rich_world() -> World:
    world = make_world(timing=Timing(app_pending=(1.0, 9.0)))
    world.keep_replaced_rows = True
    world.scenario = "abc"
    world.set_price("ml.t3.medium", 0.5)
    world.external_ids["arn:aws:iam::111122223333:role/x"] = "abc-123"
    plan = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5"
    world.training_plans[plan] = training_plan(plan, ("ml.p5.48xlarge",), 4, taken=1, starts_at=START)
    world.quotas.set("A", 1)
    world.quotas.set("B", 2, "111122223333", "eu-west-1")
    world.set_request_limit("CreateApp", RequestLimit(5.0, 10.0))
    world.failures = [FailureRule("capacity", instance_type="ml.p5.*")]
    world.faults.rules = [FaultRule(Fault(FaultKind.ERROR, "X", "y", 418), "ListApps", max_count=3)]
    create(world, recovery="no", instance_type="ml.p5.48xlarge")
    pass_time(world, 10.0)
    world.failures = []
    create(world, team="a")
    add_space(world, "team", None, "Shared")
    create(world, "KernelGateway", space="team", name="k", instance_type="ml.t3.medium")
    create(world, "KernelGateway", user="alice", name="k", instance_type="ml.t3.medium")
    add_space(world, "on-plan")
    reserved = {"InstanceType": "ml.p5.48xlarge", "TrainingPlanArn": plan}
    app = {"DomainId": DOMAIN_ID, "SpaceName": "on-plan", "AppType": "JupyterLab", "AppName": "default"}
    call(world, "CreateApp", **app, ResourceSpec=reserved)
    call(world, "CreateUserProfile", DomainId=DOMAIN_ID, UserProfileName="bob")
    call(world, "UpdateSpace", DomainId=DOMAIN_ID, SpaceName="team")
    world.schedule(world.now + 50.0, SetQuota("late", 1))
    world.after_first_create.append((5.0, SetQuota("first", 1)))
    return world


def seen(world: World) -> dict[str, Any]:
    """What a caller can see, and the counters behind it."""
    operations = ("ListApps", "ListUserProfiles", "ListSpaces", "ListDomains", "GetResources")
    return {
        **{operation: call(world, operation) for operation in operations},
        "usage": {bucket: count for bucket, count in world.bucket_usage.items() if count},
        "kernels": {user: count for user, count in world.kernels_of_user.items() if count},
        "quotas": world.quotas,
        "prices": world.prices,
        "owners": [(one.live_apps, one.spaces) for one in the_domain(world).profiles.values()],
        "limits": world.request_limits,
        "flags": (world.keep_replaced_rows, world.scenario, world.account, world.timing, world.now),
        "plan": call(world, "DescribeTrainingPlan", TrainingPlanName="p5"),
        "rules": (world.failures, world.faults.rules),
    }


def test_a_world_comes_back_as_it_was() -> None:
    world = a_rich_world()
    back = world_from_json(world_to_json(world))
    assert seen(back) == seen(world)


def test_a_world_that_came_back_goes_on_like_the_one_that_stayed() -> None:
    world = a_rich_world()
    back = parse_world(dump_world(world))
    for one in (world, back):
        one.note_create(None)
        pass_time(one, 100.0)
        create(one, "RSessionGateway", user="alice")
    assert seen(back) == seen(world)
    assert back.quotas.named == {"A": 1, "late": 1, "first": 1}


def test_saving_changes_nothing_that_is_saved() -> None:
    world = a_rich_world()
    first, second = world_to_json(world), world_to_json(world)
    assert {**first, "seq": 0} == {**second, "seq": 0}


def test_a_scenario_with_everything_can_be_saved() -> None:
    world = load_scenario(STORM).build(START)
    back = parse_world(dump_world(world))
    assert world_to_json(back)["scheduled"] == world_to_json(world)["scheduled"]
    assert back.faults == world.faults


def test_a_file_holds_a_world_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    save_world(make_world(), path)
    save_world(a_rich_world(), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["world.json"]  # noqa: PTH208 - names alone
    back = load_world(path)
    assert back is not None
    assert seen(back) == seen(a_rich_world())


def test_no_file_is_no_world(tmp_path: Path) -> None:
    assert load_world(tmp_path / "gone.json") is None


def test_a_link_is_refused(tmp_path: Path) -> None:
    save_world(make_world(), tmp_path / "world.json")
    (tmp_path / "link.json").symlink_to("world.json")
    with pytest.raises(StateError, match="cannot be read from"):
        load_world(tmp_path / "link.json")


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"cannot be written to .*: its folder does not exist") as caught:
        save_world(make_world(), tmp_path / "gone" / "world.json")
    assert caught.value.hint == "Choose another folder with --state-dir, one that you may write to"


def test_space_is_to_be_freed_where_it_is_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateError, match="No space left on device") as caught:
        save_world(make_world(), tmp_path / "world.json")
    assert caught.value.hint.startswith("Free some space, or choose another folder")
    assert not list(tmp_path.iterdir())


def test_a_world_that_does_not_fit_into_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "world.json").mkdir()
    with pytest.raises(StateError, match="cannot be written to"):
        save_world(make_world(), tmp_path / "world.json")
    assert os.listdir(tmp_path) == ["world.json"]  # noqa: PTH208 - names alone


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"format_version": 2}'])
def test_what_is_not_a_world_is_refused_with_a_way_out(data: bytes) -> None:
    with pytest.raises(StateError, match="Delete it"):
        parse_world(data)


@pytest.mark.parametrize("key", ["now", "random", "quotas", "domains", "apps", "scheduled", "timing"])
def test_a_document_with_a_part_missing_or_wrong_is_refused(key: str) -> None:
    document = world_to_json(a_rich_world())
    for wrong in (None, "x", {"x": 1}):
        with pytest.raises(StateError):
            world_from_json({**document, key: wrong})
    del document[key]
    with pytest.raises(StateError):
        world_from_json(document)


def test_a_world_that_was_saved_before_there_were_prices_has_the_usual_ones() -> None:
    document = world_to_json(a_rich_world())
    del document["prices"]
    assert world_from_json(document).prices == make_world().prices
    with pytest.raises(StateError):
        world_from_json({**document, "prices": {"ml.t3.medium": "x"}})


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "world.json"
    save_world(make_world(), path)
    monkeypatch.setattr(snapshot, "SIMULATED_WORLD_MAX_BYTES", 100)
    with pytest.raises(StateError, match="larger than 100 bytes"):
        load_world(path)


HARM: dict[str, Callable[[dict[str, Any]], object]] = {
    "a clock that no clock shows": lambda world: world.update(now=1e300),
    "a state of chance with a negative number": lambda world: world["random"][1].__setitem__(0, -1),
    "times of one bound": lambda world: world["timing"].update(app_pending=[1.0]),
    "times that run backwards": lambda world: world["timing"].update(app_pending=[2.0, 1.0]),
    "a reason that is a number": lambda world: world["apps"][0].update(will_fail=0.1),
    "an app that is due at no number": lambda world: world["apps"][0].update(due=float("nan")),
    "a count below nothing": lambda world: world["domains"][0].update(next_uid=-1),
    "a tag that is a list": lambda world: world["apps"][0].update(tags={"a": []}),
    "a request limit that lets nothing through": lambda world: world["request_limits"].update(CreateApp=[0.0, 1.0]),
    "a status that no answer has": lambda world: world["faults"][0]["fault"].update(status=7),
    "a price below nothing": lambda world: world["prices"].update(x=-1.0),
    "a change at no time": lambda world: world["scheduled"].append([float("inf"), world["scheduled"][0][1]]),
    "a spec with tags": lambda world: world["apps"][0]["spec"].update(tags={"a": "b"}),
    "a quota of another kind": lambda world: world["quotas"].update(spaces="many"),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_a_world_is_checked_as_if_a_stranger_had_written_it(harm: Callable[[dict[str, Any]], object]) -> None:
    document = world_to_json(a_rich_world())
    harm(document)
    with pytest.raises(StateError, match="the saved world of the simulator cannot be read") as refused:
        world_from_json(document)
    assert "Delete it" in refused.value.hint


def test_a_pipe_in_the_place_of_a_world_hangs_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "world.json")
    with pytest.raises(StateError, match="is not a regular file"):
        load_world(tmp_path / "world.json")
