"""Declared settings of profiles and spaces beside what the service reports: what differs, and what an update sends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.core.desired import AppSpec, DesiredOwner
from engine.core.identity import SPACE, USER, Owner
from engine.core.observed import ObservedOwner
from engine.core.owner_settings import (
    as_declared,
    declared_settings,
    default_alone,
    differences,
    needs_describing,
    path_of,
    settings_to_send,
    value_at,
)
from tests.fleets import SOURCE

ALICE, LAB = Owner("research", USER, "alice"), Owner("research", SPACE, "alice-lab")
ROLE, OTHER_ROLE = "arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b"
IDLE = {"JupyterLabAppSettings": {"AppLifecycleManagement": {"IdleSettings": {"IdleTimeoutInMinutes": 60}}}}


def profile(**more: Any) -> DesiredOwner:
    return DesiredOwner(ALICE, SOURCE, **more)


def space(**more: Any) -> DesiredOwner:
    return DesiredOwner(LAB, SOURCE, **{"owner_user": "alice", "sharing": "Private", "app_type": "JupyterLab", **more})


def seen(owner: Owner, settings: dict[str, Any] | None = None, **more: Any) -> ObservedOwner:
    return ObservedOwner(owner, "InService", 1_000.0, settings=settings, **more)


def told(declared: DesiredOwner, row: ObservedOwner) -> list[tuple[str, Any, Any]]:
    return [tuple(one) for one in differences(declared, row)]


def test_keys_of_the_file_win_over_settings_and_settings_over_the_default_of_the_app() -> None:
    default = AppSpec(instance_type="ml.t3.medium", lifecycle_config_arn="arn:lcc", training_plan_arn="arn:plan")
    own = {"JupyterLabAppSettings": {"DefaultResourceSpec": {"InstanceType": "ml.m5.large"}}}
    declared = declared_settings(space(default=default, settings=own, idle_minutes=60, ebs_gb=10))
    assert declared["JupyterLabAppSettings"]["DefaultResourceSpec"] == {
        "InstanceType": "ml.m5.large",
        "LifecycleConfigArn": "arn:lcc",
        "TrainingPlanArn": "arn:plan",
    }
    assert declared["SpaceStorageSettings"] == {"EbsStorageSettings": {"EbsVolumeSizeInGb": 10}}
    assert declared["AppType"] == "JupyterLab"
    assert declared_settings(profile(settings={"ExecutionRole": OTHER_ROLE}, execution_role=ROLE)) == {
        "ExecutionRole": ROLE
    }
    assert declared_settings(space(app_type=None, idle_minutes=60, default=default)) == {}


def test_what_nobody_declares_is_never_drift() -> None:
    filled = {
        "SpaceManagedResources": "DISABLED",
        "AppType": "JupyterLab",
        "JupyterLabAppSettings": {
            "DefaultResourceSpec": {"SageMakerImageArn": "arn:x"},
            **IDLE["JupyterLabAppSettings"],
        },
    }
    assert told(space(idle_minutes=60), seen(LAB, filled)) == []
    assert told(profile(), seen(ALICE, {"ExecutionRole": ROLE}, sso_identity="alice@x")) == []
    assert told(space(idle_minutes=60), seen(LAB)) == [], "a listing does not show it"


def test_each_field_is_called_by_its_key_in_the_file() -> None:
    default = AppSpec(instance_type="ml.g5.xlarge", image_version_alias="1.2")
    declared = space(
        idle_minutes=120,
        ebs_gb=100,
        default=default,
        sharing="Shared",
        settings={
            "SpaceManagedResources": "ENABLED",
            "CustomFileSystems": [{"EFSFileSystem": {"FileSystemId": "fs-2"}}],
        },
    )
    row = seen(
        LAB,
        {
            **IDLE,
            "SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 5}},
            "CustomFileSystems": [{"EFSFileSystem": {"FileSystemId": "fs-1"}}],
        },
        sharing="Private",
        ebs_gb=5,
    )
    assert told(declared, row) == [
        ("default.image_version_alias", "1.2", None),
        ("default.instance_type", "ml.g5.xlarge", None),
        ("ebs_gb", 100, 5),
        ("idle_minutes", 120, 60),
        (
            "settings.CustomFileSystems",
            [{"EFSFileSystem": {"FileSystemId": "fs-2"}}],
            [{"EFSFileSystem": {"FileSystemId": "fs-1"}}],
        ),
        ("settings.SpaceManagedResources", "ENABLED", None),
        ("sharing", "Shared", "Private"),
    ]
    assert told(
        profile(execution_role=ROLE, sso_identity="a@x"), seen(ALICE, {"ExecutionRole": OTHER_ROLE}, sso_identity="b@x")
    ) == [
        ("execution_role", ROLE, OTHER_ROLE),
        ("sso_identity", "a@x", "b@x"),
    ]


def test_a_guessed_identity_is_not_compared() -> None:
    assert told(profile(sso_identity="a@x", sso_is_guessed=True), seen(ALICE, {}, sso_identity="b@x")) == []
    assert told(profile(sso_identity="a@x"), seen(ALICE, {})) == [("sso_identity", "a@x", None)], (
        "as in a domain of IAM"
    )
    assert told(profile(sso_identity="a@x"), seen(ALICE)) == [], "a listing does not show it"


@pytest.mark.parametrize(
    ("wanted", "there", "same"),
    [
        (["sg-1", "sg-2"], ["sg-2", "sg-1"], True),
        (["sg-1"], ["sg-1", "sg-2"], False),
        ([], None, True),
        ([], ["sg-1"], False),
        ([{"A": 1}], [{"A": 1, "B": 2}], True),
        ("None", None, True),
        ("None", "arn:lcc", False),
    ],
)
def test_lists_and_cleared_values_are_compared_as_the_service_means_them(wanted: Any, there: Any, same: bool) -> None:
    declared = profile(settings={"X": wanted})
    row = seen(ALICE, {} if there is None else {"X": there})
    assert (told(declared, row) == []) is same


def test_an_update_sends_each_member_that_differs_whole_and_nothing_else() -> None:
    there = {
        "JupyterLabAppSettings": {
            "DefaultResourceSpec": {"InstanceType": "ml.t3.medium", "SageMakerImageArn": "arn:image"},
            "CodeRepositories": [{"RepositoryUrl": "https://x"}],
        },
        "SpaceManagedResources": "ENABLED",
        "SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 5}},
    }
    declared = space(
        default=AppSpec(instance_type="ml.m5.large"), settings={"SpaceManagedResources": "ENABLED"}, ebs_gb=5
    )
    assert settings_to_send(declared, seen(LAB, there, ebs_gb=5)) == {
        "JupyterLabAppSettings": {
            "DefaultResourceSpec": {"InstanceType": "ml.m5.large", "SageMakerImageArn": "arn:image"},
            "CodeRepositories": [{"RepositoryUrl": "https://x"}],
        }
    }
    role = settings_to_send(
        profile(execution_role=ROLE), seen(ALICE, {"ExecutionRole": OTHER_ROLE, "SecurityGroups": []})
    )
    assert role == {"ExecutionRole": ROLE}


def test_a_volume_never_shrinks() -> None:
    volume = {"SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 100}}}
    declared, row = space(ebs_gb=50, idle_minutes=60), seen(LAB, volume, ebs_gb=100)
    smaller, idle = differences(declared, row)
    assert (smaller.can_be_updated, idle.can_be_updated) == (False, True)
    assert set(settings_to_send(declared, row)) == {"JupyterLabAppSettings"}
    (bigger,) = differences(replace(declared, ebs_gb=200, idle_minutes=None), row)
    assert bigger.can_be_updated
    assert settings_to_send(replace(declared, ebs_gb=200, idle_minutes=None), row) == {
        "SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 200}}
    }


def test_a_listing_shows_the_size_of_a_volume_and_no_other_setting() -> None:
    assert told(space(ebs_gb=10, idle_minutes=60), seen(LAB, ebs_gb=5)) == [("ebs_gb", 10, 5)]
    assert told(space(ebs_gb=10), seen(LAB)) == []
    assert [needs_describing(one) for one in (space(), space(ebs_gb=10), space(idle_minutes=60), profile())] == [
        False,
        False,
        True,
        False,
    ]
    assert needs_describing(profile(execution_role=ROLE))
    assert needs_describing(profile(sso_identity="a@x"))


def test_no_call_changes_who_shares_a_space_or_how_a_person_signs_in() -> None:
    found = differences(space(sharing="Shared"), seen(LAB, {}, sharing="Private"))
    assert [one.can_be_updated for one in found] == [False]
    assert found[0].to_json() == {"field": "sharing", "declared": "Shared", "observed": "Private"}


def test_what_was_observed_is_declared_by_keys_where_the_file_has_them_and_without_what_appfleet_sends_itself() -> None:
    default = AppSpec(instance_type="ml.t3.medium", lifecycle_config_arn="arn:lcc")
    resource = {"InstanceType": "ml.t3.medium", "LifecycleConfigArn": "arn:other", "SageMakerImageArn": "arn:image"}
    part = {"DefaultResourceSpec": resource, **IDLE["JupyterLabAppSettings"], "CodeRepositories": []}
    storage = {"EbsStorageSettings": {"EbsVolumeSizeInGb": 20}}
    row = seen(
        LAB,
        {
            "AppType": "JupyterLab",
            "JupyterLabAppSettings": part,
            "SpaceStorageSettings": storage,
            "RemoteAccess": None,
            "KernelGatewayAppSettings": {"DefaultResourceSpec": {}},
        },
    )

    keys, rest = as_declared(row, "JupyterLab", default)

    assert keys == {"ebs_gb": 20, "idle_minutes": 60}
    assert rest == {
        "JupyterLabAppSettings": {
            "DefaultResourceSpec": {"LifecycleConfigArn": "arn:other", "SageMakerImageArn": "arn:image"},
            "CodeRepositories": [],
        }
    }
    assert told(space(settings=rest, default=default, **keys), row) == []
    same = {"JupyterLabAppSettings": {"DefaultResourceSpec": {"InstanceType": "ml.t3.medium"}}}
    assert as_declared(seen(LAB, same), "JupyterLab", default) == ({}, {})
    assert as_declared(seen(LAB, same), None, AppSpec()) == ({}, same)


def test_what_was_observed_of_a_profile_is_declared_by_keys_and_settings() -> None:
    row = seen(ALICE, {"ExecutionRole": ROLE, "SecurityGroups": ["sg-1"]}, sso_identity="alice@x")
    assert as_declared(row, None, AppSpec()) == (
        {"sso_identity": "alice@x", "execution_role": ROLE},
        {"SecurityGroups": ["sg-1"]},
    )
    assert as_declared(seen(ALICE), None, AppSpec()) == ({}, {})


@pytest.mark.parametrize(
    "settings",
    [
        {**IDLE, "CodeEditorAppSettings": IDLE["JupyterLabAppSettings"]},
        {"SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 20}, "Other": {"Size": 1}}},
    ],
)
def test_what_a_key_would_say_stays_in_settings_where_these_say_more_of_it(settings: dict[str, Any]) -> None:
    """The fleet file refuses a key beside settings that speak of the same."""
    assert as_declared(seen(LAB, settings), "JupyterLab", AppSpec()) == ({}, settings)


@pytest.mark.parametrize(
    ("field", "app_type", "path"),
    [
        ("execution_role", "", ("ExecutionRole",)),
        ("ebs_gb", "JupyterLab", ("SpaceStorageSettings", "EbsStorageSettings", "EbsVolumeSizeInGb")),
        ("idle_minutes", "Canvas", None),
        ("default.image_arn", "CodeEditor", ("CodeEditorAppSettings", "DefaultResourceSpec", "SageMakerImageArn")),
        ("default.colour", "CodeEditor", None),
        ("default.image_arn", "", None),
        ("settings.A.B", "", ("A", "B")),
        ("settings.", "", ("",)),
        ("sharing", "JupyterLab", None),
    ],
)
def test_a_field_has_its_place_in_the_settings(field: str, app_type: str, path: tuple[str, ...] | None) -> None:
    assert path_of(field, app_type) == path


def test_the_place_of_a_field_is_where_a_difference_found_it() -> None:
    declared = space(default=AppSpec(image_arn="arn:image"), idle_minutes=60, ebs_gb=10, settings={"A": {"B": 1}})
    found = differences(declared, seen(LAB, {}))
    settings = declared_settings(declared)
    assert len(found) == 4
    assert all(value_at(settings, path_of(one.field, "JupyterLab") or ()) == one.declared for one in found)


def test_nothing_is_set_below_what_is_not_a_table() -> None:
    assert value_at({"A": 1}, ("A", "B")) is None


def test_an_update_that_failed_is_sent_again_whole_but_for_a_volume_that_would_shrink() -> None:
    volume = {"SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 100}}}
    row = replace(seen(LAB, {**volume, **IDLE}, ebs_gb=100), status="Update_Failed")
    declared = space(ebs_gb=50, idle_minutes=60)
    assert [one.field for one in differences(declared, row) if one.can_be_updated] == ["status"]
    assert settings_to_send(declared, row) == IDLE
    assert settings_to_send(replace(declared, ebs_gb=100), row) == {**volume, **IDLE}


@pytest.mark.parametrize(
    ("app_type", "settings", "kept"),
    [
        ("JupyterLab", {}, {}),
        ("JupyterLab", {"JupyterLabAppSettings": {"DefaultResourceSpec": {"InstanceType": "ml.g5.xlarge"}}}, None),
        ("JupyterLab", {"CodeEditorAppSettings": {"DefaultResourceSpec": {"InstanceType": "ml.g5.xlarge"}}}, {}),
        (None, {"JupyterLabAppSettings": {"DefaultResourceSpec": {"InstanceType": "ml.g5.xlarge"}}}, {}),
    ],
)
def test_of_a_space_whose_default_alone_follows_its_app_nothing_else_is_declared(
    app_type: str | None, settings: dict[str, Any], kept: dict[str, Any] | None
) -> None:
    """A default that the file itself sets stays in `settings`; all else is left as it is until a policy updates it."""
    default = AppSpec(instance_type="ml.t3.medium")
    more = {"SpaceManagedResources": "ENABLED", **settings}
    alone = default_alone(space(app_type=app_type, default=default, settings=more, idle_minutes=60, ebs_gb=20))
    assert alone.settings == (settings if kept is None else kept)
    assert (alone.default, alone.owner_user, alone.app_type) == (default, "alice", app_type)
    assert (alone.idle_minutes, alone.ebs_gb, alone.sharing) == (None, None, "")


def test_a_default_alone_differs_in_nothing_but_the_default() -> None:
    row = seen(LAB, IDLE, sharing="Shared", ebs_gb=5)
    declared = space(default=AppSpec(instance_type="ml.t3.medium"), idle_minutes=120, ebs_gb=20)
    assert len(differences(declared, row)) == 4
    assert told(default_alone(declared), row) == [("default.instance_type", "ml.t3.medium", None)]
