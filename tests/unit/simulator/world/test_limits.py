"""Request limits and quotas: what the world allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.core.identity import Lane
from engine.core.quota_text import bucket_of_quota, parse_quota_message, quota_name
from engine.simulator.world import quotas
from engine.simulator.world.quotas import Quotas, Wording, bucket_quota_name, limit_message, quota_code
from engine.simulator.world.request_limit import RequestLimit, TokenBucket
from engine.simulator.world.service_error import ServiceError
from tests.unit.simulator.worlds import call, create, make_world, pass_time

if TYPE_CHECKING:
    from engine.simulator.world.world import World


def taken(bucket: TokenBucket, now: float) -> int:
    count = 0
    while bucket.take(now):
        count += 1
    return count


def test_a_full_bucket_lets_its_burst_through_and_then_its_rate() -> None:
    bucket = TokenBucket(RequestLimit(5.0, 10.0), 10.0, 100.0)
    assert [taken(bucket, now) for now in (100.0, 100.0, 101.0, 200.0)] == [10, 0, 5, 10]


def test_fractions_of_a_token_are_kept() -> None:
    bucket = TokenBucket(RequestLimit(0.5, 1.0), 0.0, 0.0)
    assert [bucket.take(now) for now in (1.0, 2.0, 3.0, 4.0)] == [False, True, False, True]


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(RequestLimit(1.0, 1.0), 0.0, 100.0)
    assert not bucket.take(50.0)
    assert bucket.take(101.0)


def test_a_smaller_burst_takes_effect_at_once() -> None:
    bucket = TokenBucket(RequestLimit(1.0, 10.0), 10.0, 0.0)
    bucket.change(RequestLimit(1.0, 2.0), 0.0)
    assert taken(bucket, 0.0) == 2


def throttles(world: World, operation: str, region: str = "eu-west-1") -> str:
    try:
        world.take_request(Lane("111122223333", region), operation)
    except ServiceError as error:
        return f"{error.code}: {error.message}"
    return ""


def test_each_operation_has_a_bucket_of_its_own_in_each_lane() -> None:
    world = make_world(request_limits={"*": RequestLimit(1.0, 1.0)})
    assert throttles(world, "CreateApp") == ""
    assert throttles(world, "CreateApp") == "ThrottlingException: Rate exceeded"
    assert throttles(world, "ListApps") == ""
    assert throttles(world, "CreateApp", "us-east-1") == ""


def test_an_operations_own_limit_wins_over_the_one_for_all() -> None:
    world = make_world(request_limits={"*": RequestLimit(1.0, 1.0), "CreateApp": RequestLimit(1.0, 2.0)})
    assert [throttles(world, "CreateApp") for _ in range(3)] == ["", "", "ThrottlingException: Rate exceeded"]


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("ListServiceQuotas", "TooManyRequestsException"),
        ("GetResources", "ThrottledException"),
        ("GetCallerIdentity", "Throttling"),
    ],
)
def test_each_service_has_its_own_word_for_throttling(operation: str, code: str) -> None:
    world = make_world(request_limits={operation: RequestLimit(1.0, 1.0)})
    throttles(world, operation)
    assert throttles(world, operation).startswith(f"{code}: ")


def test_a_limit_can_be_changed_and_lifted() -> None:
    world = make_world(request_limits={"CreateApp": RequestLimit(1.0, 1.0)})
    throttles(world, "CreateApp")
    world.set_request_limit("CreateApp", RequestLimit(1.0, 5.0))
    pass_time(world, 5.0)
    assert [throttles(world, "CreateApp") == "" for _ in range(6)] == [True] * 5 + [False]
    world.set_request_limit("CreateApp", None)
    assert throttles(world, "CreateApp") == ""


def test_a_refused_call_changes_nothing_but_the_counts() -> None:
    world = make_world(request_limits={"CreateUserProfile": RequestLimit(1.0, 1.0)})
    call(world, "CreateUserProfile", DomainId="d-abc", UserProfileName="bob")
    with pytest.raises(ServiceError, match="Rate exceeded"):
        call(world, "CreateUserProfile", DomainId="d-abc", UserProfileName="carol")
    assert sorted(world.domains["d-abc"].profiles) == ["alice", "bob"]
    assert world.stats.calls["CreateUserProfile"] == {"ok": 1, "ThrottlingException": 1}


@pytest.mark.parametrize("app_type", ["JupyterLab", "CodeEditor", "KernelGateway", "RSessionGateway"])
def test_the_names_of_the_buckets_are_those_that_the_engine_reads(app_type: str) -> None:
    name = bucket_quota_name(app_type, "ml.g5.xlarge")
    assert name == quota_name(app_type, "ml.g5.xlarge")
    assert bucket_of_quota(name) == (app_type, "ml.g5.xlarge")


def test_codes_that_are_known_are_awss_own_and_the_others_follow_from_the_name() -> None:
    assert quota_code("Studio JupyterLab Apps running on ml.t3.medium instances") == "L-71FAF417"
    made_up = quota_code("Studio CodeEditor Apps running on ml.t3.medium instances")
    assert made_up == quota_code("Studio CodeEditor Apps running on ml.t3.medium instances")
    assert made_up.startswith("L-")
    assert len(made_up) == len("L-71FAF417")


@pytest.mark.parametrize("wording", list(Wording))
def test_every_wording_is_read_back(wording: Wording) -> None:
    name = bucket_quota_name("KernelGateway", "ml.m5.large")
    facts = parse_quota_message(limit_message(name, 1_200, 1_200, 1, wording))
    assert (facts.value, facts.used, facts.requested) == (1_200, 1_200, 1)


def test_values_hold_by_account_then_by_name_then_by_kind() -> None:
    limits = Quotas(apps_per_bucket=7, running_apps=8)
    limits.set("A", 1)
    limits.set("A", 2, "111122223333", "eu-west-1")
    assert limits.value("111122223333", "eu-west-1", "A") == 2
    assert limits.value("111122223333", "us-east-1", "A") == 1
    assert limits.value("111122223333", "us-east-1", "B") == 7
    assert limits.value("111122223333", "us-east-1", quotas.RUNNING_APPS) == 8


def test_a_value_for_all_takes_the_place_of_those_for_one() -> None:
    limits = Quotas()
    limits.set("A", 2, "111122223333", "eu-west-1")
    limits.set("A", 5)
    assert limits.value("111122223333", "eu-west-1", "A") == 5


def test_user_profiles_and_spaces_have_quotas_of_their_own() -> None:
    world = make_world()
    world.quotas.user_profiles = world.quotas.spaces = 1
    with pytest.raises(ServiceError, match="user profiles allowed per account' is 1 UserProfiles, with current utiliz"):
        call(world, "CreateUserProfile", DomainId="d-abc", UserProfileName="bob")
    with pytest.raises(ServiceError, match="Studio spaces allowed per account' is 1 Spaces, with current utilization"):
        call(world, "CreateSpace", DomainId="d-abc", SpaceName="more")


def test_pending_and_deleting_apps_fill_their_quota_and_deleted_ones_do_not() -> None:
    world = make_world()
    world.quotas.apps_per_bucket = 1
    create(world, "KernelGateway", user="alice", name="k1", instance_type="ml.t3.medium")

    def is_full() -> bool:
        try:
            create(world, "KernelGateway", user="alice", name="k2", instance_type="ml.t3.medium")
        except ServiceError as error:
            return error.code == "ResourceLimitExceeded"
        return False

    assert is_full()
    pass_time(world, 2.0)
    assert is_full()
    call(world, "DeleteApp", DomainId="d-abc", UserProfileName="alice", AppType="KernelGateway", AppName="k1")
    assert is_full()
    pass_time(world, 3.0)
    assert not is_full()
