"""The JSON Schema of a policy file. Not here: what is allowed (`policy_models`)."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from engine.config.policy.policy_models import PolicyTables
from engine.config.toml_schema import TomlSchema, toml_schema
from engine.core.durations import DURATION_PATTERN, format_duration


class _PolicySchema(TomlSchema):
    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Return the defaults of durations as they are written."""
        found = super().default_schema(schema)
        if "default" in found and found.get("pattern") == DURATION_PATTERN:
            found["default"] = format_duration(found["default"])
        return found


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of a policy file."""
    return toml_schema(PolicyTables, "Policies of a fleet of SageMaker Studio apps", _PolicySchema)
