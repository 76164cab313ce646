"""The quotas of simulated accounts: their names, codes and values, and the messages that name one that is full.

Written without the parser of `core.quota_text`, so that the two check each other in the contract tests.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer

from engine.simulator.world.values import Count

RUNNING_APPS: Final = "Maximum number of running Studio apps allowed per account"
USER_PROFILES: Final = "Maximum number of Studio user profiles allowed per account"
SPACES: Final = "Maximum number of Studio spaces allowed per account"
DOMAINS: Final = "Total domains"

KERNEL_GATEWAY_APPS_PER_USER: Final = 4

KNOWN_CODES: Final = {
    USER_PROFILES: "L-AC46C40F",
    SPACES: "L-8E5333B4",
    RUNNING_APPS: "L-4E39DDC4",
    DOMAINS: "L-B683BCB0",
    **{
        f"Studio JupyterLab Apps running on {instance_type} instances": code
        for instance_type, code in {
            "ml.t3.medium": "L-71FAF417",
            "ml.t3.large": "L-2733D4D5",
            "ml.t3.xlarge": "L-61F9C762",
            "ml.m5.large": "L-3BDCD216",
            "ml.m5.xlarge": "L-77B8159A",
            "ml.g5.xlarge": "L-988CE6C5",
            "ml.g5.2xlarge": "L-F73C7DB9",
            "ml.g5.4xlarge": "L-81940D85",
            "ml.g5.12xlarge": "L-8D2ED7BF",
            "ml.g5.24xlarge": "L-F087CCFC",
            "ml.g5.48xlarge": "L-83AB5D73",
            "ml.g6.xlarge": "L-AABA5942",
            "ml.g6.2xlarge": "L-92D1521D",
            "ml.g6.4xlarge": "L-692B8304",
            "ml.g6.12xlarge": "L-962247BA",
            "ml.g6.24xlarge": "L-8ACE1754",
            "ml.g6.48xlarge": "L-125B7142",
            "ml.p4d.24xlarge": "L-AD63F1D2",
            "ml.p5.48xlarge": "L-B41FBF28",
        }.items()
    },
}
_PLURAL_TYPES: Final = frozenset({"JupyterLab", "CodeEditor"})
_KINDS: Final = {RUNNING_APPS: "running_apps", USER_PROFILES: "user_profiles", SPACES: "spaces", DOMAINS: "domains"}
_UNITS: Final = {USER_PROFILES: "UserProfiles", SPACES: "Spaces", DOMAINS: "Domains"}
_QUOTA_TAIL: Final = (
    "Please use AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is not available, "
    "contact AWS support to request an increase for this quota."
)
_SUPPORT_TAIL: Final = "Please contact AWS support to request an increase for this limit."


class Wording(StrEnum):
    """The forms in which the service has been seen to say that a quota is full."""

    SERVICE_QUOTAS = "service-quotas"  # today's form
    SUPPORT = "support"  # ends with the older advice
    OLD_NAME = "old-name"  # the quota's name without "Studio"
    UNNAMED = "unnamed"  # no name at all
    ACCOUNT_DASH = "account-dash"  # "The account- service limit"
    CONTEXT = "context"  # with a request id behind it
    THOUSANDS = "thousands"  # commas in large numbers
    ONLY = "only"  # "Only 1 Domains is supported."


@cache
def bucket_quota_name(app_type: str, instance_type: str) -> str:
    """Return the name of the quota of one app type on one instance type."""
    studio = "" if app_type == "RSessionGateway" else "Studio "
    plural = "s" if app_type in _PLURAL_TYPES else ""
    return f"{studio}{app_type} Apps running on {instance_type} instance{plural}"


@cache
def quota_code(name: str) -> str:
    """Return the code of a quota: AWS's own where it is known, else one that follows from the name alone."""
    return KNOWN_CODES.get(name) or "L-" + hashlib.sha256(name.encode()).hexdigest()[:8].upper()


def limit_message(name: str, value: int, used: int, requested: int, wording: Wording) -> str:
    """Return the text of a ResourceLimitExceeded in one of its forms."""
    unit = _UNITS.get(name, "Apps")
    shown = name.removeprefix("Studio ") if wording is Wording.OLD_NAME else name
    named = "" if wording is Wording.UNNAMED else f" '{shown}'"
    level = "account-" if wording is Wording.ACCOUNT_DASH else "account-level"
    figures = [f"{number:,}" if wording is Wording.THOUSANDS else str(number) for number in (value, used, requested)]
    head = (
        f"The {level} service limit{named} is {figures[0]} {unit}, with current utilization of {figures[1]} {unit} "
        f"and a request delta of {figures[2]} {unit}."
    )
    if wording is Wording.ONLY:
        return f"{head} Only {value} {unit} is supported."
    tail = _SUPPORT_TAIL if wording in (Wording.SUPPORT, Wording.OLD_NAME) else _QUOTA_TAIL
    context = (
        " (Context: RequestId: 3f1d2c4b-0000-4000-8000-000000000000, Date: Tue Nov 24 01:00:00 UTC 2026)"
        if wording is Wording.CONTEXT
        else ""
    )
    return f"{head} {tail}{context}"


def per_user_message(instance_type: str, user: str) -> str:
    """Return the text for a user profile with four KernelGateway apps on one instance type."""
    return (
        f"Unable to start more Apps of AppType [KernelGateway] and ResourceSpec(instanceType=[{instance_type}]) "
        f"for UserProfile [{user}]. Please delete an App with a matching AppType and ResourceSpec, then try again"
    )


def _exact_of_rows(rows: Any) -> Any:
    return {(account, region, name): value for account, region, name, value in rows}


_Exact = Annotated[
    dict[tuple[str, str, str], Count],
    BeforeValidator(_exact_of_rows),  # JSON has no keys of three parts
    PlainSerializer(lambda exact: [[*key, value] for key, value in exact.items()]),
]


@dataclass(slots=True)
class Quotas:
    """Values by account, region and name; then by name alone; then the default of their kind.

    `zero_is_refused` False: a quota of 0 is not seen by CreateApp, and the app ends Failed with the message as reason.
    """

    apps_per_bucket: Count = 1_000
    running_apps: Count = 100_000
    user_profiles: Count = 100_000
    spaces: Count = 100_000
    domains: Count = 100
    wording: Wording = Wording.SERVICE_QUOTAS
    zero_is_refused: bool = True
    named: dict[str, Count] = field(default_factory=dict)
    exact: _Exact = field(default_factory=dict)

    def value(self, account: str, region: str, name: str) -> int:
        """Return the value that holds for a quota."""
        if self.exact and (exact := self.exact.get((account, region, name))) is not None:
            return exact
        if (named := self.named.get(name)) is not None:
            return named
        return int(getattr(self, _KINDS.get(name, "apps_per_bucket")))

    def set(self, name: str, value: int, account: str = "", region: str = "") -> None:
        """Change a quota in one account and region, or everywhere when these are empty."""
        if account and region:
            self.exact[account, region, name] = value
        else:
            self.named[name] = value
            for key in [key for key in self.exact if key[2] == name]:
                del self.exact[key]
