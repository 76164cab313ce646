"""Rows of the service as the core knows them, under the fleet's name of their domain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.core.identity import AppKey, Owner
from engine.core.observed import AppStatus, ObservedApp, ObservedOwner

if TYPE_CHECKING:
    from engine.ports.cloud import AppDetail, AppRow
    from engine.ports.owners import OwnerDetail, OwnerRow


def observed_app(domain: str, row: AppRow) -> ObservedApp:
    """Return the row of a listing as the core knows it, under the fleet's name of the domain."""
    status = AppStatus.of(row.status)
    return ObservedApp(
        key=AppKey(domain, row.owner_kind, row.owner, row.app_type, row.app_name),
        status=status,
        created_at=row.created_at,
        spec=row.spec,
        status_text=row.status if status is AppStatus.UNKNOWN else "",
    )


def described_app(domain: str, detail: AppDetail) -> ObservedApp:
    """Return the answer about one app as the core knows it, under the fleet's name of the domain."""
    return replace(observed_app(domain, detail.row), activity=detail.activity)


def described_owner(domain: str, detail: OwnerDetail) -> ObservedOwner:
    """Return the answer about one owner as the core knows it, under the fleet's name of the domain."""
    row = observed_owner(domain, detail.row)
    return replace(
        row,
        arn=detail.arn,
        settings=detail.settings,
        sso_identity=detail.sso_identity,
        failure_reason=detail.failure_reason,
    )


def observed_owner(domain: str, row: OwnerRow) -> ObservedOwner:
    """Return the row of a listing as the core knows it, under the fleet's name of the domain."""
    return ObservedOwner(
        Owner(domain, row.kind, row.name),
        row.status,
        row.created_at,
        owner_user=row.owner_user,
        sharing=row.sharing,
        app_type=row.app_type,
        ebs_gb=row.ebs_gb,
        modified_at=row.modified_at,
    )
