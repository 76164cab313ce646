"""ARNs held against the domain that they are used in: region, partition, account.

What is regional and of another region or partition can never be found by the service. Images may be another account's,
since AWS and other teams share theirs; a role that is assumed, and a training plan, must be of the account that the
domain names. Not here: the form of an ARN (`fields`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from engine.config.fleet.written import DomainDef
from engine.config.reading.problems import Code, Problems, show_value
from engine.core.desired import DesiredApp, DesiredOwner, Layer, Source

_TRAINING_PLAN: Final = "training_plan_arn"
_LIFECYCLE: Final = "lifecycle_config_arn"
REGIONAL_KEYS: Final = ("image_arn", "image_version_arn", _LIFECYCLE, _TRAINING_PLAN)
_OF_THE_ACCOUNT: Final = frozenset({_LIFECYCLE, _TRAINING_PLAN, "execution_role"})
_AWS: Final = "aws"
_PARTITIONS: Final = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-iso-", "aws-iso"),
    ("eusc-", "aws-eusc"),
)


class Arn(NamedTuple):
    """The parts of an ARN that say where it is."""

    partition: str
    region: str
    account: str


def arn_of(text: str) -> Arn | None:
    """Return where an ARN is; None for what is none, such as "None"."""
    parts = text.split(":", 5)
    return Arn(parts[1], parts[3], parts[4]) if len(parts) == 6 and parts[0] == "arn" else None


def partition_of(region: str) -> str:
    """Return the partition that a region belongs to."""
    return next((partition for start, partition in _PARTITIONS if region.startswith(start)), _AWS)


def check_domain_role(domain: DomainDef, problems: Problems) -> None:
    """Note a role to be assumed that is not of the domain's account or partition, and an external id without a role."""
    if "external_id" in domain.own and "role_arn" not in domain.own:
        message = "an external id is sent when a role is assumed, and this domain has no role_arn"
        problems.error(Code.VALUE, domain.place.at("external_id"), message, "Add role_arn, or remove external_id")
    text, account, region = (domain.own.get(key) for key in ("role_arn", "account", "region"))
    arn = arn_of(text) if isinstance(text, str) else None
    if arn is None:
        return
    place = domain.place.at("role_arn")
    if isinstance(account, str) and arn.account != account:
        message = f"the role is of account {arn.account}, and the domain of account {account}"
        problems.error(Code.CONFLICT, place, message, "Name a role of that account, or correct account")
    elif isinstance(region, str) and arn.partition != partition_of(region):
        problems.error(Code.CONFLICT, place, *_other_partition("the role", arn, region))


def check_arns(
    apps: Iterable[DesiredApp], owners: Iterable[DesiredOwner], domains: Mapping[str, DomainDef], problems: Problems
) -> None:
    """Note each ARN of an app or a profile that is not where its domain is, once for each place that says it."""
    seen: set[tuple[str, int]] = set()
    for app in apps:
        key = (app.key.domain, id(app.layers))
        if key in seen:
            continue
        seen.add(key)
        for name in REGIONAL_KEYS:
            text = getattr(app.spec, name)
            arn = arn_of(text) if text is not None else None
            if arn is not None:
                _check(name, arn, _source(name, app), domains[app.key.domain], problems)
    for owner in owners:
        arn = arn_of(owner.execution_role) if owner.execution_role is not None else None
        if arn is not None:
            _check("execution_role", arn, owner.source, domains[owner.owner.domain], problems)


def _source(name: str, app: DesiredApp) -> Source:
    layer: Layer | None = next((layer for layer in reversed(app.layers) if name in layer.values), None)
    return app.source if layer is None else layer.places.get(name, layer.source)


def _check(name: str, arn: Arn, source: Source, domain: DomainDef, problems: Problems) -> None:
    region, account = domain.own.get("region"), domain.own.get("account")
    if not isinstance(region, str) or not problems.first_time("arn", name, source, domain.name):
        return
    where = f"domain {domain.name} is in {region}"
    if arn.partition != partition_of(region):
        message, hint = _other_partition(name, arn, region)
        problems.of_file(Code.CONFLICT, source.file, source.line, f"{message} ({where})", hint)
    elif arn.region and arn.region != region:
        message = f"{name} is of region {show_value(arn.region)}, and {where}"
        hint = "Name one of that region; where apps of several regions use it, set it for each domain"
        problems.of_file(Code.CONFLICT, source.file, source.line, message, hint)
    elif isinstance(account, str) and arn.account != account and name in _OF_THE_ACCOUNT:
        message = f"{name} is of account {arn.account}, and domain {domain.name} of account {account}"
        note = problems.of_file if name == _TRAINING_PLAN else problems.warn_of_file
        note(Code.CONFLICT, source.file, source.line, message, "Name one of the domain's own account")


def _other_partition(what: str, arn: Arn, region: str) -> tuple[str, str]:
    right = partition_of(region)
    return (
        f"{what} is of partition {show_value(arn.partition)}, and {region} of {right}",
        f"It begins with arn:{right}:",
    )
