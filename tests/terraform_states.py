"""States of Terraform as `terraform show -json` prints them, and worlds of the simulator that hold the same.

Each pair below is written twice by hand: as the blocks that the provider documents, with the empty values that it
writes for what nobody set, and as the structures of SageMaker's API.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engine.core.desired import AppSpec
from engine.simulator.service.app_operations import place_app
from engine.simulator.service.owner_operations import add_domain, create_profile, create_space
from engine.simulator.world.records import app_id
from engine.simulator.world.world import World

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "111122223333"
REGION = "eu-west-1"
DOMAIN_ID = "d-abcd1234efgh"
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/scientist"
SETUP = f"{ARN}:studio-lifecycle-config/setup"
IMAGE = f"{ARN}:image/science"
TAGS = {"managed-by": "terraform", "cost-center": "4711"}
PEOPLE = 15

# Each: blocks of the provider, structure of the API.
USER_SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {
            "execution_role": ROLE,
            "security_groups": ["sg-1", "sg-2"],
            "studio_web_portal": "",
            "jupyter_lab_app_settings": [
                {
                    "built_in_lifecycle_config_arn": "",
                    "lifecycle_config_arns": [SETUP],
                    "custom_image": [
                        {"app_image_config_name": "science", "image_name": "science", "image_version_number": 0}
                    ],
                    "code_repository": [{"repository_url": "https://git.example.com/a.git"}],
                    "default_resource_spec": [
                        {"instance_type": "ml.t3.medium", "sagemaker_image_arn": "", "lifecycle_config_arn": SETUP}
                    ],
                    "app_lifecycle_management": [],
                }
            ],
            "canvas_app_settings": [{"kendra_settings": [{"status": "ENABLED"}], "workspace_settings": []}],
            "custom_file_system_config": [
                {"efs_file_system_config": [{"file_system_id": "fs-0123456789abcdef0", "file_system_path": "/"}]}
            ],
            "custom_posix_user_config": [{"uid": 10001, "gid": 1001}],
        },
        {
            "ExecutionRole": ROLE,
            "SecurityGroups": ["sg-1", "sg-2"],
            "JupyterLabAppSettings": {
                "LifecycleConfigArns": [SETUP],
                "CustomImages": [{"AppImageConfigName": "science", "ImageName": "science"}],
                "CodeRepositories": [{"RepositoryUrl": "https://git.example.com/a.git"}],
                "DefaultResourceSpec": {"InstanceType": "ml.t3.medium", "LifecycleConfigArn": SETUP},
            },
            "CanvasAppSettings": {"KendraSettings": {"Status": "ENABLED"}},
            "CustomFileSystemConfigs": [
                {"EFSFileSystemConfig": {"FileSystemId": "fs-0123456789abcdef0", "FileSystemPath": "/"}}
            ],
            "CustomPosixUserConfig": {"Uid": 10001, "Gid": 1001},
        },
    ),
    (
        {
            "execution_role": ROLE,
            "default_landing_uri": "studio::",
            "auto_mount_home_efs": "Disabled",
            "space_storage_settings": [
                {
                    "default_ebs_storage_settings": [
                        {"default_ebs_volume_size_in_gb": 20, "maximum_ebs_volume_size_in_gb": 100}
                    ]
                }
            ],
            "sharing_settings": [{"notebook_output_option": "Disabled", "s3_kms_key_id": "", "s3_output_path": ""}],
            "r_studio_server_pro_app_settings": [],
            "studio_web_portal_settings": [{"hidden_app_types": ["TensorBoard"], "hidden_ml_tools": []}],
        },
        {
            "ExecutionRole": ROLE,
            "DefaultLandingUri": "studio::",
            "AutoMountHomeEFS": "Disabled",
            "SpaceStorageSettings": {
                "DefaultEbsStorageSettings": {"DefaultEbsVolumeSizeInGb": 20, "MaximumEbsVolumeSizeInGb": 100}
            },
            "SharingSettings": {"NotebookOutputOption": "Disabled"},
            "StudioWebPortalSettings": {"HiddenAppTypes": ["TensorBoard"]},
        },
    ),
    ({"execution_role": ROLE}, {"ExecutionRole": ROLE}),
]
SPACE_SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {
            "app_type": "JupyterLab",
            "jupyter_lab_app_settings": [
                {
                    "app_lifecycle_management": [{"idle_settings": [{"idle_timeout_in_minutes": 120}]}],
                    "code_repository": [],
                    "default_resource_spec": [
                        {
                            "instance_type": "ml.t3.medium",
                            "lifecycle_config_arn": "",
                            "sagemaker_image_arn": "",
                            "sagemaker_image_version_alias": "",
                            "sagemaker_image_version_arn": "",
                        }
                    ],
                }
            ],
            "space_storage_settings": [{"ebs_storage_settings": [{"ebs_volume_size_in_gb": 50}]}],
        },
        {
            "AppType": "JupyterLab",
            "JupyterLabAppSettings": {
                "AppLifecycleManagement": {"IdleSettings": {"IdleTimeoutInMinutes": 120}},
                "DefaultResourceSpec": {"InstanceType": "ml.t3.medium"},
            },
            "SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 50}},
        },
    ),
    (
        {
            "app_type": "CodeEditor",
            "custom_file_system": [{"efs_file_system": [{"file_system_id": "fs-0123456789abcdef0"}]}],
            "space_storage_settings": [{"ebs_storage_settings": [{"ebs_volume_size_in_gb": 5}]}],
        },
        {
            "AppType": "CodeEditor",
            "CustomFileSystems": [{"EFSFileSystem": {"FileSystemId": "fs-0123456789abcdef0"}}],
            "SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 5}},
        },
    ),
]
LAB = AppSpec(instance_type="ml.t3.medium", image_arn=IMAGE)


def resource(kind: str, name: str, values: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return one resource of a state; `index` is that of count or for_each, `module` the address of its module."""
    module, index = more.pop("module", ""), more.pop("index", None)
    address = ".".join(part for part in (module, kind, name) if part)
    if index is not None:
        address += f"[{json.dumps(index)}]"
    return {
        "address": address,
        "mode": "managed",
        "type": kind,
        "name": name,
        **({} if index is None else {"index": index}),
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "schema_version": 0,
        "values": values,
        "sensitive_values": {},
        "depends_on": [],
    } | more


def state(*resources: dict[str, Any], modules: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """Return a state of resources in the root module, and of child modules."""
    root = {"resources": list(resources), "child_modules": modules or []}
    values = {"outputs": {}, "root_module": root}
    return {"format_version": "1.0", "terraform_version": "1.9.5", "values": values} | more


def domain(**more: Any) -> dict[str, Any]:
    values = {
        "arn": f"{ARN}:domain/{DOMAIN_ID}",
        "id": DOMAIN_ID,
        "domain_name": "Research Lab",
        "auth_mode": "IAM",
        "tags_all": TAGS,
        "default_user_settings": [{"execution_role": ROLE}],
    }
    return resource("aws_sagemaker_domain", "this", values | more)


def profile(name: str, block: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    values = {
        "arn": f"{ARN}:user-profile/{DOMAIN_ID}/{name}",
        "id": f"{ARN}:user-profile/{DOMAIN_ID}/{name}",
        "domain_id": DOMAIN_ID,
        "user_profile_name": name,
        "home_efs_file_system_uid": "200005",
        "single_sign_on_user_identifier": "",
        "single_sign_on_user_value": "",
        "tags": {},
        "tags_all": {},
        "user_settings": [{"execution_role": ROLE} if block is None else block],
    }
    return resource("aws_sagemaker_user_profile", "person", values, index=name, **more)


def space(name: str, owner: str, block: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "arn": f"{ARN}:space/{DOMAIN_ID}/{name}",
        "id": f"{ARN}:space/{DOMAIN_ID}/{name}",
        "domain_id": DOMAIN_ID,
        "space_name": name,
        "space_display_name": "",
        "home_efs_file_system_uid": "200006",
        "ownership_settings": [{"owner_user_profile_name": owner}],
        "space_sharing_settings": [{"sharing_type": "Private"}],
        "space_settings": [SPACE_SETTINGS[0][0] if block is None else block],
        "url": "https://studio.example.com",
        "tags": None,
        "tags_all": {},
    }
    return resource("aws_sagemaker_space", "lab", values, index=name, **more)


def app(owner: str, app_type: str = "Canvas", *, in_space: bool = False, **more: Any) -> dict[str, Any]:
    spec = {
        "instance_type": LAB.instance_type if in_space else "system",
        "lifecycle_config_arn": "",
        "sagemaker_image_arn": LAB.image_arn if in_space else "",
        "sagemaker_image_version_alias": "",
        "sagemaker_image_version_arn": "",
    }
    values = {
        "arn": f"{ARN}:app/{DOMAIN_ID}/{owner}/{app_type.lower()}/default",
        "id": f"{ARN}:app/{DOMAIN_ID}/{owner}/{app_type.lower()}/default",
        "domain_id": DOMAIN_ID,
        "user_profile_name": "" if in_space else owner,
        "space_name": owner if in_space else "",
        "app_type": app_type,
        "app_name": "default",
        "resource_spec": [spec],
        "tags": {"cost-center": "4711"},
        "tags_all": TAGS,
    }
    return resource("aws_sagemaker_app", "app", values | more.pop("values", {}), **more)


def sixty() -> dict[str, Any]:
    """Return the state of a domain, its 15 people, 15 spaces and 29 apps: for_each, count, and modules in modules."""
    profiles, spaces, canvases, labs = [], [], [], []
    for number in range(PEOPLE):
        name = f"u{number:03}"
        profiles.append(profile(name, USER_SETTINGS[number % 3][0]))
        block, settings = SPACE_SETTINGS[number % 2]
        inner = f'module.team["{number % 2}"].module.lab'
        spaces.append(space(f"{name}-lab", name, block, module=inner))
        labs.append(app(f"{name}-lab", settings["AppType"], in_space=True, index=number, module=inner))
        if number:
            canvases.append(app(name, index=number))
    teams = [
        {
            "address": f'module.team["{number}"]',
            "child_modules": [
                {
                    "address": f'module.team["{number}"].module.lab',
                    "resources": [*spaces[number::2], *labs[number::2]],
                }
            ],
        }
        for number in range(2)
    ]
    return state(domain(), *profiles, *canvases, modules=teams)


def world_of_sixty() -> World:
    """Return a simulated account that holds what `sixty` is a state of."""
    world = World(account=ACCOUNT)
    made = add_domain(world, DOMAIN_ID, REGION, ACCOUNT, name="Research Lab")
    for number in range(PEOPLE):
        name = f"u{number:03}"
        create_profile(world, made, name, settings=USER_SETTINGS[number % 3][1], at_once=True)
        settings = SPACE_SETTINGS[number % 2][1]
        lab = f"{name}-lab"
        create_space(world, made, lab, owner=name, sharing="Private", settings=settings, at_once=True)
        key = app_id(DOMAIN_ID, "space", lab, settings["AppType"], "default")
        place_app(world, made, key, lab, LAB, TAGS, "InService")
        if number:
            canvas = app_id(DOMAIN_ID, "user", name, "Canvas", "default")
            place_app(world, made, canvas, name, AppSpec(instance_type="system"), TAGS, "InService")
    return world


def written(folder: Path, document: Any, name: str = "state.json") -> Path:
    """Write a state, and return its path."""
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path
