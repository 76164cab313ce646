"""`appfleet schema`: JSON Schema of the files, for editors."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

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
    from engine.app.schema import fleet_schema, policy_schema
    from engine.render.json_text import json_text

    found = policy_schema() if of is SchemaOf.POLICY else fleet_schema(included=of is SchemaOf.INCLUDED)
    return ExitCode.OK if write_result(json_text(found)) else ExitCode.FAILED
