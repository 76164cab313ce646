"""Blocks of the provider become structures of the API, by the names in the model of SageMaker."""

from __future__ import annotations

from typing import Any

import pytest

from engine.config.service.settings_check import legal_settings
from engine.config.service.terraform_settings import structure_of
from tests.terraform_states import SPACE_SETTINGS, USER_SETTINGS


@pytest.mark.parametrize(("block", "settings"), USER_SETTINGS)
def test_user_settings_as_the_provider_documents_them(block: dict[str, Any], settings: dict[str, Any]) -> None:
    """And all of it is what a fleet file takes."""
    assert structure_of([block], "UserSettings", "user_settings") == (settings, ())
    assert legal_settings(settings, "user") == (settings, ())


@pytest.mark.parametrize(("block", "settings"), SPACE_SETTINGS)
def test_space_settings_as_the_provider_documents_them(block: dict[str, Any], settings: dict[str, Any]) -> None:
    assert structure_of([block], "SpaceSettings", "space_settings") == (settings, ())


# Every name that the provider documents below user_settings, with a value of its kind.
SPEC = [
    {
        "instance_type": "ml.t3.medium",
        "lifecycle_config_arn": "x",
        "sagemaker_image_arn": "x",
        "sagemaker_image_version_alias": "x",
        "sagemaker_image_version_arn": "x",
    }
]
IMAGES = [{"app_image_config_name": "x", "image_name": "x", "image_version_number": 3}]
IDLE = {
    "idle_timeout_in_minutes": 60,
    "lifecycle_management": "ENABLED",
    "max_idle_timeout_in_minutes": 60,
    "min_idle_timeout_in_minutes": 60,
}
EVERYTHING = {
    "auto_mount_home_efs": "x",
    "canvas_app_settings": [
        {
            "direct_deploy_settings": [{"status": "x"}],
            "emr_serverless_settings": [{"execution_role_arn": "x", "status": "x"}],
            "generative_ai_settings": [{"amazon_bedrock_role_arn": "x"}],
            "identity_provider_oauth_settings": [{"data_source_name": "x", "secret_arn": "x", "status": "x"}],
            "kendra_settings": [{"status": "x"}],
            "model_register_settings": [{"cross_account_model_register_role_arn": "x", "status": "x"}],
            "time_series_forecasting_settings": [{"amazon_forecast_role_arn": "x", "status": "x"}],
            "workspace_settings": [{"s3_artifact_path": "x", "s3_kms_key_id": "x"}],
        }
    ],
    "code_editor_app_settings": [
        {
            "app_lifecycle_management": [{"idle_settings": [IDLE]}],
            "built_in_lifecycle_config_arn": "x",
            "custom_image": IMAGES,
            "default_resource_spec": SPEC,
            "lifecycle_config_arns": ["x"],
        }
    ],
    "custom_file_system_config": [{"efs_file_system_config": [{"file_system_id": "x", "file_system_path": "x"}]}],
    "custom_posix_user_config": [{"gid": 1, "uid": 1}],
    "default_landing_uri": "x",
    "execution_role": "x",
    "jupyter_lab_app_settings": [
        {
            "app_lifecycle_management": [{"idle_settings": [IDLE]}],
            "built_in_lifecycle_config_arn": "x",
            "code_repository": [{"repository_url": "x"}],
            "custom_image": IMAGES,
            "default_resource_spec": SPEC,
            "emr_settings": [{"assumable_role_arns": ["x"], "execution_role_arns": ["x"]}],
            "lifecycle_config_arns": ["x"],
        }
    ],
    "jupyter_server_app_settings": [
        {"code_repository": [{"repository_url": "x"}], "default_resource_spec": SPEC, "lifecycle_config_arns": ["x"]}
    ],
    "kernel_gateway_app_settings": [
        {"custom_image": IMAGES, "default_resource_spec": SPEC, "lifecycle_config_arns": ["x"]}
    ],
    "r_session_app_settings": [{"custom_image": IMAGES, "default_resource_spec": SPEC}],
    "r_studio_server_pro_app_settings": [{"access_status": "x", "user_group": "x"}],
    "security_groups": ["x"],
    "sharing_settings": [{"notebook_output_option": "x", "s3_kms_key_id": "x", "s3_output_path": "x"}],
    "space_storage_settings": [
        {"default_ebs_storage_settings": [{"default_ebs_volume_size_in_gb": 5, "maximum_ebs_volume_size_in_gb": 5}]}
    ],
    "studio_web_portal": "x",
    "studio_web_portal_settings": [
        {"hidden_app_types": ["x"], "hidden_instance_types": ["x"], "hidden_ml_tools": ["x"]}
    ],
    "tensor_board_app_settings": [{"default_resource_spec": SPEC}],
}


def test_every_name_that_the_provider_documents_has_its_place() -> None:
    made, unknown = structure_of([EVERYTHING], "UserSettings", "user_settings")

    assert unknown == ()
    assert len(made) == len(EVERYTHING)
    assert made["CanvasAppSettings"]["IdentityProviderOAuthSettings"] == [
        {"DataSourceName": "x", "SecretArn": "x", "Status": "x"}
    ]
    assert made["JupyterLabAppSettings"]["CustomImages"][0]["ImageVersionNumber"] == 3


@pytest.mark.parametrize("block", [None, [], [None], {}, [{}], [{"security_groups": [], "sharing_settings": [{}]}]])
def test_what_nobody_set_is_nothing(block: Any) -> None:
    """The provider writes a state with every name in it."""
    assert structure_of(block, "UserSettings", "user_settings") == ({}, ())


@pytest.mark.parametrize(
    ("block", "made", "unknown"),
    [
        ([{"new_thing": "x", "execution_role": "y"}], {"ExecutionRole": "y"}, ("user_settings.new_thing",)),
        ([{"sharing_settings": [{"new": 1}]}], {}, ("user_settings.sharing_settings.new",)),
        (
            [{"custom_file_system_config": [{"efs_file_system_config": [{"new": 1}]}, {}]}],
            {},
            ("user_settings.custom_file_system_config",),
        ),
        ([{"sharing_settings": "text"}], {}, ("user_settings.sharing_settings",)),
        ([{"execution_role": "y"}, {"execution_role": "z"}], {}, ("user_settings",)),
        ([{"security_groups": "text"}], {"SecurityGroups": "text"}, ()),
    ],
)
def test_what_has_no_place_in_the_api_is_named(block: Any, made: dict[str, Any], unknown: tuple[str, ...]) -> None:
    """A list with half an item is left out whole; the form of a value is checked later."""
    assert structure_of(block, "UserSettings", "user_settings") == (made, unknown)
