"""The calls about what apps are made from, over both faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.core.errors import AccessDenied, NotFound, Rejected
from engine.ports.ingredients import DomainDefaults, ImageState
from engine.simulator.world.faults import FaultKind
from engine.simulator.world.ingredients import Image
from tests.contract.conftest import ACCOUNT, DOMAIN_ID, REGION, Contract

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HERE = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/lab"


@pytest.fixture
def stocked(contract: Contract) -> Contract:
    """Return a world with an image of two versions, one that failed, a lifecycle configuration and a role."""
    ingredients = contract.world.ingredients
    ingredients.images[f"{HERE}:image/science"] = Image(versions={"1": [], "2": ["1.2"]})
    ingredients.images[f"{HERE}:image/broken"] = Image("CREATE_FAILED", "no such repository")
    ingredients.scripts[f"{HERE}:studio-lifecycle-config/setup"] = "JupyterLab"
    ingredients.roles.append(ROLE)
    return contract


async def test_what_is_there_is_described(stocked: Contract) -> None:
    cloud = stocked.cloud
    assert await cloud.image("science") == ImageState("CREATED")
    assert await cloud.image("broken") == ImageState("CREATE_FAILED", "no such repository")
    assert await cloud.image_version("science", 2, "") == ImageState("CREATED")
    assert await cloud.image_version("science", None, "1.2") == ImageState("CREATED")
    assert await cloud.lifecycle_config("setup") == "JupyterLab"
    assert await cloud.role("lab") == ROLE


async def test_a_domain_tells_its_defaults(contract: Contract) -> None:
    assert await contract.cloud.domain_defaults(DOMAIN_ID) == DomainDefaults({}, {})
    domain = contract.world.domains[DOMAIN_ID]
    domain.user_settings = {"JupyterLabAppSettings": {"LifecycleConfigArns": ["a"]}}
    domain.space_settings = {"ExecutionRole": ROLE}
    assert await contract.cloud.domain_defaults(DOMAIN_ID) == DomainDefaults(
        domain.user_settings, domain.space_settings
    )


@pytest.mark.parametrize("missing", [f"{HERE}:image-version/science/2", ""])
async def test_what_is_not_there_is_not_found(stocked: Contract, missing: str) -> None:
    cloud = stocked.cloud
    stocked.world.ingredients.missing.append(missing)
    calls: list[Awaitable[object]] = [
        cloud.image("sience"),
        cloud.image_version("sience", 1, ""),
        cloud.image_version("science", 3, ""),
        cloud.image_version("science", None, "9.9"),
        cloud.lifecycle_config("set-up"),
        cloud.role("lob"),
        cloud.domain_defaults("d-gone"),
        *([cloud.image_version("science", 2, "")] if missing else []),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            await call


async def test_what_the_model_forbids_is_rejected(stocked: Contract) -> None:
    with pytest.raises(Rejected, match="imageName"):
        await stocked.cloud.image("no_such-name_")


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("DescribeImage", "sagemaker:DescribeImage"),
        ("DescribeImageVersion", "sagemaker:DescribeImageVersion"),
        ("DescribeStudioLifecycleConfig", "sagemaker:DescribeStudioLifecycleConfig"),
        ("GetRole", "iam:GetRole"),
    ],
)
async def test_what_is_denied_names_the_action_to_allow(stocked: Contract, operation: str, action: str) -> None:
    cloud = stocked.cloud
    stocked.fault(FaultKind.ERROR, operation, code="AccessDeniedException", message="No.")
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "DescribeImage": lambda: cloud.image("science"),
        "DescribeImageVersion": lambda: cloud.image_version("science", 1, ""),
        "DescribeStudioLifecycleConfig": lambda: cloud.lifecycle_config("setup"),
        "GetRole": lambda: cloud.role("lab"),
    }
    with pytest.raises(AccessDenied) as caught:
        await calls[operation]()
    assert f"Allow {action} to the caller" in caught.value.hint
