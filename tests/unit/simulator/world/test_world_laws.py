"""What holds in every world, whatever is done to it: hypothesis does it, and counts again from the records alone."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from engine.simulator.scenario.snapshot import dump_world, parse_world
from engine.simulator.service.api import answer
from engine.simulator.service.owner_operations import create_profile
from engine.simulator.world.faults import FailureRule
from engine.simulator.world.quotas import KERNEL_GATEWAY_APPS_PER_USER, bucket_quota_name
from engine.simulator.world.service_error import ServiceError
from tests.unit.simulator.worlds import DOMAIN_ID, LANE, START, add_space, make_world, the_domain

if TYPE_CHECKING:
    from engine.simulator.world.world import World

QUOTA = 3
TYPES = ("ml.t3.medium", "ml.m5.large")

APPS = st.one_of(
    st.fixed_dictionaries(
        {
            "SpaceName": st.sampled_from(("alice-lab", "bob-lab", "gone")),
            "AppType": st.just("JupyterLab"),
            "AppName": st.sampled_from(("default", "second")),
        }
    ),
    st.fixed_dictionaries(
        {
            "UserProfileName": st.sampled_from(("alice", "ALICE", "bob")),
            "AppType": st.just("KernelGateway"),
            "AppName": st.sampled_from(("k1", "k2", "k3", "k4", "k5", "k6")),
        }
    ),
)
STEPS = st.one_of(
    st.tuples(st.just("CreateApp"), APPS, st.sampled_from(TYPES)),
    st.tuples(st.just("DeleteApp"), APPS),
    st.tuples(st.just("DeleteSpace"), st.sampled_from(("alice-lab", "bob-lab"))),
    st.tuples(st.just("CreateSpace"), st.sampled_from(("alice-lab", "bob-lab"))),
    st.tuples(st.just("time"), st.sampled_from((0.5, 1.0, 2.0, 5.0, 86_400.0))),
    st.tuples(st.just("failures"), st.booleans()),
    st.tuples(st.just("reload")),
)


def step(world: World, one: tuple[Any, ...]) -> World:
    operation = one[0]
    if operation == "time":
        world.advance(world.now + one[1])
    elif operation == "failures":
        world.failures = [FailureRule("internal", probability=0.5)] if one[1] else []
    elif operation == "reload":
        return parse_world(dump_world(world))
    else:
        params = {"DomainId": DOMAIN_ID, **({"SpaceName": one[1]} if isinstance(one[1], str) else one[1])}
        if operation == "CreateApp":
            params["ResourceSpec"] = {"InstanceType": one[2]}
        if operation == "CreateSpace":
            params["OwnershipSettings"] = {"OwnerUserProfileName": "alice"}
            params["SpaceSharingSettings"] = {"SharingType": "Private"}
        try:
            answer(world, LANE, operation, params, world.now)
        except ServiceError as error:
            assert error.code in ("ResourceInUse", "ResourceLimitExceeded", "ValidationException", "ResourceNotFound")  # noqa: PT017 - most refusals are right here
    return world


def check(world: World) -> None:
    listed: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = answer(world, LANE, "ListApps", {"DomainIdEquals": DOMAIN_ID, "MaxResults": 2, **token}, world.now)
        listed += page["Apps"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    created = [row["CreationTime"] for row in listed]
    assert created == sorted(created)
    keys = [
        (row.get("SpaceName"), row.get("UserProfileName", "").lower(), row["AppType"], row["AppName"]) for row in listed
    ]
    assert len(set(keys)) == len(keys) == len(world.apps)

    alive = [app for app in world.apps.values() if app.is_alive]
    assert {key: count for key, count in world.bucket_usage.items() if count} == Counter(app.bucket for app in alive)
    assert world.running.total() == len(alive)
    kernels = Counter(
        (app.key.domain_id, app.key.owner, app.bucket.instance_type)
        for app in alive
        if app.key.app_type == "KernelGateway"
    )
    assert {key: count for key, count in world.kernels_of_user.items() if count} == kernels
    assert max(kernels.values(), default=0) <= KERNEL_GATEWAY_APPS_PER_USER
    assert max(world.bucket_usage.values(), default=0) <= QUOTA + 1
    domain = the_domain(world)
    for space in domain.spaces.values():
        assert space.live_apps == sum(app.key.owner == space.name for app in alive if app.is_of_space) <= 1
    for profile in domain.profiles.values():
        assert profile.spaces == sum(space.owner == profile.name for space in domain.spaces.values())


@given(steps=st.lists(STEPS, max_size=40))
def test_counts_listings_and_limits_agree_with_the_records_after_every_step(steps: list[tuple[Any, ...]]) -> None:
    world = make_world()
    world.failures = []
    for name in TYPES:
        world.quotas.set(bucket_quota_name("KernelGateway", name), QUOTA + 1)
        world.quotas.set(bucket_quota_name("JupyterLab", name), QUOTA)
    create_profile(world, the_domain(world), "bob", at_once=True)
    add_space(world, "bob-lab", owner="bob")
    for one in steps:
        world = step(world, one)
        check(world)
    assert world.now >= START


@given(steps=st.lists(STEPS, max_size=25))
def test_a_world_that_was_saved_on_the_way_ends_like_the_one_that_was_not(steps: list[tuple[Any, ...]]) -> None:
    stayed, saved = make_world(), make_world()
    for one in steps:
        if one[0] == "reload":
            saved = step(saved, one)
        else:
            stayed, saved = step(stayed, one), step(saved, one)
    hidden = ("seq", "domains", "apps")

    def shown(world: World) -> dict[str, Any]:
        return {name: value for name, value in json.loads(dump_world(world)).items() if name not in hidden}

    assert shown(saved) == shown(stayed)
    assert [(app.key, app.status, app.due) for app in saved.apps.values()] == [
        (app.key, app.status, app.due) for app in stayed.apps.values()
    ]
