"""JSON Schema (2020-12) of fleet files, so that editors complete keys and explain them.

It is made from the models that check the files. What only makes sense between tables (an unknown app, a circle
of extends) is beyond it: `appfleet validate` says that.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from engine.config.fleet import fleet_models
from engine.config.fleet.fleet_models import AppTable, EntryTable, LayerTable
from engine.config.service import service_model as service
from engine.config.service.fields import ACCOUNT, LABEL, REGION

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_PATTERNS: Final = {
    "id": service.DOMAIN_ID_PATTERN,
    "region": REGION.pattern,
    "account": ACCOUNT.pattern,
    "role_arn": service.ROLE_ARN_PATTERN,
    "execution_role": service.ROLE_ARN_PATTERN,
    "instance_type": service.INSTANCE_TYPE_FORM.pattern,
    "fallback": service.INSTANCE_TYPE_FORM.pattern,
    "image_arn": service.IMAGE_ARN_PATTERN,
    "image_version_arn": service.IMAGE_VERSION_ARN_PATTERN,
    "lifecycle_config_arn": service.LIFECYCLE_CONFIG_ARN_PATTERN,
    "owner": service.NAME_PATTERN,
    "members": service.NAME_PATTERN,
    "use": LABEL.pattern,
    "extends": LABEL.pattern,
}


def _entry(value: Any) -> Any:
    return {"use": value} if isinstance(value, str) else value


Entry = Annotated[EntryTable, BeforeValidator(_entry, json_schema_input_type=str | EntryTable)]


class UserTable(fleet_models.UserTable):
    """`[domains.DOMAIN.users.NAME]`: a user profile and its apps."""

    apps: list[Entry] = Field([], description="The apps: names of definitions, or tables.")


class SpaceTable(fleet_models.SpaceTable):
    """`[domains.DOMAIN.spaces.NAME]`, and the spaces of a team."""

    apps: list[Entry] = Field([], description="The apps: names of definitions, or tables.")


class TeamTable(fleet_models.TeamTable):
    """`[domains.DOMAIN.teams.NAME]`: a whole team at once."""

    user_apps: list[Entry] = Field([], description="Apps of each member's user profile.")
    spaces: dict[str, SpaceTable] = Field(
        {}, description="Spaces of the team; {member} in a name stands for one space for each member."
    )


class DomainTable(fleet_models.DomainTable):
    """`[domains.NAME]`: a SageMaker domain, how to reach it, and who works there."""

    users: dict[str, UserTable] = Field({}, description="User profiles by name.")
    spaces: dict[str, SpaceTable] = Field({}, description="Spaces by name.")
    teams: dict[str, TeamTable] = Field({}, description="Teams by name.")


class IncludedFile(fleet_models.IncludedTable):
    """A file that the fleet file includes: more apps and domains."""

    domains: dict[str, DomainTable] = Field({}, description="Domains by the name that this fleet gives them.")
    apps: dict[str, AppTable] = Field({}, description="Apps that entries may use, by name.")


class FleetFile(fleet_models.FleetTable):
    """fleet.toml: the desired state of a fleet of SageMaker Studio apps."""

    defaults: LayerTable | None = Field(None, description="The lowest layer under every app.")
    domains: dict[str, DomainTable] = Field({}, description="Domains by the name that this fleet gives them.")
    apps: dict[str, AppTable] = Field({}, description="Apps that entries may use, by name.")


def fleet_schema() -> dict[str, Any]:
    """Give the schema of a fleet file."""
    return _schema(FleetFile, "A fleet of SageMaker Studio apps")


def included_schema() -> dict[str, Any]:
    """Give the schema of a file that a fleet file includes."""
    return _schema(IncludedFile, "Apps and domains of a fleet, included by its fleet file")


def _schema(model: type[fleet_models.IncludedTable], title: str) -> dict[str, Any]:
    schema: dict[str, Any] = _without_null(model.model_json_schema(by_alias=True))
    for table in (schema, *schema["$defs"].values()):
        for name, field in table.get("properties", {}).items():
            field["title"] = name
            pattern = _PATTERNS.get(name)
            if pattern is not None:
                text = field["items"] if field.get("type") == "array" else field
                text["pattern"] = f"^(?:{pattern})$"
    return {"$schema": DIALECT, **schema, "title": title}


def _without_null(value: Any) -> Any:
    """Take out null, which TOML does not have: a key that is not set is not written."""
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "default" in value and value["default"] is None:
        value = {key: item for key, item in value.items() if key != "default"}
    options = value.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        kept = [item for item in options if item != {"type": "null"}]
        value = {key: item for key, item in value.items() if key != "anyOf"}
        value |= kept[0] if len(kept) == 1 else {"anyOf": kept}
    return {key: _without_null(item) for key, item in value.items()}
