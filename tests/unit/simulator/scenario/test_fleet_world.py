"""The world that a fleet needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.config.fleet.fleet_file import load_fleet
from engine.core.desired import AppSpec, DesiredDomain, DesiredFleet, DesiredOwner, Source
from engine.core.errors import QuotaExceeded
from engine.core.identity import AppKey, Owner
from engine.ports.cloud import AppName
from engine.simulator.faces.memory_face import MemoryCloud
from engine.simulator.scenario.fleet_world import extend_for_fleet, world_for_fleet
from engine.simulator.scenario.scenario import load_scenario
from tests.fleets import an_app
from tests.unit.simulator.worlds import START

ROOT = Path(__file__).parents[4]
SOURCE = Source("fleet.toml", 1)


def a_fleet(*owners: DesiredOwner, account: str | None = "111122223333") -> DesiredFleet:
    domain = DesiredDomain("research", "d-abc", "eu-west-1", SOURCE, account=account)
    return DesiredFleet("ml", (domain,), (), owners, ())


def a_user(name: str, **more: object) -> DesiredOwner:
    return DesiredOwner(Owner("research", "user", name), SOURCE, **more)  # type: ignore[arg-type]


def a_space(name: str, **more: object) -> DesiredOwner:
    return DesiredOwner(Owner("research", "space", name), SOURCE, **more)  # type: ignore[arg-type]


def test_what_the_fleet_declares_is_there_and_in_service() -> None:
    role = "arn:aws:iam::111122223333:role/studio"
    world = world_for_fleet(
        a_fleet(
            a_space("alice-lab", owner_user="alice", sharing="Private", app_type="JupyterLab", ebs_gb=20),
            a_space("team", tags=(("team", "x"),)),
            a_user("alice", execution_role=role, tags=(("team", "x"),)),
        ),
        START,
    )
    domain = world.domains["d-abc"]
    space, team, alice = domain.spaces["alice-lab"], domain.spaces["team"], domain.profiles["alice"]
    assert (world.account, domain.account, domain.region, domain.name) == (
        "111122223333",
        "111122223333",
        "eu-west-1",
        "research",
    )
    assert (space.status, space.owner, space.app_type, space.ebs_gb) == ("InService", "alice", "JupyterLab", 20)
    assert (team.owner, team.sharing, team.tags) == ("", "", {"team": "x"})
    assert (alice.settings, alice.tags) == ({"ExecutionRole": role}, {"team": "x"})
    assert not world.apps


def test_what_the_fleet_declares_does_not_differ_from_what_the_world_has() -> None:
    place = {"AppLifecycleManagement": {"IdleSettings": {"LifecycleManagement": "ENABLED"}}}
    world = world_for_fleet(
        a_fleet(
            a_user("alice", sso_identity="alice@example.com", settings={"SecurityGroups": ["sg-1"]}),
            a_space(
                "alice-lab",
                owner_user="alice",
                sharing="Private",
                app_type="JupyterLab",
                ebs_gb=20,
                idle_minutes=60,
                settings={"JupyterLabAppSettings": place},
                default=AppSpec(instance_type="ml.t3.medium"),
            ),
        ),
        START,
    )
    domain = world.domains["d-abc"]
    assert domain.profiles["alice"].sso_value == "alice@example.com"
    assert domain.profiles["alice"].settings == {"SecurityGroups": ["sg-1"]}
    lab = domain.spaces["alice-lab"].settings["JupyterLabAppSettings"]
    assert lab["DefaultResourceSpec"] == {"InstanceType": "ml.t3.medium"}
    assert lab["AppLifecycleManagement"]["IdleSettings"] == {
        "LifecycleManagement": "ENABLED",
        "IdleTimeoutInMinutes": 60,
    }


def test_an_owner_of_a_space_that_is_not_declared_is_there_all_the_same() -> None:
    world = world_for_fleet(a_fleet(a_space("team", owner_user="zoe", sharing="Shared")), START)
    assert list(world.domains["d-abc"].profiles) == ["zoe"]


def test_a_fleet_without_an_account_has_a_made_up_one() -> None:
    assert world_for_fleet(a_fleet(account=None), START).domains["d-abc"].account == "000000000000"


def test_a_world_that_was_kept_gets_what_is_new_and_keeps_what_it_has() -> None:
    world = world_for_fleet(a_fleet(a_user("alice")), START)
    alice = world.domains["d-abc"].profiles["alice"]
    extend_for_fleet(world, a_fleet(a_user("ALICE"), a_user("bob"), a_space("s"), a_space("s")), START + 5)
    assert list(world.domains["d-abc"].profiles) == ["alice", "bob"]
    assert world.domains["d-abc"].profiles["alice"] is alice


def test_owners_of_a_domain_that_is_not_declared_are_left_out() -> None:
    stray = DesiredOwner(Owner("elsewhere", "user", "x"), SOURCE)
    assert world_for_fleet(a_fleet(stray), START).domains["d-abc"].profiles == {}


async def test_every_app_of_the_example_fleet_can_be_made_in_its_world_under_the_demos_conditions() -> None:
    fleet = load_fleet(ROOT / "fleet.toml").fleet
    world = world_for_fleet(fleet, START)
    assert load_scenario(ROOT / "scenarios" / "demo.toml").apply_to(world, START)
    now = [START]
    cloud = MemoryCloud(world, lambda: now[0], region="eu-west-1", check_requests=True)
    ids = {domain.name: domain.domain_id for domain in fleet.domains}
    refused: list[AppKey] = []
    for app in fleet.apps:
        key = app.key
        name = AppName(ids[key.domain], key.owner_kind, key.owner, key.app_type, key.app_name)
        now[0] += 0.17
        try:
            await cloud.create_app(name, app.spec, (*app.spec.tags, ("appfleet:fleet", fleet.name)))
        except QuotaExceeded:
            refused.append(key)
    assert len(fleet.apps) >= 50
    assert len(refused) == 2
    assert all(key.owner.endswith("-gpu") for key in refused)


def test_the_training_plans_that_apps_name_are_there_with_room_for_them() -> None:
    arn = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5"
    labs = [an_app(f"research/space/{who}-lab/JupyterLab/default", kind, training_plan_arn=arn) for who, kind in (
        ("alice", "ml.p5.48xlarge"), ("bob", "ml.p5.4xlarge"),
    )]  # fmt: skip
    elsewhere = an_app(
        "research/space/c-lab/JupyterLab/default", training_plan_arn=arn.replace("eu-west-1", "us-east-1")
    )
    fleet = replace(a_fleet(account=None), apps=(*labs, elsewhere, an_app("gone/space/d-lab/JupyterLab/default")))
    world = world_for_fleet(fleet, START)
    assert world.account == "111122223333", "that of the plan, where no domain says one"
    (plan,) = world.training_plans.values()
    assert (plan.arn, plan.instance_types, plan.available(0)) == (arn, ("ml.p5.48xlarge", "ml.p5.4xlarge"), 1_000)
    assert [plan.status(START + days * 86_400.0) for days in (0, 89, 91)] == ["Active", "Active", "Expired"]
    plan.total = 1
    extend_for_fleet(world, fleet, START)
    assert world.training_plans[arn].total == 1
