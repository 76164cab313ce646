"""What an ARN of SageMaker names, compared with what was asked for.

The service writes the type of an app, and names, in more than one case. Not here: making ARNs.
"""

from __future__ import annotations

from engine.core.identity import USER, OwnerKind

_PARTS_COUNT = 6  # arn:PARTITION:sagemaker:REGION:ACCOUNT:PATH


def names_app(arn: str, domain_id: str, owner: str, app_type: str, app_name: str) -> bool:
    """Whether an ARN is that of this app. It does not say whether the owner is a profile or a space."""
    return _path(arn) == f"app/{domain_id}/{owner}/{app_type}/{app_name}".casefold()


def names_owner(arn: str, domain_id: str, kind: OwnerKind, name: str) -> bool:
    """Whether an ARN is that of this user profile or space."""
    return _path(arn) == f"{'user-profile' if kind == USER else 'space'}/{domain_id}/{name}".casefold()


def _path(arn: str) -> str:
    """Return the last part of an ARN of SageMaker in lower case; empty for anything else."""
    parts = arn.split(":", _PARTS_COUNT - 1)
    if len(parts) != _PARTS_COUNT or parts[0] != "arn" or parts[2] != "sagemaker":
        return ""
    return parts[-1].casefold()
