"""What a schema says of a file: nothing of one that the loader takes, and something of one whose form is wrong."""

from __future__ import annotations

import tomllib
from datetime import date, time
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from engine.config.fleet.fleet_schema import fleet_schema, included_schema
from engine.config.policy.policy_schema import policy_schema

ROOT: Final = Path(__file__).parents[3]
CASES: Final = ROOT / "tests" / "cases"
SCHEMAS: Final = {
    "fleet": Draft202012Validator(fleet_schema()),
    "included": Draft202012Validator(included_schema()),
    "policy": Draft202012Validator(policy_schema()),
}


def kind_of(file: Path) -> str:
    if file.parent.name == "policies" or file.name == "policy.toml":
        return "policy"
    return "fleet" if file.name == "fleet.toml" else "included"


def good_files() -> list[Path]:
    shipped = [ROOT / "fleet.toml", *(ROOT / "teams").glob("*.toml"), *(ROOT / "policies").glob("*.toml")]
    found = [file for file in (*shipped, *(CASES / "fleet_good").rglob("*.toml")) if ".test." not in file.name]
    return sorted(found)


def as_json(value: Any) -> Any:
    """Return what an editor's checker sees of TOML: dates are text there."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value.isoformat() if isinstance(value, date | time) else value


def problems(file: Path) -> list[str]:
    document = as_json(tomllib.loads(file.read_text(encoding="utf-8-sig")))
    return [f"{error.json_path}: {error.message}" for error in SCHEMAS[kind_of(file)].iter_errors(document)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name].schema)


@pytest.mark.parametrize("file", good_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_what_the_loader_takes_the_schema_takes(file: Path) -> None:
    assert problems(file) == []


def test_there_are_good_files_of_each_kind() -> None:
    assert {kind_of(file) for file in good_files()} == SCHEMAS.keys()


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("fleet_bad/account-too-short", "does not match"),
        ("fleet_bad/app-type-unknown", "is not one of"),
        ("fleet_bad/apps-not-a-list", "is not of type 'array'"),
        ("fleet_bad/control-bidi-in-app-name", "is not valid under any"),
        ("fleet_bad/domain-id-wrong", "does not match"),
        ("fleet_bad/ebs-too-small", "less than the minimum of 5"),
        ("fleet_bad/image-arn-wrong", "does not match"),
        ("fleet_bad/instance-type-malformed", "does not match"),
        ("fleet_bad/mode-unknown", "is not one of"),
        ("fleet_bad/name-missing", "'name' is a required property"),
        ("fleet_bad/schema-of-another-version", "1 was expected"),
        ("fleet_bad/tag-value-a-number", "is not of type 'string'"),
        ("fleet_bad/unknown-key-in-team-space", "'aps' was unexpected"),
        ("policy_bad/a_duration_without_quotes", "is not of type 'string'"),
        ("policy_bad/a_duration_without_unit", "does not match"),
        ("policy_bad/a_rate_that_is_too_high", "greater than the maximum of 10000"),
        ("policy_bad/a_rule_without_id_and_enforcement", "'enforcement' is a required property"),
        ("policy_bad/a_set_of_what_cannot_be_set", "'name' was unexpected"),
        ("policy_bad/a_word_that_replace_does_not_know", "is not one of ['never', 'on-drift']"),
        ("policy_bad/a_notify_command_as_one_text", "is not of type 'array'"),
        ("policy_bad/a_notify_of_an_unknown_end", "is not one of"),
        ("policy_bad/an_unknown_key", "'create_rat' was unexpected"),
    ],
)
def test_a_wrong_form_is_found_by_the_schema_too(case: str, said: str) -> None:
    folder = CASES / case
    name = "fleet.toml" if case.startswith("fleet") else "policy.toml"
    found = problems(folder / name)
    assert any(said in one for one in found), found
