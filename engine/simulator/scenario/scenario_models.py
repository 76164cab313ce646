"""The shape of a scenario file: which tables it may hold, of which types and within which bounds.

Not here: reading the file and building a world from it (`scenario`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from engine.config.fleet.fleet_models import Table
from engine.config.reading.problems import problem
from engine.config.service.fields import (
    Account,
    AppType,
    DomainId,
    ExternalId,
    InstanceType,
    Name,
    Region,
    RoleArn,
    TrainingPlanArn,
)
from engine.config.service.service_model import SSO_VALUE_MAX_CHARS
from engine.core.limits import SCENARIO_ROWS_MAX_COUNT, TAG_KEY_MAX_CHARS, TAG_VALUE_MAX_CHARS
from engine.core.settings import HOURLY_USD
from engine.simulator.world.faults import FaultKind
from engine.simulator.world.quotas import Wording
from engine.simulator.world.training_plans import STATUSES, STUDIO_APPS

SECONDS_MAX = 7 * 86_400.0

Seconds = Annotated[float, Field(ge=0, le=SECONDS_MAX)]
SecondsAround = Annotated[float, Field(ge=-SECONDS_MAX, le=SECONDS_MAX)]
Price = Annotated[float, Field(ge=0, le=HOURLY_USD.high)]
Count = Annotated[int, Field(ge=0, le=SCENARIO_ROWS_MAX_COUNT)]
Tags = dict[
    Annotated[str, Field(min_length=1, max_length=TAG_KEY_MAX_CHARS)],
    Annotated[str, Field(max_length=TAG_VALUE_MAX_CHARS)],
]  # any tags, appfleet:fleet too: somebody else's world is described here
SsoUser = Annotated[str, Field(min_length=1, max_length=SSO_VALUE_MAX_CHARS)]
Probability = Annotated[float, Field(ge=0, le=1)]


def _check_range(bounds: list[float]) -> list[float]:
    if len(bounds) != 2 or bounds[0] > bounds[1]:
        raise problem("a range is two numbers, the smaller one first", "Write it as [0.5, 1.5], or as one number")
    return bounds


RangeOrSeconds = Seconds | Annotated[list[Seconds], AfterValidator(_check_range)]


class TimesTable(Table):
    """How long things take: a number of seconds, or a range of them."""

    app_pending: RangeOrSeconds | None = None
    app_deleting: RangeOrSeconds | None = None
    profile_pending: RangeOrSeconds | None = None
    profile_updating: RangeOrSeconds | None = None
    profile_deleting: RangeOrSeconds | None = None
    space_pending: RangeOrSeconds | None = None
    space_updating: RangeOrSeconds | None = None
    space_deleting: RangeOrSeconds | None = None
    space_storage: RangeOrSeconds | None = None
    answer: RangeOrSeconds | None = None
    sts_answer: RangeOrSeconds | None = None
    tombstone: Seconds | None = None
    health_check: Annotated[float, Field(ge=1, le=SECONDS_MAX)] | None = None


class LimitTable(Table):
    """A request limit: calls a second, and how many at once after a pause. `rate` 0 lifts it."""

    rate: float = Field(ge=0, le=1_000_000)
    burst: float = Field(1.0, ge=1, le=1_000_000)


class QuotasTable(Table):
    """Defaults of the quotas, and how the service speaks of a full one."""

    apps_per_bucket: Count | None = None
    running_apps: Count | None = None
    user_profiles: Count | None = None
    spaces: Count | None = None
    wording: Literal[tuple(word.value for word in Wording)] | None = None  # type: ignore[valid-type]
    zero_is_refused: bool | None = None


class QuotaTable(Table):
    """The quota of one bucket, or of any `name`; in one account and region, or in all."""

    app_type: AppType | None = None
    instance_type: InstanceType | None = None
    name: str | None = Field(None, min_length=1, max_length=200)
    value: Count
    account: Account | None = None
    region: Region | None = None


class TrainingPlanTable(Table):
    """A training plan. `starts` and `ends` count seconds from the start of the scenario, backwards where negative.

    `available`: how many of the `total` instances others leave free; all of them unless set.
    """

    arn: TrainingPlanArn
    instance_type: InstanceType | list[InstanceType]
    total: Count
    available: Count | None = None
    status: Literal[STATUSES] | None = None  # type: ignore[valid-type]
    starts: SecondsAround = 0.0
    ends: SecondsAround | None = None
    target_resources: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(default=[STUDIO_APPS])
    full_is_refused: bool = True


class TrainingPlanChangeTable(Table):
    """What changes of a training plan."""

    arn: TrainingPlanArn
    total: Count | None = None
    available: Count | None = None
    status: Literal[STATUSES] | None = None  # type: ignore[valid-type]


class FailureTable(Table):
    """New apps that end Failed; all but `reason` and `probability` are globs."""

    reason: str = Field("capacity", max_length=1_000)
    app_type: str = "*"
    instance_type: str = "*"
    owner: str = "*"
    lifecycle_config: str = "*"
    probability: Probability = 1.0


class UpdateFailureTable(Table):
    """Updates of user profiles and spaces that end Update_Failed; `owner` is a glob."""

    reason: str = Field("InternalFailure", min_length=1, max_length=1_000)
    owner: str = "*"
    probability: Probability = 1.0


class FaultTable(Table):
    """A fault of calls, between two times from the beginning, at most `max_count` times."""

    kind: Literal[tuple(kind.value for kind in FaultKind)]  # type: ignore[valid-type]
    operation: str = "*"
    probability: Probability = 1.0
    from_seconds: Seconds = 0.0
    until_seconds: Seconds | None = None
    max_count: Count | None = None
    code: str = Field("", max_length=100)
    message: str = Field("", max_length=2_000)
    status: int = Field(400, ge=400, le=599)


class AppTable(Table):
    """An app that is there, of a user profile or a space. Somebody works in it for `used_for` seconds."""

    user: Name | None = None
    space: Name | None = None
    type: AppType
    name: Name = "default"
    instance_type: InstanceType | None = None
    training_plan_arn: TrainingPlanArn | None = None
    status: Literal["InService", "Pending", "Deleting", "Failed", "Deleted"] = "InService"
    failure_reason: str = Field("", max_length=1_000)
    used_for: Seconds = 0.0
    tags: Tags | None = None


class AppRefTable(Table):
    """An app that a change speaks of. `{n}` in its names is the number of the repetition, from 1."""

    domain: DomainId
    user: str | None = None
    space: str | None = None
    type: AppType
    name: str = "default"
    instance_type: InstanceType | None = None
    training_plan_arn: TrainingPlanArn | None = None
    tags: Tags | None = None
    reason: str = Field("InternalFailure", max_length=1_000)


class OperationLimitTable(LimitTable):
    """The request limit that a change sets."""

    operation: str


class AtTable(Table):
    """One change at a time. `from` first-create counts from the first CreateApp that arrives."""

    seconds: Seconds
    since: Literal["start", "first-create"] = Field("start", alias="from")
    every: Seconds = 0.0
    times: int = Field(1, ge=1, le=10_000)
    quota: QuotaTable | None = None
    request_limit: OperationLimitTable | None = None
    failures: list[FailureTable] | None = None
    create_app: AppRefTable | None = None
    delete_app: AppRefTable | None = None
    fail_app: AppRefTable | None = None
    training_plan: TrainingPlanChangeTable | None = None


class SpaceTable(Table):
    """A space that is there."""

    name: Name
    owner: Name | None = None
    sharing: Literal["Private", "Shared"] = "Private"
    app_type: AppType | None = None
    ebs_gb: int = Field(5, ge=5, le=16_384)
    tags: Tags | None = None


class SpacePerUserTable(Table):
    """One private space for each user, with an app in it where `instance_type` says of which size."""

    suffix: str = Field("-lab", pattern="^[-a-zA-Z0-9]{1,20}$")
    app_type: AppType = "JupyterLab"
    ebs_gb: int = Field(5, ge=5, le=16_384)
    app: bool = False
    instance_type: InstanceType | None = None
    status: Literal["InService", "Pending", "Deleting", "Failed", "Deleted"] = "InService"
    tags: Tags | None = None


class DomainTable(Table):
    """A domain. `users` is a list of names, or how many there are (PREFIX00001 and so on)."""

    id: DomainId
    region: Region = "us-east-1"
    account: Account | None = None
    name: str = ""
    auth_mode: Literal["IAM", "SSO"] = "IAM"
    tags: Tags | None = None
    users: Count | list[Name] = 0
    user_prefix: str = Field("user-", pattern="^[a-zA-Z0-9][-a-zA-Z0-9]{0,40}$")
    space_per_user: SpacePerUserTable | None = None
    space: list[SpaceTable] = Field(default_factory=list)
    app: list[AppTable] = Field(default_factory=list)


class IdentityCenterTable(Table):
    """IAM Identity Center. `users`: the identity store has these user names and no others; unset: everybody."""

    users: Annotated[list[SsoUser], Field(max_length=SCENARIO_ROWS_MAX_COUNT)] | None = None
    profiles_need_users: bool | None = None


class ScenarioTables(Table):
    """A whole scenario file."""

    schema_: Literal[1] = Field(alias="schema")
    seed: int = Field(0, ge=0)
    account: Account | None = None
    keep_replaced_rows: bool | None = None
    times: TimesTable = Field(default_factory=TimesTable)
    request_limits: dict[str, LimitTable] = Field(default_factory=dict)
    quotas: QuotasTable = Field(default_factory=QuotasTable)
    quota: list[QuotaTable] = Field(default_factory=list)
    training_plan: list[TrainingPlanTable] = Field(default_factory=list)
    failure: list[FailureTable] = Field(default_factory=list)
    update_failure: list[UpdateFailureTable] = Field(default_factory=list)
    fault: list[FaultTable] = Field(default_factory=list)
    prices: dict[InstanceType, Price] = Field(default_factory=dict)  # 0: the type is not sold
    identity_center: IdentityCenterTable = Field(default_factory=IdentityCenterTable)
    missing: list[Annotated[str, Field(min_length=1, max_length=2_048)]] = Field(default_factory=list)
    external_ids: dict[RoleArn, ExternalId] = Field(default_factory=dict)
    at: list[AtTable] = Field(default_factory=list)
    domain: list[DomainTable] = Field(default_factory=list)
