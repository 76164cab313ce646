"""`appfleet schema`: JSON Schema of the files, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.app.schema import SchemaOf
from engine.cli import flags
from engine.cli.output import write_result
from engine.core.errors import ExitCode, UsageError


def schema(
    of: Annotated[
        SchemaOf | None, typer.Argument(help="fleet.toml, a file that it includes, or a policy file.")
    ] = None,
    out: Annotated[
        Path | None,
        flags.path_flag(
            "--out",
            help="Write all schemas into this folder, replacing those of an earlier version.",
            metavar="FOLDER",
            dash="Name a folder",
        ),
    ] = None,
) -> int:
    """Print the JSON Schema of the files, for editors.

    Example: appfleet schema fleet > fleet.schema.json
    """
    from engine.app.schema import schema_text, write_schemas

    if of is not None and out is None:
        return ExitCode.OK if write_result(schema_text(of)) else ExitCode.FAILED
    if of is not None or out is None:
        said = "schema needs a kind of file, or a folder" if of is None else "--out writes the schemas of all kinds"
        raise UsageError(said, hint="Use appfleet schema fleet (or included, policy), or appfleet schema --out schemas")
    text = "".join(f"wrote {path}\n" for path in write_schemas(out))
    return ExitCode.OK if write_result(text) else ExitCode.FAILED
