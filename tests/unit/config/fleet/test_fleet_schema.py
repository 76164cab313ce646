"""The JSON Schema says what the models say."""

from __future__ import annotations

import json
import re
from typing import Any

from engine.config.fleet.fleet_schema import FleetFile, fleet_schema, included_schema


def _tables(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [schema, *schema["$defs"].values()]


def test_it_is_json_of_the_dialect_it_names() -> None:
    schema = json.loads(json.dumps(fleet_schema()))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["schema", "name"]
    assert set(schema["properties"]) == {field.alias or name for name, field in FleetFile.model_fields.items()}


def test_every_key_has_a_title_and_a_description() -> None:
    for table in _tables(fleet_schema()):
        assert table["description"]
        assert table["additionalProperties"] is False
        for name, field in table["properties"].items():
            assert field["title"] == name
            assert field["description"].endswith(".")


def test_null_which_toml_does_not_have_is_nowhere() -> None:
    assert "null" not in json.dumps(fleet_schema())


def test_patterns_are_anchored() -> None:
    found = re.findall(r'"pattern": "(.)', json.dumps(fleet_schema()))
    assert len(found) > 20
    assert set(found) == {"^"}


def test_an_entry_is_a_name_or_a_table() -> None:
    items = fleet_schema()["$defs"]["UserTable"]["properties"]["apps"]["items"]
    assert items == {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/EntryTable"}]}


def test_an_included_file_holds_apps_and_domains_alone() -> None:
    schema = included_schema()
    assert set(schema["properties"]) == {"apps", "calendars", "domains", "domains_from", "templates"}
    assert "required" not in schema
