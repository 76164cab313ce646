"""Service Quotas of simulated accounts: the applied values of the Studio quotas, by list and by code."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from engine.simulator.service.app_operations import SPACE_ONLY
from engine.simulator.service.model import instance_types
from engine.simulator.world import quotas
from engine.simulator.world.arns import partition
from engine.simulator.world.listing import show_page, slice_page
from engine.simulator.world.service_error import ServiceError

if TYPE_CHECKING:
    from engine.core.identity import Lane
    from engine.simulator.world.world import World

SERVICE_CODE: Final = "sagemaker"
LIST_DEFAULT_ROWS: Final = 100
_BUCKET_TYPES: Final = (*sorted(SPACE_ONLY), "KernelGateway", "RSessionGateway")
_INVALID_TOKEN: Final = ("InvalidPaginationTokenException", "Invalid NextToken value")
_ACCOUNT_WIDE: Final = (quotas.DOMAINS, quotas.RUNNING_APPS, quotas.SPACES, quotas.USER_PROFILES)


@cache
def _standing_names() -> tuple[str, ...]:
    per_type = [
        quotas.bucket_quota_name(app_type, instance_type)
        for app_type in _BUCKET_TYPES
        for instance_type in instance_types()
        if instance_type != "system"
    ]
    return (*_ACCOUNT_WIDE, *sorted(per_type))


def _names(world: World) -> tuple[str, ...]:
    """Return the names of all quotas: those of the service model, and those that a scenario set besides."""
    standing = _standing_names()
    known = set(standing)
    set_here = {*world.quotas.named, *(name for _, _, name in world.quotas.exact)}
    return (*standing, *sorted(set_here - known))


def _shown(world: World, lane: Lane, name: str) -> dict[str, Any]:
    account, region = lane.account, lane.region
    code = quotas.quota_code(name)
    return {
        "ServiceCode": SERVICE_CODE,
        "ServiceName": "Amazon SageMaker",
        "QuotaArn": f"arn:{partition(region)}:servicequotas:{region}:{account}:{SERVICE_CODE}/{code}",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": float(world.quotas.value(account, region, name)),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }


def _check_service(params: dict[str, Any]) -> None:
    if params["ServiceCode"] != SERVICE_CODE:
        raise ServiceError("NoSuchResourceException", f"The service {params['ServiceCode']} is not known here.")


def _find(world: World, params: dict[str, Any]) -> str:
    _check_service(params)
    for name in _names(world):
        if quotas.quota_code(name) == params["QuotaCode"]:
            return name
    raise ServiceError(
        "NoSuchResourceException", f"The request failed because the quota {params['QuotaCode']} is not known."
    )


def list_service_quotas(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer ListServiceQuotas."""
    _check_service(params)
    names = _names(world)
    code = params.get("QuotaCode")
    if code is not None:
        names = tuple(name for name in names if quotas.quota_code(name) == code)
    listing, size = f"quotas:{lane}", params.get("MaxResults", LIST_DEFAULT_ROWS)
    page, token = slice_page(names, listing, params.get("NextToken"), size, _INVALID_TOKEN)
    return show_page("Quotas", [_shown(world, lane, name) for name in page], token)


def get_service_quota(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer GetServiceQuota."""
    return {"Quota": _shown(world, lane, _find(world, params))}


def request_increase(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer RequestServiceQuotaIncrease: granted at once, which the real service does only for small ones."""
    name = _find(world, params)
    wanted = int(params["DesiredValue"])
    if wanted <= world.quotas.value(lane.account, lane.region, name):
        raise ServiceError(
            "IllegalArgumentException", "The desired value must be above the current value of the quota."
        )
    world.quotas.set(name, wanted, lane.account, lane.region)
    shown = _shown(world, lane, name)
    return {
        "RequestedQuota": {
            "Id": f"request-{world.next_seq()}",
            "ServiceCode": SERVICE_CODE,
            "ServiceName": shown["ServiceName"],
            "QuotaCode": shown["QuotaCode"],
            "QuotaName": name,
            "QuotaArn": shown["QuotaArn"],
            "DesiredValue": float(wanted),
            "Status": "APPROVED",
            "Created": world.now,
            "LastUpdated": world.now,
            "GlobalQuota": False,
            "Unit": "None",
        }
    }
