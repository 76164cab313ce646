"""The kinds of text a fleet file holds, each checked as the service would check it, with a message for people.

botocore checks no pattern and no length before it sends, so a wrong name would cost a call and end as a
ValidationException in the middle of the night. Not here: which table has which keys (`fleet_models`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from engine.config.reading.problems import nearest, one_of, problem, show_value
from engine.config.service import service_model as service
from engine.core.limits import (
    APP_TAGS_MAX_COUNT,
    EXTERNAL_ID_MAX_CHARS,
    EXTERNAL_ID_MIN_CHARS,
    HOURS_MAX_CHARS,
    LABEL_MAX_CHARS,
    PROFILE_NAME_MAX_CHARS,
    TAG_KEY_MAX_CHARS,
    TAG_VALUE_MAX_CHARS,
)
from engine.core.text import is_safe

LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
REGION: Final = re.compile(r"[a-z]{2,8}(?:-[a-z]+){1,3}-[0-9]{1,2}")
ACCOUNT: Final = re.compile(r"[0-9]{12}")
EXTERNAL_ID: Final = re.compile(rf"[a-zA-Z0-9_+=,.@:/-]{{{EXTERNAL_ID_MIN_CHARS},{EXTERNAL_ID_MAX_CHARS}}}")
RESERVED_TAG_PREFIXES: Final = ("aws:", "appfleet:")

MEMBER: Final = "{member}"  # stands for a person's user profile name
_DATE_HINT: Final = "Write the day alone, without quotes: 2026-12-31"
NAME_HINT: Final = "Use letters, digits and, inside, hyphens: at most 63 characters"


def check_label(text: str) -> str:
    """Check a name that only this fleet uses: of a domain, an app definition or a team."""
    if len(text) > LABEL_MAX_CHARS or not LABEL.fullmatch(text):
        raise problem(
            f"{show_value(text)} is not a name",
            f"Use letters, digits, hyphens, dots and underscores, at most {LABEL_MAX_CHARS} characters",
        )
    return text


def check_name(text: str) -> str:
    """Check a name that the service keeps: of an app, a space or a user profile."""
    if not service.is_name(text):
        raise problem(f"{show_value(text)} is not a valid name", NAME_HINT)
    return text


def check_instance_type(text: str) -> str:
    """Check the form of an instance type; whether it exists is only warned about."""
    if len(text) > service.INSTANCE_TYPE_MAX_CHARS or not service.INSTANCE_TYPE_FORM.fullmatch(text):
        raise problem(
            f"{show_value(text)} is not an instance type",
            nearest(text, service.INSTANCE_TYPES) or "Write something like ml.t3.medium",
        )
    return text


def check_tags(tags: dict[str, str]) -> dict[str, str]:
    """Check the number, the characters and the prefixes of tags as written in one place."""
    if len(tags) > APP_TAGS_MAX_COUNT:
        raise problem(
            f"{len(tags)} tags are more than {APP_TAGS_MAX_COUNT}",
            "The service takes 50 tags, and one of them is appfleet:fleet. Remove some",
        )
    for key, value in tags.items():
        _check_tag(key, value)
    return tags


def _check_tag(key: str, value: str) -> None:
    if not 1 <= len(key) <= TAG_KEY_MAX_CHARS:
        raise problem(f"the tag key {show_value(key)} has {len(key)} characters", f"Use 1 to {TAG_KEY_MAX_CHARS}")
    if len(value) > TAG_VALUE_MAX_CHARS:
        raise problem(
            f"the value of tag {show_value(key)} has {len(value)} characters", f"Use at most {TAG_VALUE_MAX_CHARS}"
        )
    if key.lower().startswith(RESERVED_TAG_PREFIXES):
        prefix = key[: key.index(":") + 1]
        owner = "AWS" if prefix.lower() == "aws:" else "appfleet itself"
        raise problem(f"the tag key {show_value(key)} is reserved", f"Tags that begin with {prefix} belong to {owner}")
    for text in (key, value):
        if not service.has_tag_chars(text):
            raise problem(
                f"the tag {show_value(key)} holds a character that the service refuses: {show_value(text)}",
                "Use letters, digits, spaces and _ . : / = + - @",
            )


def _check_fallback(types: list[str]) -> list[str]:
    twice = next((item for place, item in enumerate(types) if item in types[:place]), None)
    if twice is not None:
        raise problem(f"{show_value(twice)} is in the list twice", "Name each instance type once")
    return types


def _check_date(value: Any) -> Any:
    if isinstance(value, datetime):
        raise problem("expected a date, found a date with a time", _DATE_HINT)
    if isinstance(value, str):
        raise problem(f"{show_value(value)} is text, not a date", _DATE_HINT)
    if not isinstance(value, date):
        raise problem("this is not a date", _DATE_HINT)
    return value


@dataclass(frozen=True, slots=True)
class _Checked(AfterValidator):
    """A check of text, with the pattern that tells most of it to editors."""

    pattern: str

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$"}


def _matching(pattern: str, max_chars: int, what: str, example: str, min_chars: int = 1) -> _Checked:
    def check(text: str) -> str:
        # Compiled by re when it is first needed, and kept: most fleets hold few of these kinds.
        is_formed = min_chars <= len(text) <= max_chars and is_safe(text) and re.fullmatch(pattern, text, re.ASCII)
        if not is_formed:
            raise problem(f"{show_value(text)} is not {what}", f"Write something like {example}")
        return text

    return _Checked(check, pattern)


def _one_of(words: tuple[str, ...], what: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if isinstance(value, str) and value not in words:
            hint = nearest(value, words) or f"It can be {one_of(words)}"
            raise problem(f"{show_value(value)} is not {what}", hint)
        return value

    return BeforeValidator(check)


def _check_account(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        raise problem("expected the account as text, found a number", 'Put it between quotes: "111122223333"')
    return value


def _check_template(text: str) -> str:
    if MEMBER not in text:
        raise problem(f"{show_value(text)} is the same for everybody", f'Write {MEMBER} in it: "{MEMBER}@example.com"')
    return text


def _check_fleet_name(text: str) -> str:
    if not text.strip() or len(text) > TAG_VALUE_MAX_CHARS or not service.has_tag_chars(text) or not is_safe(text):
        raise problem(
            f"{show_value(text)} cannot be the value of the tag appfleet:fleet",
            f"Use letters, digits, spaces and _ . : / = + - @, 1 to {TAG_VALUE_MAX_CHARS} characters",
        )
    return text


def _check_hours(value: Any) -> Any:
    if isinstance(value, list):
        raise problem("hours in place are one window", "Write several windows as [calendars.NAME], and name it here")
    return value


_ACCOUNT_EXAMPLE: Final = '"111122223333"'
_IMAGE: Final = "arn:aws:sagemaker:eu-west-1:111122223333:image"

Label = Annotated[str, _Checked(check_label, LABEL.pattern)]
Name = Annotated[str, _Checked(check_name, service.NAME_PATTERN)]
FleetName = Annotated[str, AfterValidator(_check_fleet_name)]
InstanceType = Annotated[str, _Checked(check_instance_type, service.INSTANCE_TYPE_FORM.pattern)]
Fallback = Annotated[list[InstanceType], AfterValidator(_check_fallback)]
Tags = Annotated[dict[str, str], AfterValidator(check_tags)]
Expires = Annotated[date, BeforeValidator(_check_date)]
ClosedDay = Expires
HoursText = Annotated[
    str,
    BeforeValidator(_check_hours),
    _matching(
        r"\S+|\S+ \S.*",
        HOURS_MAX_CHARS,
        "a calendar or a window",
        '"office", the name of a calendar, or "Mon-Fri 08:00-19:00 Europe/Berlin"',
    ),
]
WindowText = Annotated[
    str, _matching(r"\S.*", HOURS_MAX_CHARS, "a window", '"Mon-Fri 08:00-19:00" or "Fri 16:00-Mon 06:00"')
]
AppType = Annotated[
    Literal[
        "JupyterServer",
        "KernelGateway",
        "DetailedProfiler",
        "TensorBoard",
        "CodeEditor",
        "JupyterLab",
        "RStudioServerPro",
        "RSessionGateway",
        "Canvas",
    ],
    _one_of(service.APP_TYPES, "an app type"),
]
ModeWord = Annotated[Literal["running", "once", "absent"], _one_of(("running", "once", "absent"), "a mode")]
Sharing = Annotated[Literal["Private", "Shared"], _one_of(service.SHARING_TYPES, "a way of sharing")]
Account = Annotated[
    str, BeforeValidator(_check_account), _matching(ACCOUNT.pattern, 12, "an account of 12 digits", _ACCOUNT_EXAMPLE)
]
Region = Annotated[str, _matching(REGION.pattern, 40, "an AWS region", '"eu-west-1"')]
DomainId = Annotated[
    str, _matching(service.DOMAIN_ID_PATTERN, service.DOMAIN_ID_MAX_CHARS, "a domain id", '"d-abcd1234efgh"')
]
AwsProfile = Annotated[str, _matching(r"\S.*", PROFILE_NAME_MAX_CHARS, "the name of an AWS profile", '"ml-prod"')]
RoleArn = Annotated[
    str,
    _matching(
        service.ROLE_ARN_PATTERN,
        service.ROLE_ARN_MAX_CHARS,
        "the ARN of a role",
        '"arn:aws:iam::111122223333:role/provisioner"',
        service.ROLE_ARN_MIN_CHARS,
    ),
]
ExternalId = Annotated[
    str,
    _matching(
        EXTERNAL_ID.pattern,
        EXTERNAL_ID_MAX_CHARS,
        "an external id",
        f'"abc-123": {EXTERNAL_ID_MIN_CHARS} to {EXTERNAL_ID_MAX_CHARS:,} letters, digits and _ + = , . @ : / -',
        EXTERNAL_ID_MIN_CHARS,
    ),
]
ImageArn = Annotated[
    str, _matching(service.IMAGE_ARN_PATTERN, service.ARN_MAX_CHARS, "the ARN of an image", f'"{_IMAGE}/data-science"')
]
ImageVersionArn = Annotated[
    str,
    _matching(
        service.IMAGE_VERSION_ARN_PATTERN,
        service.ARN_MAX_CHARS,
        "the ARN of an image version",
        f'"{_IMAGE}-version/data-science/1", or "None" to clear it',
    ),
]
ImageVersionAlias = Annotated[
    str,
    _matching(
        service.IMAGE_VERSION_ALIAS_PATTERN,
        service.IMAGE_VERSION_ALIAS_MAX_CHARS,
        "an image version alias",
        '"1", "1.2" or "1.2.3"',
    ),
]
LifecycleConfigArn = Annotated[
    str,
    _matching(
        service.LIFECYCLE_CONFIG_ARN_PATTERN,
        service.ARN_MAX_CHARS,
        "the ARN of a lifecycle configuration",
        '"arn:aws:sagemaker:eu-west-1:111122223333:studio-lifecycle-config/setup", or "None" to clear it',
    ),
]
# Stricter than the service's pattern: what stands behind the slash is the plan's name, by which a plan is described.
_PLAN_ARN: Final = (
    rf"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]+:[0-9]{{12}}:training-plan/{service.TRAINING_PLAN_NAME_PATTERN}"
)
TrainingPlanArn = Annotated[
    str,
    _matching(
        f"({_PLAN_ARN}|None)",
        service.TRAINING_PLAN_ARN_MAX_CHARS,
        "the ARN of a training plan",
        '"arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5-week-50", or "None" to detach it',
    ),
]
SsoIdentity = Annotated[
    str, _matching(r"\S.*", service.SSO_VALUE_MAX_CHARS, "a user name of the identity provider", '"alice@example.com"')
]
SsoTemplate = Annotated[SsoIdentity, AfterValidator(_check_template)]
EbsGb = Annotated[int, Field(ge=service.EBS_GB_MIN, le=service.EBS_GB_MAX)]
IdleMinutes = Annotated[int, Field(ge=service.IDLE_MINUTES_MIN, le=service.IDLE_MINUTES_MAX)]
