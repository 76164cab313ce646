"""What the commands print is what docs/schemas/ says: real output, and samples that hold a little of everything."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tests import warm
from tests.architecture.files import ROOT
from tests.unit.render.samples import a_plan, a_report, a_status
from tools.schemas import SCHEMAS

if TYPE_CHECKING:
    from pathlib import Path

RUN_MAX_SECONDS = 180


def read(name: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text()))


def closed(schema: Any) -> Any:
    """Return the schema with every object closed, so that a field that is printed and not told of is found."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    if "properties" in schema and "additionalProperties" not in schema:
        inner["additionalProperties"] = False
    return inner


def check(name: str, document: Any) -> None:
    problems = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
        for error in Draft202012Validator(closed(read(name))).iter_errors(document)
    ]
    assert problems == [], "mend tools/schemas.py, then run `make docs`"


def run(place: Path, *words: str) -> Any:
    """Return what a command prints."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    with warm.start(words, cwd=place, env={**kept, "HOME": str(place)}, hasty=True) as process:
        out, _ = process.communicate(timeout=RUN_MAX_SECONDS)
    return json.loads(out)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(read(name))


@pytest.mark.parametrize(
    ("name", "document"),
    [("plan", a_plan().to_json()), ("apply", a_report().to_json()), ("status", a_status().to_json())],
    ids=["plan", "apply", "status"],
)
def test_a_document_with_a_little_of_everything_is_as_its_schema_says(name: str, document: Any) -> None:
    check(name, json.loads(json.dumps(document)))


@pytest.mark.slow
def test_what_the_commands_print_is_as_the_schemas_say(tmp_path: Path) -> None:
    shutil.copy(ROOT / "fleet.toml", tmp_path)
    for folder in ("teams", "policies"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    only = ("--simulate", "--team", "vision", "--format", "json")
    plan = run(tmp_path, "plan", *only)
    check("plan", plan)
    check("apply", run(tmp_path, "--log-file", "run.jsonl", "--log-level", "debug", "apply", "--yes", *only))
    check("status", run(tmp_path, "status", *only))
    owners = run(tmp_path, "status", "--owners", *only)
    check("status", owners)
    assert owners["owners"]["summary"]["as_declared"]
    key = plan["changes"][0]["key"]
    check("preflight", run(tmp_path, "preflight", "--simulate", "--format", "json"))
    check("explain", run(tmp_path, "explain", key, "--simulate", "--format", "json"))
    history = run(tmp_path, "history", "--format", "json")
    check("history", history)
    assert len(history["runs"]) == 1
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert {"plan.computed", "app.created", "app.in_service", "run.finished"} <= {line["event"] for line in lines}
    for line in lines:
        check("log-line", line)


def test_a_field_that_no_schema_tells_of_is_found() -> None:
    with pytest.raises(AssertionError, match="surprise"):
        check("apply", {**a_report().to_json(), "surprise": 1})
