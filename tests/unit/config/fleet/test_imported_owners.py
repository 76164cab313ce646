"""What the file of a live domain says of profiles and spaces themselves, and what of them it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.config.fleet.imported import Imported, import_fleet
from engine.config.fleet.imported_rows import Found
from engine.core.desired import AppSpec
from engine.core.identity import SPACE, USER, Owner, parse_app_key
from engine.core.observed import AppStatus, ObservedApp, ObservedOwner

if TYPE_CHECKING:
    from collections.abc import Sequence

ROLE = "arn:aws:iam::111122223333:role/scientist"
T3 = AppSpec(instance_type="ml.t3.medium")
LAB = "jupyterlab-ml-t3-medium"


def profile(
    name: str, settings: dict[str, Any] | None = None, sso: str = "", status: str = "InService"
) -> ObservedOwner:
    return ObservedOwner(Owner("main", USER, name), status, 1.0, settings=settings or {}, sso_identity=sso)


def space(name: str, owner: str, settings: dict[str, Any] | None = None, status: str = "InService") -> ObservedOwner:
    return ObservedOwner(Owner("main", SPACE, name), status, 1.0, owner, "Private", settings=settings or {})


def sized(ebs_gb: int) -> dict[str, Any]:
    return {"AppType": "JupyterLab", "SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": ebs_gb}}}


def imported(owners: Sequence[ObservedOwner], labs: Sequence[str] = (), canvas: Sequence[str] = ()) -> Imported:
    keys = [f"main/space/{name}/JupyterLab/default" for name in labs] + [
        f"main/user/{name}/Canvas/default" for name in canvas
    ]
    apps = [
        ObservedApp(parse_app_key(key), AppStatus.IN_SERVICE, 1.0, T3 if "Jupyter" in key else AppSpec())
        for key in keys
    ]
    users = {row.owner.name: row for row in owners if row.owner.kind == USER}
    spaces = {row.owner.name: row for row in owners if row.owner.kind == SPACE}
    rows = {app.key: app for app in apps}
    return import_fleet(
        "fleet", [Found("main", "d-abcd1234efgh", "eu-west-1", "1" * 12, rows, tuple(users), spaces, users)]
    )


def domain_of(result: Imported) -> dict[str, Any]:
    domain: dict[str, Any] = result.document["domains"]["main"]
    return domain


def test_spaces_that_are_set_alike_are_one_space_of_a_team_and_profiles_have_tables_beside_it() -> None:
    names = ("alice", "bob", "carol")
    owners = [*(profile(name, {"ExecutionRole": ROLE}) for name in names[:2]), profile("carol")]
    owners += [space(f"{name}-lab", name, sized(20)) for name in names]
    result = imported(owners, labs=[f"{name}-lab" for name in names])

    assert domain_of(result)["teams"] == {
        "team-1": {"members": list(names), "spaces": {"{member}-lab": {"ebs_gb": 20, "apps": [LAB]}}}
    }
    assert domain_of(result)["users"] == {"alice": {"execution_role": ROLE}, "bob": {"execution_role": ROLE}}
    assert result.set_owners == 5


def test_a_space_that_is_set_otherwise_is_not_the_teams() -> None:
    owners = [profile(name) for name in ("alice", "bob", "carol")]
    owners += [space("alice-lab", "alice", sized(5)), space("bob-lab", "bob", sized(5))]
    owners += [space("carol-lab", "carol", sized(50))]
    domain = domain_of(imported(owners, labs=["alice-lab", "bob-lab", "carol-lab"]))

    assert domain["teams"]["team-1"] == {"members": ["alice", "bob"], "spaces": {"{member}-lab": {"apps": [LAB]}}}
    assert domain["spaces"] == {"carol-lab": {"owner": "carol", "ebs_gb": 50, "apps": [LAB]}}


def test_one_pattern_of_identities_is_said_once_for_the_domain() -> None:
    owners = [profile(name, sso=f"{name}@example.com") for name in ("m", "bob")]
    result = imported(owners, canvas=["m"])

    assert domain_of(result)["sso_identity"] == "{member}@example.com"
    assert domain_of(result)["users"] == {"bob": {}, "m": {"apps": ["canvas"]}}


@pytest.mark.parametrize("other", ["bob@elsewhere.com", "", "alice@example.com"])
def test_identities_without_one_pattern_are_said_of_each(other: str) -> None:
    result = imported([profile("alice", sso="alice@example.com"), profile("bob", sso=other)], canvas=["alice", "bob"])

    assert "sso_identity" not in domain_of(result)
    assert domain_of(result)["users"]["alice"]["sso_identity"] == "alice@example.com"
    assert domain_of(result)["users"].get("bob", {}).get("sso_identity", "") == other


def test_owners_without_an_app_are_in_the_file_where_they_have_a_setting() -> None:
    owners = [profile("alice", {"ExecutionRole": ROLE}), profile("bob"), profile("carol")]
    owners += [space("alice-lab", "alice", sized(5)), space("bob-lab", "bob", sized(20))]
    result = imported(owners)

    assert domain_of(result)["users"] == {"alice": {"execution_role": ROLE}, "bob": {}}
    assert domain_of(result)["spaces"] == {"bob-lab": {"owner": "bob", "ebs_gb": 20}}
    assert result.bare_owners == 2


@pytest.mark.parametrize(
    ("owners", "why", "names"),
    [
        ([profile("a", {"ExecutionRole": ROLE}, status="Failed")], "it is Failed", ["user/a"]),
        ([profile("a b", {"ExecutionRole": ROLE})], "a fleet file does not allow the name", ["user/a b"]),
        ([profile("a", {"ExecutionRole": ROLE}), profile("A")], "differ only in case", ["user/a"]),
        ([profile("a"), profile("A"), space("s", "a", sized(20))], "differ only in case", ["space/s"]),
        ([space("s", "", sized(20))], "it has no owner", ["space/s"]),
        ([profile("a", {"ExecutionRole": "odd"})], "execution_role has a form", ["user/a"]),
        ([profile("a", sso="{member}@x")], "sso_identity has a form", ["user/a"]),
        ([profile("a"), space("s", "a", sized(3))], "ebs_gb has a form", ["space/s"]),
        ([profile("a", {"StudioWebPortal": "new"})], "settings.StudioWebPortal has a form", ["user/a"]),
        ([profile("a", {"SecurityGroups": ["sg-1", 7]})], "settings.SecurityGroups has a form", ["user/a"]),
        ([profile("a", {"CustomPosixUserConfig": {"Uid": 10001}})], "settings.CustomPosixUserConfig has", ["user/a"]),
        ([profile("a", {"Unheard": {"Of": 1}})], "settings.Unheard has a form", ["user/a"]),
    ],
)
def test_what_a_fleet_file_cannot_say_of_an_owner_is_left_out_and_named(
    owners: list[ObservedOwner], why: str, names: list[str]
) -> None:
    result = imported(owners)

    ((told, whose),) = result.owners_left_out.items()
    assert why in told
    assert list(whose) == names
    assert set(domain_of(result)) == {"id", "region", "account"}


def test_what_is_legal_beside_what_is_not_stays() -> None:
    settings = {"SharingSettings": {"S3OutputPath": "s3://a/\u202e", "NotebookOutputOption": "Allowed"}}
    result = imported([profile("a", settings)], canvas=["a"])

    assert domain_of(result)["users"]["a"]["settings"] == {"SharingSettings": {"NotebookOutputOption": "Allowed"}}
    assert list(result.owners_left_out) == [
        "settings.SharingSettings.S3OutputPath has a form that a fleet file does not allow, so it is not declared"
    ]


def test_an_app_in_a_space_of_another_type_is_left_out() -> None:
    """A fleet that declares it would be told that the space is for something else."""
    odd = ObservedOwner(Owner("main", SPACE, "s"), "InService", 1.0, "a", "Private", "CodeEditor", settings={})

    assert list(imported([profile("a"), odd], labs=["s"]).left_out) == ["its space is a space for another app type"]


def test_the_order_of_the_services_members_changes_nothing() -> None:
    one = {"SecurityGroups": ["sg-1"], "SharingSettings": {"NotebookOutputOption": "Allowed", "S3OutputPath": "s3://a"}}
    other = {name: dict(reversed(value.items())) if isinstance(value, dict) else value for name, value in one.items()}
    other = dict(reversed(other.items()))

    assert repr(imported([profile("a", one)]).document) == repr(imported([profile("a", other)]).document)
