"""What the commands print is what docs/schemas/ says: real output, and samples that hold a little of everything."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tests.architecture.files import ROOT
from tests.unit.render.samples import a_plan, a_report, a_status
from tools.schemas import SCHEMAS

if TYPE_CHECKING:
    from pathlib import Path

RUN_MAX_SECONDS = 180


def read(name: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text()))


def closed(schema: Any) -> Any:
    """Give the schema with every object closed, so that a field that is printed and not told of is found."""
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


def run(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "APPFLEET_"))}
    return subprocess.run(
        [sys.executable, "-m", "engine", *words],
        cwd=place, env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        timeout=RUN_MAX_SECONDS,
    )  # fmt: skip


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
    plan = json.loads(run(tmp_path, "plan", *only).stdout)
    check("plan", plan)
    applied = run(tmp_path, "--log-file", "run.jsonl", "--log-level", "debug", "apply", "--yes", *only)
    check("apply", json.loads(applied.stdout))
    check("status", json.loads(run(tmp_path, "status", *only).stdout))
    key = plan["changes"][0]["key"]
    check("explain", json.loads(run(tmp_path, "explain", key, "--simulate", "--format", "json").stdout))
    history = json.loads(run(tmp_path, "history", "--format", "json").stdout)
    check("history", history)
    assert len(history["runs"]) == 1
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert {"plan.computed", "app.created", "app.in_service", "run.finished"} <= {line["event"] for line in lines}
    for line in lines:
        check("log-line", line)


def test_a_field_that_no_schema_tells_of_is_found() -> None:
    with pytest.raises(AssertionError, match="surprise"):
        check("apply", {**a_report().to_json(), "surprise": 1})
