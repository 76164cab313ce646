"""The tables of a fleet file as they may be written: which keys each has, and of which kind.

Each table is checked once, as written, without the tables inside it; what layers and teams make of it later is
never run through pydantic again. Not here: what the tables mean together (`expand`), nor any default of the
service. `fleet_schema` joins them into one model of a whole file.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from engine.config.service.fields import (
    Account,
    AppType,
    AwsProfile,
    ClosedDay,
    DomainId,
    EbsGb,
    Expires,
    ExternalId,
    Fallback,
    FleetName,
    HoursText,
    IdleMinutes,
    ImageArn,
    ImageVersionAlias,
    ImageVersionArn,
    InstanceType,
    Label,
    LifecycleConfigArn,
    ModeWord,
    Name,
    Region,
    RoleArn,
    Sharing,
    SsoIdentity,
    SsoTemplate,
    Tags,
    TrainingPlanArn,
    WindowText,
)

POLICIES_DEFAULT: Final = ("policies/*.toml",)


class Table(BaseModel):
    """The one base: unknown keys are refused, nothing is converted, and no message repeats what was read."""

    # defer_build: a model that no table of a fleet needs is never built, which is half of the time of `validate`.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)

    # Keys of the table that are read apart, and are taken out before it is checked.
    parts: ClassVar[tuple[str, ...]] = ()

    def values(self, names: frozenset[str]) -> dict[str, Any]:
        """Return what was written of the keys in `names`, and nothing that was not."""
        return {name: getattr(self, name) for name in self.model_fields_set if name in names}


class LayerTable(Table):
    """The app keys that any table may set for all apps below it."""

    instance_type: InstanceType | None = Field(None, description="The instance type, such as ml.t3.medium.")
    image_arn: ImageArn | None = Field(None, description="The SageMaker image.")
    image_version_arn: ImageVersionArn | None = Field(
        None, description='The version of the image; "None" clears it. It wins over image_arn.'
    )
    image_version_alias: ImageVersionAlias | None = Field(None, description="The alias of the image version.")
    lifecycle_config_arn: LifecycleConfigArn | None = Field(
        None, description='The lifecycle configuration that runs when the app starts; "None" clears it.'
    )
    training_plan_arn: TrainingPlanArn | None = Field(
        None, description='The training plan whose reserved instances the app runs on; "None" detaches it.'
    )
    recovery_mode: bool | None = Field(None, description="Start the app in recovery mode.")
    tags: Tags | None = Field(None, description="Tags; they merge key by key with those of lower layers.")
    mode: ModeWord | None = Field(
        None, description="running: created again whenever it is gone; once: created once; absent: must not exist."
    )
    expires: Expires | None = Field(None, description="The last day, in UTC, on which the app is wanted.")
    hours: HoursText | None = Field(
        None,
        description="When the app is wanted: the name of a calendar, or a window with its time zone, such as "
        'Mon-Fri 08:00-19:00 Europe/Berlin; "None" for always.',
    )


class AppTable(LayerTable):
    """`[apps.NAME]`: an app that entries may use."""

    type: AppType | None = Field(None, description="The kind of app.")
    name: Name | None = Field(None, description="The app's name; default unless set.")
    fallback: Fallback | None = Field(
        None, description="Instance types to try, in order, when there is no capacity or the quota is 0."
    )
    extends: Label | None = Field(None, description="The app definition that this one builds on.")


class EntryTable(LayerTable):
    """One entry of an `apps` list: a definition's name, or a table that uses one and changes fields of it."""

    type: AppType | None = Field(None, description="The kind of app, where no definition is used.")
    name: Name | None = Field(None, description="The app's name; default unless set.")
    fallback: Fallback | None = Field(
        None, description="Instance types to try, in order, when there is no capacity or the quota is 0."
    )
    use: Label | None = Field(None, description="The app definition that this entry builds on.")


class OwnerTable(LayerTable):
    """What user profiles and spaces have in common."""

    parts: ClassVar[tuple[str, ...]] = ("apps",)

    settings: dict[str, Any] | None = Field(
        None, description="UserSettings or SpaceSettings, as CreateUserProfile or CreateSpace accepts them."
    )


class UserTable(OwnerTable):
    """`[domains.DOMAIN.users.NAME]`: a user profile and its apps."""

    execution_role: RoleArn | None = Field(None, description="The profile's execution role.")
    sso_identity: SsoIdentity | None = Field(
        None, description="The user name in IAM Identity Center; {member} is the profile's name."
    )


class SpaceTable(OwnerTable):
    """`[domains.DOMAIN.spaces.NAME]`, and the spaces of a team."""

    owner: Name | None = Field(None, description="The user profile that owns the space.")
    sharing: Sharing | None = Field(None, description="Private unless set.")
    ebs_gb: EbsGb | None = Field(None, description="The size of the space's volume, in GiB.")
    idle_minutes: IdleMinutes | None = Field(None, description="Idle minutes after which the app is shut down.")


class MembersTable(Table):
    """A file of members, or the lines of one in which certain columns say certain things."""

    file: str = Field(description="A CSV file, beside this one, that names user profiles or addresses.")
    where: dict[str, str] = Field({}, description="Selects lines by their values, by the title of the column.")
    unmatched: Literal["warn", "ignore"] = Field(
        "warn", description="Lines that no team selects: warn and stop prune, or do nothing."
    )


def _members_table(value: Any) -> Any:
    return {"file": value} if isinstance(value, str) else value


Members = Annotated[MembersTable, BeforeValidator(_members_table, json_schema_input_type=str | MembersTable)]


class TeamTable(LayerTable):
    """`[domains.DOMAIN.teams.NAME]`: a whole team at once."""

    parts: ClassVar[tuple[str, ...]] = ("user_apps", "spaces")

    members: list[Name] | None = Field(None, description="User profile names.")
    members_file: Members | None = Field(
        None, description="A CSV file, beside this one, that names the members' user profiles or addresses."
    )
    sso_identity: SsoTemplate | None = Field(
        None, description="Each member's user name in IAM Identity Center, such as {member}@example.com."
    )


class DomainTable(LayerTable):
    """`[domains.NAME]`: a SageMaker domain, how to reach it, and who works there."""

    parts: ClassVar[tuple[str, ...]] = ("users", "spaces", "teams")

    id: DomainId | None = Field(None, description="The domain's id, such as d-abcd1234efgh.")
    region: Region | None = Field(None, description="The AWS region.")
    account: Account | None = Field(None, description="The account; appfleet does not use credentials of another one.")
    profile: AwsProfile | None = Field(None, description="The AWS profile to use.")
    role_arn: RoleArn | None = Field(None, description="The role to assume.")
    external_id: ExternalId | None = Field(
        None, description="The external id that the role's trust policy requires; only with role_arn."
    )
    sso_identity: SsoTemplate | None = Field(
        None, description="Each profile's user name in IAM Identity Center, such as {member}@example.com."
    )


class CalendarTable(Table):
    """`[calendars.NAME]`: windows of each week, in one time zone."""

    hours: list[WindowText] = Field(
        description='Windows of each week, such as "Mon-Fri 08:00-19:00" or "Fri 16:00-Mon 06:00".'
    )
    zone: str = Field(description="The time zone, by its IANA name, such as Europe/Berlin.")
    closed: list[ClosedDay] = Field([], description="Whole days without hours.")


class DomainsFromTable(Table):
    """`[[domains_from]]`: a domain for each line of a CSV file, all of them from one template."""

    csv: str = Field(
        description="A CSV file, beside this one: name, id, region, account, and what else the template names."
    )
    template: Label = Field(description="The template that each line fills.")


class IncludedTable(Table):
    """A file that the fleet file includes: more apps and domains."""

    parts: ClassVar[tuple[str, ...]] = ("apps", "calendars", "domains", "domains_from", "templates")


class FleetTable(IncludedTable):
    """fleet.toml: the desired state of a fleet of SageMaker Studio apps."""

    parts: ClassVar[tuple[str, ...]] = (*IncludedTable.parts, "defaults")

    schema_: Literal[1] = Field(alias="schema", description="The version of this format: 1.")
    name: FleetName = Field(description="The fleet's name: the value of the ownership tag appfleet:fleet.")
    policies: list[str] = Field(list(POLICIES_DEFAULT), description="Policy files, as patterns.")
    include: list[str] = Field([], description="Files with more apps and domains, as patterns.")


# Which of the keys above make a layer, and which of them are fields of an app that CreateApp takes.
LAYER_FIELDS: Final = frozenset(LayerTable.model_fields)
APP_FIELDS: Final = LAYER_FIELDS | {"type", "name", "fallback"}
