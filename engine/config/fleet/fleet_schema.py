"""The JSON Schema of fleet files: the tables of `fleet_models`, joined into one model of a whole file."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from engine.config.fleet import fleet_models
from engine.config.fleet.fleet_models import AppTable, CalendarTable, DomainsFromTable, EntryTable, LayerTable
from engine.config.toml_schema import toml_schema


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
        {}, description="Spaces of the team; {member} in a name makes one space per member."
    )


class DomainTable(fleet_models.DomainTable):
    """`[domains.NAME]`: a SageMaker domain, how to reach it, and who works there."""

    users: dict[str, UserTable] = Field({}, description="User profiles by name.")
    spaces: dict[str, SpaceTable] = Field({}, description="Spaces by name.")
    teams: dict[str, TeamTable] = Field({}, description="Teams by name.")


# A domain's table in which words in braces stand for what a line says: checked once they are filled in.
Template = dict[str, Any]


class IncludedFile(fleet_models.IncludedTable):
    """A file that the fleet file includes: more apps and domains."""

    domains: dict[str, DomainTable] = Field({}, description="Domains by the name that this fleet gives them.")
    domains_from: list[DomainsFromTable] = Field([], description="Domains from CSV files, each with its template.")
    templates: dict[str, Template] = Field({}, description="Templates of domains, by name.")
    apps: dict[str, AppTable] = Field({}, description="Apps that entries may use, by name.")
    calendars: dict[str, CalendarTable] = Field({}, description="Calendars that hours may name, by name.")


class FleetFile(fleet_models.FleetTable):
    """fleet.toml: the desired state of a fleet of SageMaker Studio apps."""

    defaults: LayerTable | None = Field(None, description="The lowest layer under every app.")
    domains: dict[str, DomainTable] = Field({}, description="Domains by the name that this fleet gives them.")
    domains_from: list[DomainsFromTable] = Field([], description="Domains from CSV files, each with its template.")
    templates: dict[str, Template] = Field({}, description="Templates of domains, by name.")
    apps: dict[str, AppTable] = Field({}, description="Apps that entries may use, by name.")
    calendars: dict[str, CalendarTable] = Field({}, description="Calendars that hours may name, by name.")


def fleet_schema() -> dict[str, Any]:
    """Return the schema of a fleet file."""
    return toml_schema(FleetFile, "A fleet of SageMaker Studio apps")


def included_schema() -> dict[str, Any]:
    """Return the schema of a file that a fleet file includes."""
    return toml_schema(IncludedFile, "Apps and domains of a fleet, included by its fleet file")
