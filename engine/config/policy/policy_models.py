"""The shape of a policy file: which tables it may hold, of which types and within which bounds.

Defaults and bounds are those of `core.settings`; nothing is repeated here. Not here: reading and merging files
(`policy_file`), the meaning of an expression (`engine.policy`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_plain_validator_function

from engine.config.fleet.fleet_models import Table
from engine.config.policy.notify_models import NotifyTable
from engine.config.reading.problems import problem, show_value
from engine.config.service import service_model as service
from engine.config.service.fields import (
    REGION,
    Expires,
    Fallback,
    ImageArn,
    ImageVersionAlias,
    ImageVersionArn,
    InstanceType,
    LifecycleConfigArn,
    Tags,
    TrainingPlanArn,
)
from engine.core import limits, settings
from engine.core.calendars import Calendar
from engine.core.durations import DURATION_HINT, DURATION_PATTERN, format_duration, parse_duration
from engine.core.settings import STORAGE_PRICE, Bound, Settings
from engine.core.windows import WindowFault, parse_freeze

DEFAULTS: Final = Settings()
_EXECUTION, _OBSERVE, _SAFETY = DEFAULTS.execution, DEFAULTS.observe, DEFAULTS.safety
_TOLERANCE = DEFAULTS.tolerance
BACKOFFS: Final[Mapping[str, settings.Backoff]] = {
    "ThrottlingException": DEFAULTS.backoffs.throttling,
    "ResourceLimitExceeded": DEFAULTS.backoffs.limit,
    "transient": DEFAULTS.backoffs.transient,
    "capacity": DEFAULTS.backoffs.capacity,
}

_RULE_ID: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def _read_duration(value: object, bound: Bound) -> float:
    if not isinstance(value, str):
        raise problem("expected a duration in quotes", DURATION_HINT)
    try:
        seconds = parse_duration(value)
    except ValueError:
        raise problem(f"{show_value(value)} is not a duration", DURATION_HINT) from None
    if not bound.low <= seconds <= bound.high:
        low, high = format_duration(bound.low), format_duration(bound.high)
        raise problem(f"{show_value(value)} is out of bounds", f"Choose a duration from {low} to {high}")
    return seconds


class _Duration:
    """Marks a float that is written as a duration within `bound`."""

    __slots__ = ("bound",)

    def __init__(self, bound: Bound) -> None:
        self.bound = bound

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_plain_validator_function(lambda value: _read_duration(value, self.bound))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        low, high = format_duration(self.bound.low), format_duration(self.bound.high)
        return {"type": "string", "pattern": DURATION_PATTERN, "description": f"a duration from {low} to {high}"}


def _within(bound: Bound) -> Any:
    return Field(ge=bound.low, le=bound.high)


def _whole_within(bound: Bound) -> Any:
    return Field(ge=int(bound.low), le=int(bound.high))


def _told(default: Any, description: str) -> Any:
    return Field(default=default, description=description)


def _read_freeze(text: str) -> Any:
    """Return the calendar of one window; its zone is UTC unless it names one."""
    from engine.config.service.zones import zone_named  # noqa: PLC0415  # few policies have any, and zones cost

    try:
        window = parse_freeze(text)
        name = window.zone or "UTC"
        return Calendar((window,), zone_named(name), name)
    except WindowFault as fault:
        raise problem(fault.message, fault.hint) from None


Rate = Annotated[float, _within(settings.RATE_PER_SECOND)]
Count = Annotated[int, _whole_within(settings.COUNT)]
Freeze = Annotated[str, Field(max_length=limits.HOURS_MAX_CHARS), AfterValidator(_read_freeze)]
Usd = Annotated[float, _within(settings.HOURLY_USD)]


class ExecutionTable(Table):
    """`[execution]`."""

    create_rate: Rate = _told(_EXECUTION.create_rate, "CreateApp calls per second at the start.")
    create_rate_max: Rate = _told(_EXECUTION.create_rate_max, "The highest rate; not below create_rate.")
    read_rate: Rate = _told(_EXECUTION.read_rate, "ListApps and DescribeApp calls per second.")
    concurrency: Annotated[int, _whole_within(settings.CONCURRENCY)] = _told(
        _EXECUTION.concurrency, "Calls in flight at the same time."
    )
    settle_timeout: Annotated[float, _Duration(settings.SETTLE_TIMEOUT_SECONDS)] = _told(
        _EXECUTION.settle_timeout, "An app that is pending for longer is reported as still pending."
    )
    deadline: Annotated[float, _Duration(settings.DEADLINE_SECONDS)] = _told(
        _EXECUTION.deadline, "The time limit of the whole run."
    )


class BackoffTable(Table):
    """One `[backoff.NAME]`. What it leaves out keeps the default of that NAME."""

    initial: Annotated[float | None, _Duration(settings.BACKOFF_INITIAL_SECONDS)] = _told(
        None, "The longest delay after the first failure."
    )
    max: Annotated[float | None, _Duration(settings.BACKOFF_MAX_SECONDS)] = _told(None, "The longest delay of all.")
    factor: Annotated[float, _within(settings.BACKOFF_FACTOR)] | None = _told(
        None, "How much longer each delay may be than the one before."
    )
    give_up_after: Annotated[float | None, _Duration(settings.GIVE_UP_AFTER_SECONDS)] = _told(
        None, "How long appfleet retries, counted from the first failure of its kind."
    )


class BackoffsTable(Table):
    """`[backoff]`: the service's own codes, and two classes that have several."""

    throttling: BackoffTable = Field(default=BackoffTable.model_construct(), alias="ThrottlingException")
    limit: BackoffTable = Field(default=BackoffTable.model_construct(), alias="ResourceLimitExceeded")
    transient: BackoffTable = BackoffTable.model_construct()
    capacity: BackoffTable = BackoffTable.model_construct()


class ObserveTable(Table):
    """`[observe]`."""

    first_after: Annotated[float, _Duration(settings.OBSERVE_AFTER_SECONDS)] = _told(
        _OBSERVE.first_after, "Time from an unknown create to the first scan that may clear it."
    )
    second_after: Annotated[float, _Duration(settings.OBSERVE_AFTER_SECONDS)] = _told(
        _OBSERVE.second_after, "Time from that scan to the second."
    )


class SafetyTable(Table):
    """`[safety]`."""

    replace: Literal["never", "on-drift"] = _told(
        "on-drift" if _SAFETY.replace_on_drift else "never",
        "on-drift: an app that differs from its declaration is deleted and made again.",
    )
    prune: bool = _told(_SAFETY.prune, "Delete apps of this fleet that are no longer declared.")
    destroy_max: Count = _told(_SAFETY.destroy_max, "Deletes in one run.")
    destroy_share_max: Annotated[float, _within(settings.SHARE)] = _told(
        _SAFETY.destroy_share_max,
        "Deletes and replaces in one run, as a share of the observed apps that this fleet owns.",
    )
    destroy_floor: Count = _told(_SAFETY.destroy_floor, "The share applies only from this many apps on.")
    quarantine_after: Annotated[int, _whole_within(settings.QUARANTINE_AFTER)] = _told(
        _SAFETY.quarantine_after, "Failed runs in a row after which an unchanged app is left alone."
    )
    hours_stop_max: Count = _told(
        _SAFETY.hours_stop_max, "Apps that one run stops because their hours are over; not counted in destroy_max."
    )
    replace_wave: Annotated[int, _whole_within(settings.WAVE_COUNT)] = _told(
        _SAFETY.replace_wave, "Replaces in one run; the other apps that differ wait for the next runs."
    )
    spare_active: Annotated[float, _Duration(settings.SPARE_ACTIVE_SECONDS)] = _told(
        _SAFETY.spare_active,
        "An app whose user was active within this time is neither deleted nor replaced; 0s turns this off.",
    )
    freeze: Annotated[list[Freeze], Field(max_length=limits.FREEZES_MAX_COUNT)] = _told(
        list(_SAFETY.freeze),
        "Times in which nothing is deleted or replaced: weekly windows, or a first and a last day, each "
        "followed by a time zone (default UTC).",
    )
    create_max: Count = _told(_SAFETY.create_max, "Creates in one run.")
    hourly_usd_max: Usd | None = _told(_SAFETY.hourly_usd_max, "USD per hour that one run may add; unset: no limit.")


class ToleranceTable(Table):
    """`[tolerance]`."""

    canary: bool = _told(
        _TOLERANCE.canary, "Create the first app of a shape that never ran here alone, and the others once it runs."
    )
    failures_max: Annotated[int, _whole_within(settings.FAILURES_MAX_COUNT)] = _told(
        _TOLERANCE.failures_max, "Equal failures in a row after which the rest of their kind is skipped."
    )
    failure_share_max: Annotated[float, _within(settings.SHARE)] = _told(
        _TOLERANCE.failure_share_max, "Share of a run's creates that may fail before it creates no more."
    )
    failure_floor: Count = _told(_TOLERANCE.failure_floor, "The share applies only once this many creates have ended.")


class OwnersTable(Table):
    """`[owners]`."""

    create: bool = _told(DEFAULTS.create_owners, "Make declared user profiles and spaces before their apps.")
    update: bool = _told(
        DEFAULTS.update_owners,
        "Change settings of profiles and spaces in place where they differ from the file. "
        "The default of a space follows its app in any case.",
    )
    look_every: Annotated[float, _Duration(settings.OWNERS_LOOK_EVERY_SECONDS)] = _told(
        DEFAULTS.owners_look_every,
        "Time between two comparisons of all declared profiles and spaces; other runs read none of them.",
    )
    assign: bool = _told(
        DEFAULTS.assign_users,
        "Assign the users of the user profiles that a run makes to their domain's application in IAM Identity Center.",
    )


def _check_id(text: str) -> str:
    if len(text) > limits.RULE_ID_MAX_CHARS or not _RULE_ID.fullmatch(text):
        raise problem(
            f"{show_value(text)} is not an id",
            f"Use lower-case letters, digits and hyphens inside, at most {limits.RULE_ID_MAX_CHARS} characters",
        )
    return text


def _check_code(text: str) -> str:
    if len(text) > limits.EXPRESSION_MAX_CHARS:
        raise problem(
            f"the expression has {len(text):,} characters, more than {limits.EXPRESSION_MAX_CHARS:,}",
            "Split it into several rules",
        )
    if not text.strip():
        raise problem("the expression is empty", "Leave the key out, or write what must be true")
    return text


def _check_prose(text: str) -> str:
    if len(text) > limits.RULE_TEXT_MAX_CHARS:
        raise problem(
            f"the text has {len(text):,} characters, more than {limits.RULE_TEXT_MAX_CHARS:,}", "Say it in fewer words"
        )
    return text


def _check_reason(text: str) -> str:
    if not text.strip():
        raise problem("the reason is empty", "Say why the rule does not hold here: somebody will ask")
    return _check_prose(text)


RuleId = Annotated[str, AfterValidator(_check_id)]
Code = Annotated[str, AfterValidator(_check_code)]
Prose = Annotated[str, AfterValidator(_check_prose)]
Reason = Annotated[str, AfterValidator(_check_reason)]


class SetTable(Table):
    """`set` of a remediation: fields of an app. Tags are merged key by key, every other field is replaced."""

    instance_type: InstanceType | None = None
    fallback: Fallback | None = None
    image_arn: ImageArn | None = None
    image_version_arn: ImageVersionArn | None = None
    image_version_alias: ImageVersionAlias | None = None
    lifecycle_config_arn: LifecycleConfigArn | None = None
    training_plan_arn: TrainingPlanArn | None = None
    recovery_mode: bool | None = None
    tags: Tags | None = None


class RuleTable(Table):
    """One `[[rule]]`."""

    id: RuleId = Field(description="The rule's name in every message; lower-case letters, digits and hyphens.")
    enforcement: Literal["advisory", "skip", "mandatory", "remediate", "disabled"] = Field(
        description="What a denial does: report only, deny that app, deny the run, or change the app."
    )
    scope: Literal["app", "owner", "team", "domain", "fleet"] = _told(
        "app", "What the rule judges: each app, or each group of apps."
    )
    description: Prose = _told("", "The purpose of the rule, for people.")
    match: Code | None = _told(None, "CEL: which apps or groups the rule applies to; all unless set.")
    check: Code | None = _told(None, "CEL: what must be true.")
    message: Prose = _told("", "The message of a denial; {names} are filled in.")
    set: SetTable | None = _told(None, "What a remediation sets.")


class ExceptionTable(Table):
    """One `[[exception]]`."""

    rule: str = Field(description="The id of the rule that does not apply here.")
    match: Code = Field(description="CEL: where the rule does not apply.")
    reason: Reason = Field(description="Why the rule does not apply.")
    expires: Expires = Field(description="The last day of the exception, in UTC.")


class PriorityTable(Table):
    """One `[[priority]]`."""

    match: Code = Field(description="CEL: which apps.")
    weight: Annotated[float, _within(settings.PRIORITY_WEIGHT)] = Field(
        description="Higher goes first; apps that match nothing weigh 0."
    )


_PRICE_SCHEMA: Final = {"type": "number", "minimum": settings.HOURLY_USD.low, "maximum": settings.HOURLY_USD.high}
_TYPE_KEY: Final = f"^({service.INSTANCE_TYPE_FORM.pattern}|{'|'.join(service.APP_TYPES)}|{STORAGE_PRICE})$"
_PRICES_SCHEMA: Final = {
    "type": "object",
    "description": "USD per hour by instance type, or by app type for apps that name none; "
    f"{STORAGE_PRICE} is USD for a GB of a space's volume and a month; a table named after a region holds that "
    "region's own prices",
    "patternProperties": {
        _TYPE_KEY: _PRICE_SCHEMA,
        f"^({REGION.pattern})$": {
            "type": "object",
            "patternProperties": {_TYPE_KEY: _PRICE_SCHEMA},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}

# A number or a table of numbers: `policy_file` reads it by hand, since a union gives two errors for one slip.
Prices = Annotated[dict[str, Any], WithJsonSchema(_PRICES_SCHEMA)]


class PolicyTables(Table):
    """A whole policy file. Every table may be left out."""

    execution: ExecutionTable = ExecutionTable.model_construct()
    backoff: BackoffsTable = BackoffsTable.model_construct()
    observe: ObserveTable = ObserveTable.model_construct()
    safety: SafetyTable = SafetyTable.model_construct()
    tolerance: ToleranceTable = ToleranceTable.model_construct()
    owners: OwnersTable = OwnersTable.model_construct()
    prices: Prices = Field(default_factory=dict)
    rule: list[RuleTable] = Field(default_factory=list)
    exception: list[ExceptionTable] = Field(default_factory=list)
    priority: list[PriorityTable] = Field(default_factory=list)
    notify: list[NotifyTable] = Field(default_factory=list)
