"""The JSON Schema of a policy file, for editors: pydantic's own, put into the words of TOML.

Not here: what is allowed (`policy_models`).
"""

from __future__ import annotations

from typing import Any

from engine.config.fleet.fleet_schema import DIALECT
from engine.config.policy.policy_models import DURATION_PATTERN, PolicyTables, format_duration


def policy_schema() -> dict[str, Any]:
    """Give the JSON Schema of a policy file."""
    schema = PolicyTables.model_json_schema(by_alias=True)
    _tidy(schema)
    for table in (schema, *schema["$defs"].values()):
        for name, field in table.get("properties", {}).items():
            field["title"] = name
    return {"$schema": DIALECT, **schema, "title": "Policies of a fleet of SageMaker Studio apps"}


def _tidy(node: Any) -> None:
    """Take out what TOML cannot say (null), and give the defaults of durations as they are written."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    default = node.get("default")
    if default is None or isinstance(default, dict | list):  # of a table: its own keys tell their defaults
        node.pop("default", None)
    elif node.get("pattern") == DURATION_PATTERN:
        node["default"] = format_duration(default)
    kinds = [kind for kind in node.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del node["anyOf"]
        node.update(kinds[0])
    for item in list(node.values()):
        _tidy(item)
