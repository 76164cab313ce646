"""A domain of 300 owners with settings, imported to a file, and made anew from that file by the next process."""

from __future__ import annotations

import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.desired import AppSpec
from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.service import app_operations, owner_operations
from engine.simulator.world.faults import FaultKind
from engine.simulator.world.records import app_id
from tests.e2e.harness import ACCOUNT, DOMAIN_ID, QUICK, Place, fault, people
from tests.e2e.test_owners_kept import OWNERS, QUICK_OWNERS, UPDATES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.core.identity import OwnerKind
    from engine.simulator.world.records import Domain
    from engine.simulator.world.world import World

OWNERS_OF_A_KIND = 150
ASKED = ("import", "--domain-id", DOMAIN_ID, "--region", "eu-west-1", "--read-rate", "1000")
ARN = f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}"
ROLES = [f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("scientist", "engineer", "guest")]
T3, G5 = "ml.t3.medium", "ml.g5.xlarge"


def user_settings(number: int) -> dict[str, Any]:
    """Return UserSettings, of every seventh profile none."""
    if number % 7 == 0:
        return {}
    settings: dict[str, Any] = {"ExecutionRole": ROLES[number % 3]}
    if number % 2:
        settings["SecurityGroups"] = [f"sg-{number % 4}", "sg-shared"]
    if number % 5 == 0:
        settings["JupyterLabAppSettings"] = {
            "DefaultResourceSpec": {"InstanceType": G5},
            "CustomImages": [{"ImageName": "ds", "AppImageConfigName": "ds"}],
        }
    if number == 10:
        settings["SharingSettings"] = {"S3OutputPath": "s3://a/\u202e"}  # a fleet file does not hold what hides text
    return settings


def space_settings(number: int, app_type: str, spec: AppSpec) -> dict[str, Any]:
    """Return SpaceSettings: sizes, idle times, and defaults that are the app's own, another, or more than that."""
    part: dict[str, Any] = {}
    if number % 3:
        part["DefaultResourceSpec"] = {"InstanceType": spec.instance_type if number % 3 == 1 else "ml.m5.large"}
    if number % 11 == 0:
        part.setdefault("DefaultResourceSpec", {})["LifecycleConfigArn"] = f"{ARN}:studio-lifecycle-config/setup"
    if number % 4:
        part["AppLifecycleManagement"] = {"IdleSettings": {"IdleTimeoutInMinutes": 60 * (number % 4)}}
    settings = owner_operations.space_settings(app_type, (5, 20, 50)[number % 10 % 3])
    if part:
        settings[f"{app_type}AppSettings"] = part
    if number % 13 == 0:
        settings["CustomFileSystems"] = [{"EFSFileSystem": {"FileSystemId": "fs-0123456789abcdef0"}}]
    return settings


def fill(world: World, count: int = OWNERS_OF_A_KIND) -> None:
    """Put as many profiles and as many spaces with an app in each into the world, as if by hand."""
    domain = world.domains[DOMAIN_ID]
    for number, name in enumerate(people(count)):
        identity = f"{name}@example.com" if number else "first.of.all@example.com"
        sso = ("UserName", identity)
        owner_operations.create_profile(world, domain, name, settings=user_settings(number), sso=sso, at_once=True)
        put_app(world, domain, "user", name, "Canvas", AppSpec())
        app_type = "CodeEditor" if number % 6 == 0 else "JupyterLab"
        spec = AppSpec(instance_type=G5 if number % 5 == 0 else T3)
        space, sharing = (f"pool-{number}", "Shared") if number % 9 == 0 else (f"{name}-lab", "Private")
        settings = space_settings(number, app_type, spec)
        owner_operations.create_space(
            world, domain, space, owner=name, sharing=sharing, settings=settings, at_once=True
        )
        put_app(world, domain, "space", space, app_type, spec)


def put_app(world: World, domain: Domain, kind: OwnerKind, owner: str, app_type: str, spec: AppSpec) -> None:
    key = app_id(DOMAIN_ID, kind, owner, app_type, "default")
    app_operations.place_app(world, domain, key, owner, spec, {}, "InService")


@contextmanager
def domain_in(folder: Path) -> Iterator[Place]:
    """Yield a folder with a policy and no fleet, and an empty domain of AuthMode SSO."""
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "execution.toml").write_text(OWNERS)
    place = Place(folder)
    owner_operations.add_domain(place.world, DOMAIN_ID, "eu-west-1", ACCOUNT, name="research", auth_mode="SSO")
    place.scenario(QUICK_OWNERS)
    with SimulatorThread(place.world) as simulator:
        place.simulator, place.url = simulator, simulator.url
        yield place


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Place]:
    with domain_in(tmp_path / "live") as place:
        place.within(fill)
        yield place


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Place]:
    with domain_in(tmp_path / "small") as place:
        place.within(lambda world: fill(world, 5))
        yield place


def imported(place: Place, name: str = "fleet.toml") -> str:
    """Import, and return the file without the lines that say when."""
    ran = place.run(*ASKED, "--out", name)
    assert ran.code == 0, ran.err
    return (place.folder / name).read_text().split("\n\n", 1)[1]


def settings_of(place: Place) -> dict[str, Any]:
    """Return what the world holds of each owner, without the default that follows from the app of a space."""

    def look(world: World) -> dict[str, Any]:
        domain = world.domains[DOMAIN_ID]
        found: dict[str, Any] = {one.name: (one.settings, one.sso_value) for one in domain.profiles.values()}
        for space in domain.spaces.values():
            settings = {member: dict(value) for member, value in space.settings.items() if isinstance(value, dict)}
            for part in ("JupyterLabAppSettings", "CodeEditorAppSettings"):
                settings.get(part, {}).pop("DefaultResourceSpec", None)
            settings.pop("SpaceStorageSettings", None)
            kept = {member: value for member, value in settings.items() if value}
            systems = space.settings.get("CustomFileSystems")
            found[space.name] = (kept, systems, space.owner, space.sharing, space.app_type, space.ebs_gb)
        return found

    return place.within(look)


def test_a_domain_of_300_owners_is_made_anew_from_its_imported_file(live: Place, tmp_path: Path) -> None:
    """A second import of what was made gives the same file, byte for byte, and no owner differs on either side."""
    ran = live.run(*ASKED, "--out", "first.toml")
    assert ran.code == 0, ran.err
    assert "settings of" in ran.err
    assert "settings.SharingSettings.S3OutputPath has a form that a fleet file does not allow" in ran.err
    assert "user/u010" in ran.err
    calls = {name: sum(kinds.values()) for name, kinds in live.calls().items()}
    assert (calls["DescribeUserProfile"], calls["DescribeSpace"]) == (OWNERS_OF_A_KIND, OWNERS_OF_A_KIND)
    assert live.only_looked()
    text = imported(live)
    assert text == (live.folder / "first.toml").read_text().split("\n\n", 1)[1]

    planned = live.run("plan", "--owners", "--detailed-exitcode", "--format", "json")
    assert planned.code == 0, planned.err
    assert planned.report["owners"] == []

    with domain_in(tmp_path / "fresh") as fresh:
        (fresh.folder / "fleet.toml").write_text(text)
        applied = fresh.apply()
        assert applied.code == 0, applied.err
        assert set(applied.outcomes().values()) == {"created"}
        assert imported(fresh, "again.toml") == text
        (fresh.folder / "policies" / "execution.toml").write_text(UPDATES)
        assert fresh.run("plan", "--owners", "--format", "json").report["owners"] == []
        made, wanted = settings_of(fresh), settings_of(live)
    del wanted["u010"][0]["SharingSettings"]
    assert made == wanted


def test_without_settings_no_owner_is_asked_and_none_is_declared(small: Place) -> None:
    ran = small.run(*ASKED, "--no-settings", "--out", "fleet.toml")

    assert ran.code == 0, ran.err
    assert not any(name.startswith("Describe") for name in small.calls())
    assert "execution_role" not in (small.folder / "fleet.toml").read_text()
    assert "settings of" not in ran.err


def test_what_may_not_be_described_is_a_failed_run_and_no_file(small: Place) -> None:
    """A file of half the settings would make half a domain."""
    small.scenario(
        QUICK + fault(FaultKind.ERROR, "DescribeSpace", code="AccessDeniedException", message="no", status=400)
    )
    ran = small.run(*ASKED, "--out", "fleet.toml")

    assert ran.code == 1
    assert "DescribeSpace" in ran.err
    assert "--no-settings" in ran.err
    assert not (small.folder / "fleet.toml").exists()


@pytest.mark.parametrize("status", ["Update_Failed", "Delete_Failed", "Updating", "Pending", "Failed", "Deleting"])
def test_a_profile_or_space_in_any_status_keeps_nobody_from_an_import(small: Place, status: str) -> None:
    """A file says what is declared, and never in which status it was: an update that failed is no difference."""

    def let(world: World) -> None:
        domain = world.domains[DOMAIN_ID]
        for owner in (domain.profiles["u001"], domain.spaces["u002-lab"]):
            owner.status = status

    small.within(let)
    text = imported(small)

    written = tomllib.loads(text)["domains"]["main"]
    assert written["account"] == ACCOUNT
    assert "u001" in text


def test_profiles_and_spaces_without_an_app_are_in_the_file_where_they_have_settings(tmp_path: Path) -> None:
    """They are made when an app needs them: until then apply lets them be, and no plan speaks of them."""

    def fill_bare(world: World) -> None:
        domain = world.domains[DOMAIN_ID]
        for name in ("alice", "bob"):
            settings = {"ExecutionRole": ROLES[0]} if name == "alice" else {}
            owner_operations.create_profile(world, domain, name, settings=settings, at_once=True)
        for space, size in (("alice-lab", 50), ("alice-spare", 5)):
            settings = owner_operations.space_settings("JupyterLab", size)
            owner_operations.create_space(
                world, domain, space, owner="alice", sharing="Private", settings=settings, at_once=True
            )

    with domain_in(tmp_path / "bare") as place:
        place.within(fill_bare)
        ran = place.run(*ASKED, "--out", "fleet.toml")
        assert "Not in the file: 2 user profiles and spaces without an app or a setting" in ran.err
        written = tomllib.loads((place.folder / "fleet.toml").read_text())["domains"]["main"]
        assert written["users"] == {"alice": {"execution_role": ROLES[0]}}
        assert written["spaces"] == {"alice-lab": {"owner": "alice", "ebs_gb": 50}}
        assert place.run("plan", "--owners", "--detailed-exitcode").code == 0
