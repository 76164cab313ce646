"""DescribeImage, DescribeImageVersion, DescribeStudioLifecycleConfig and GetRole on the world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.simulator.world.arns import partition
from engine.simulator.world.service_error import NOT_FOUND, ServiceError

if TYPE_CHECKING:
    from engine.core.identity import Lane
    from engine.simulator.world.ingredients import Image
    from engine.simulator.world.world import World

_SCRIPT: Final = "IyEvYmluL3No"  # in Base64, as the service keeps it


def _arn(lane: Lane, path: str) -> str:
    return f"arn:{partition(lane.region)}:sagemaker:{lane.region}:{lane.account}:{path}"


def _find_image(world: World, lane: Lane, name: str) -> tuple[str, Image]:
    arn = _arn(lane, f"image/{name}")
    found = world.ingredients.image(arn)
    if found is None:
        raise ServiceError(NOT_FOUND, f"No Image with the name {name} exists.")
    return arn, found


def describe_image(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer DescribeImage."""
    name = params["ImageName"]
    arn, image = _find_image(world, lane, name)
    return {
        "ImageArn": arn,
        "ImageName": name,
        "ImageStatus": image.status,
        "CreationTime": world.now,
        "LastModifiedTime": world.now,
        "RoleArn": f"arn:{partition(lane.region)}:iam::{lane.account}:role/images",
        **({"FailureReason": image.reason} if image.reason else {}),
    }


def describe_image_version(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer DescribeImageVersion: by number, by alias, or the latest."""
    name = params["ImageName"]
    arn, image = _find_image(world, lane, name)
    wanted, alias = params.get("Version"), params.get("Alias")
    numbers = [int(number) for number, aliases in image.versions.items() if alias is None or alias in aliases]
    number = next((one for one in numbers if one == wanted), None) if wanted is not None else max(numbers, default=None)
    version_arn = _arn(lane, f"image-version/{name}/{number}")
    if number is None or version_arn in world.ingredients.missing:
        said = alias if alias is not None else wanted
        raise ServiceError(NOT_FOUND, f"No ImageVersion {said} of the Image {name} exists.")
    return {
        "ImageArn": arn,
        "ImageVersionArn": version_arn,
        "ImageVersionStatus": "CREATED",
        "Version": number,
        "CreationTime": world.now,
        "LastModifiedTime": world.now,
        "BaseImage": f"{lane.account}.dkr.ecr.{lane.region}.amazonaws.com/{name}:{number}",
    }


def describe_lifecycle_config(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer DescribeStudioLifecycleConfig."""
    name = params["StudioLifecycleConfigName"]
    arn = _arn(lane, f"studio-lifecycle-config/{name}")
    app_type = world.ingredients.script(arn)
    if app_type is None:
        raise ServiceError(NOT_FOUND, f"No StudioLifecycleConfig with the name {name} exists.")
    return {
        "StudioLifecycleConfigArn": arn,
        "StudioLifecycleConfigName": name,
        "StudioLifecycleConfigAppType": app_type,
        "StudioLifecycleConfigContent": _SCRIPT,
        "CreationTime": world.now,
        "LastModifiedTime": world.now,
    }


def get_role(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer GetRole of IAM, which is the same in every region."""
    name = params["RoleName"]
    arn = world.ingredients.role(lane.account, name)
    if arn is None:
        raise ServiceError("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
    path = arn.split(":", 5)[5].removeprefix("role").removesuffix(name)
    return {
        "Role": {
            "Path": path,
            "RoleName": name,
            "RoleId": "AROASIMULATEDSIMULATED",
            "Arn": arn,
            "CreateDate": world.now,
        }
    }
