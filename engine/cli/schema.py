"""`appfleet schema`: JSON Schema of the files, for editors."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from engine.cli.output import write_result
from engine.core.errors import ExitCode


class SchemaOf(StrEnum):
    """Which kind of file."""

    FLEET = "fleet"
    INCLUDED = "included"
    POLICY = "policy"


def schema(
    of: Annotated[SchemaOf, typer.Argument(help="fleet.toml, a file that it includes, or a policy file.")],
) -> int:
    """Print the JSON Schema of the files, for editors.

    Example: appfleet schema fleet > fleet.schema.json
    """
    from engine.render.json_text import json_text

    return ExitCode.OK if write_result(json_text(_schema(of))) else ExitCode.FAILED


def _schema(of: SchemaOf) -> dict[str, Any]:
    if of is SchemaOf.POLICY:
        from engine.config.policy.policy_schema import policy_schema

        return policy_schema()
    from engine.config.fleet.fleet_schema import fleet_schema, included_schema

    return fleet_schema() if of is SchemaOf.FLEET else included_schema()
