"""JSON Schema (2020-12) of files in TOML, made by pydantic from the models that check them, so that editors help.

What only makes sense between tables (an unknown app, a circle of extends) is beyond a schema: `appfleet validate` says
that.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


class TomlSchema(GenerateJsonSchema):
    """Pydantic's own schema in the words of TOML, where a key that is not set is not written and null is unknown."""

    def get_title_from_name(self, name: str) -> str:
        """Return a key as it is written."""
        return name

    def field_title_should_be_set(self, _schema: Any) -> bool:
        """Say that every key has a title, also one that holds a table."""
        return True

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Leave out null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Leave out the default of what is unset, and of tables, whose own keys tell theirs."""
        found = super().default_schema(schema)
        if isinstance(found.get("default"), dict | None):
            found.pop("default", None)
        return found


def toml_schema(model: type[BaseModel], title: str, generator: type[TomlSchema] = TomlSchema) -> dict[str, Any]:
    """Return the schema of a whole file."""
    schema = model.model_json_schema(schema_generator=generator)
    return {"$schema": generator.schema_dialect, **schema, "title": title}
