"""`schema`: the JSON Schema of each kind of file."""

from __future__ import annotations

from typing import Any


def fleet_schema(*, included: bool) -> dict[str, Any]:
    """Return the schema of a fleet file, or of one that it includes."""
    from engine.config.fleet import fleet_schema

    return fleet_schema.included_schema() if included else fleet_schema.fleet_schema()


def policy_schema() -> dict[str, Any]:
    """Return the schema of a policy file."""
    from engine.config.policy import policy_schema

    return policy_schema.policy_schema()
