"""Quotas as the service writes them: their names, the messages that speak of them, the command that raises one.

Not here: whether an error is one about a quota (`service_errors`) or what to do then (`executor.gate`).
"""

from __future__ import annotations

import re
from typing import Final

from engine.core.errors import QuotaFacts
from engine.core.limits import SERVICE_MESSAGE_READ_MAX_CHARS

# How the name of a per-type quota is written; a type of app that is missing here has no such quota that is known.
_NAME_FORMS: Final = {
    "JupyterLab": "Studio JupyterLab Apps running on {} instances",
    "CodeEditor": "Studio CodeEditor Apps running on {} instances",
    "KernelGateway": "Studio KernelGateway Apps running on {} instance",
    "RSessionGateway": "RSessionGateway Apps running on {} instance",
}
_NAME: Final = re.compile(r"(?:Studio )?([A-Za-z]{1,64}) Apps running on ([A-Za-z0-9.-]{1,64}) instances?")

# A code is the same in every region; the others are found by name when they are needed.
_QUOTA_CODES: Final = {
    "Maximum number of Studio user profiles allowed per account": "L-AC46C40F",
    "Maximum number of Studio spaces allowed per account": "L-8E5333B4",
    "Maximum number of running Studio apps allowed per account": "L-4E39DDC4",
    "Total domains": "L-B683BCB0",
    **{
        _NAME_FORMS["JupyterLab"].format(instance_type): code
        for instance_type, code in (
            ("ml.t3.medium", "L-71FAF417"),
            ("ml.t3.large", "L-2733D4D5"),
            ("ml.t3.xlarge", "L-61F9C762"),
            ("ml.m5.large", "L-3BDCD216"),
            ("ml.m5.xlarge", "L-77B8159A"),
            ("ml.g5.xlarge", "L-988CE6C5"),
            ("ml.g5.2xlarge", "L-F73C7DB9"),
            ("ml.g5.4xlarge", "L-81940D85"),
            ("ml.g5.12xlarge", "L-8D2ED7BF"),
            ("ml.g5.24xlarge", "L-F087CCFC"),
            ("ml.g5.48xlarge", "L-83AB5D73"),
            ("ml.g6.xlarge", "L-AABA5942"),
            ("ml.g6.2xlarge", "L-92D1521D"),
            ("ml.g6.4xlarge", "L-692B8304"),
            ("ml.g6.12xlarge", "L-962247BA"),
            ("ml.g6.24xlarge", "L-8ACE1754"),
            ("ml.g6.48xlarge", "L-125B7142"),
            ("ml.p4d.24xlarge", "L-AD63F1D2"),
            ("ml.p5.48xlarge", "L-B41FBF28"),
        )
    },
}

_PROGRAM: Final = "aws "
_COMMAND: Final = f": {_PROGRAM}"
AND_THEN: Final = " && "  # between commands that a person is to type one after the other

_ADVICE: Final = " Please "

_NUMBER: Final = r"[0-9][0-9,]{0,17}"
_LIMIT: Final = re.compile(
    rf"limit(?: '(?P<quota>[^']{{1,200}})')? is (?P<value>{_NUMBER}) [A-Za-z ]{{1,64}}?(?:,|\.|$)"
    rf"(?: with current utilization of (?P<used>{_NUMBER}) [A-Za-z ]{{1,64}}? "
    rf"and a request delta of (?P<requested>{_NUMBER}))?"
)
_PER_USER: Final = re.compile(
    r"Unable to start more Apps of AppType \[(?P<app_type>[^\]]{0,64})\]"
    r"(?: and ResourceSpec\(instanceType=\[(?P<instance_type>[^\]]{0,64})\]\))?"
    r"(?: for UserProfile \[(?P<user>[^\]]{0,64})\])?"
)

# What may stand in a line that a person will paste into a shell. A quota's name comes from the service.
_SAFE_IN_SHELL: Final = re.compile(r"[A-Za-z0-9 .,:()/_-]{1,200}")
_CODE: Final = re.compile(r"L-[A-Z0-9]{1,32}")
_REGION: Final = re.compile(r"[a-z0-9-]{1,32}")


def _number(text: str | None) -> int | None:
    """Read `1,000`."""
    return None if text is None else int(text.replace(",", ""))


def _in_one_line(message: str) -> str:
    """Return the part of a message that is read, with single spaces."""
    return " ".join(message[:SERVICE_MESSAGE_READ_MAX_CHARS].split())


def is_quota_message(message: str) -> bool:
    """Whether a text speaks of a quota that is full: the code itself, or one of the service's sentences."""
    text = _in_one_line(message)
    return "ResourceLimitExceeded" in text or bool(_PER_USER.search(text)) or bool(_LIMIT.search(text))


def parse_quota_message(message: str) -> QuotaFacts:
    """Read what a ResourceLimitExceeded message tells; a message of an unknown form gives empty facts."""
    text = _in_one_line(message)
    if per_user := _PER_USER.search(text):
        return QuotaFacts(
            user_profile=per_user["user"] or "",
            app_type=per_user["app_type"],
            instance_type=per_user["instance_type"] or "",
        )
    if limit := _LIMIT.search(text):
        return QuotaFacts(
            quota=limit["quota"] or "",
            value=_number(limit["value"]),
            used=_number(limit["used"]),
            requested=_number(limit["requested"]),
        )
    return QuotaFacts()


def without_advice(message: str) -> str:
    """Return what the service said of a full quota, without its advice: `quota_hint` has the command instead."""
    return message.partition(_ADVICE)[0].rstrip(".")


def bucket_of_quota(name: str) -> tuple[str, str] | None:
    """Return (app type, instance type) of a per-type quota's name in any of its spellings, else None."""
    found = _NAME.fullmatch(name)
    return (found[1], found[2]) if found else None


def quota_name(app_type: str, instance_type: str) -> str:
    """Return the quota's name as Service Quotas writes it; empty where no quota of that kind is known."""
    form = _NAME_FORMS.get(app_type)
    return form.format(instance_type) if form and instance_type else ""


def increase_command(quota: str, *, region: str = "", used: int | None = None, waiting: int = 1, code: str = "") -> str:
    """Return the command line that requests a higher quota, or the one that finds its code where that is not known.

    It asks for what is in use and what waits together; NEW_VALUE takes that place where the use is not known. `code` is
    the quota's code where the service reported it. The line is safe to paste whatever the service called the quota.
    Every place that prints such a command prints this one: plan, run, log, report.
    """
    where = f" --region {region}" if _REGION.fullmatch(region) else ""
    if code := code_of(quota, code):
        value = "NEW_VALUE" if used is None else str(used + waiting)
        return (
            "aws service-quotas request-service-quota-increase --service-code sagemaker "
            f"--quota-code {code} --desired-value {value}{where}"
        )
    wanted = f" --query \"Quotas[?QuotaName=='{quota}'].[QuotaCode,Value]\"" if _SAFE_IN_SHELL.fullmatch(quota) else ""
    return f"aws service-quotas list-service-quotas --service-code sagemaker{wanted} --output text{where}"


def code_of(quota: str, code: str = "") -> str:
    """Return the code of a quota: the one that the service reported, else the one that is known; empty for neither."""
    return code if _CODE.fullmatch(code) else _QUOTA_CODES.get(quota, "")


def command_in(hint: str) -> str:
    """Return the command that ends a hint of `quota_hint`; empty where it has none."""
    _, found, command = hint.partition(_COMMAND)
    return f"{_PROGRAM}{command}" if found else ""


def quota_hint(facts: QuotaFacts, *, region: str = "", waiting: int = 1, code: str = "") -> str:
    """Return what a person can do about a full quota that `waiting` apps wait for; the command to type ends it."""
    if facts.user_profile or facts.app_type:
        return (
            "A user profile runs at most 4 KernelGateway apps of one instance type: "
            "delete one of them or declare another instance type"
        )
    if facts.training_plan:
        return (
            f"{_PLAN_RETRIES}. To make room, delete apps that run on training plan {facts.training_plan}, "
            "or reserve more instances in another plan"
        )
    if not facts.quota:
        return "Delete apps of the same type, or request an increase under Service Quotas, Amazon SageMaker"
    command = increase_command(facts.quota, region=region, used=facts.used, waiting=waiting, code=code)
    why = "Waiting does not help: the limit is too small for one app" if facts.never_fits else _RETRIES
    if not code_of(facts.quota, code):
        return f"{why}. To raise it, find the quota's code and request an increase with it: {command}"
    return f"{why}. To raise it: {command}"


_PLAN_RETRIES: Final = "appfleet retries when an instance of the plan is free"
_RETRIES: Final = "appfleet retries when quota frees up"
