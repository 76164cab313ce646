"""The names of simulated resources across AWS. An app's ARN does not say whether its owner is a user or a space."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.simulator.world.records import Domain


def partition(region: str) -> str:
    """Return the partition that a region belongs to."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def lane_arn(account: str, region: str, resource: str) -> str:
    """Return the ARN of a resource of an account and region."""
    return f"arn:{partition(region)}:sagemaker:{region}:{account}:{resource}"


def app_arn(domain: Domain, owner: str, app_type: str, app_name: str) -> str:
    """Return an app's ARN; the service writes the type in lower case."""
    return lane_arn(domain.account, domain.region, f"app/{domain.domain_id}/{owner}/{app_type.lower()}/{app_name}")


def profile_arn(domain: Domain, name: str) -> str:
    """Return a user profile's ARN."""
    return lane_arn(domain.account, domain.region, f"user-profile/{domain.domain_id}/{name}")


def space_arn(domain: Domain, name: str) -> str:
    """Return a space's ARN."""
    return lane_arn(domain.account, domain.region, f"space/{domain.domain_id}/{name}")


def domain_arn(account: str, region: str, domain_id: str) -> str:
    """Return a domain's ARN."""
    return lane_arn(account, region, f"domain/{domain_id}")
