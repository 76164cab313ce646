"""Today's code in the place of the version before: the same files, worlds, journals and saved plans, the same answers.

See README.md in this folder for what the data are and what to do when one of these tests fails.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.plan_json import plan_from_json
from tests.compat.plain import differences, plain
from tests.compat.stored import DATA, Step, all_steps, restored, steps_of, taken
from tools.make_docs import error_classes, event_classes
from tools.schemas import SCHEMAS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.harness import Place


EVENTS: dict[str, dict[str, Any]] = json.loads((DATA / "events.json").read_text())
ERRORS: dict[str, list[Any]] = json.loads((DATA / "errors.json").read_text())
DIFFERS: dict[str, dict[str, dict[str, str]]] = json.loads((DATA / "differs.json").read_text())
SAVED = sorted(DATA.glob("*/plans/*.json"))
FATES = (
    "app.created",
    "app.deleted",
    "app.in_service",
    "app.adopted",
    "app.failed",
    "app.skipped",
    "run.started",
    "run.finished",
)
WORDS_OF_A_SCHEMA = {"title", "description"}


def name_of(path: Path) -> str:
    return f"{path.parts[-3]}-{path.stem}"


def changes(path: Path, before: Step, now: Step) -> list[str]:
    """Return where a step gave something else than before, but for what differs on purpose."""
    was, is_ = ({"code": one.code, "errors": one.errors, "out": plain(one.out)} for one in (before, now))
    return [one for one in differences(was, is_) if not one.startswith(tuple(meant_by(path, before)))]


def meant_by(path: Path, before: Step) -> dict[str, str]:
    """Return the places where a step differs on purpose, each with the reason."""
    of_command = DIFFERS["every place"].get(before.words[0], {})
    return of_command | DIFFERS.get(name_of(path), {}).get(" ".join(before.words), {})


@pytest.mark.parametrize("path", all_steps(), ids=name_of)
def test_commands_answer_as_before(path: Path, tmp_path: Path) -> None:
    """Exit codes, codes of errors, documents of JSON and fields of the log, command after command.

    Where a plan is saved, the next command applies the one that the version before saved.
    """
    steps, saved = steps_of(path), path.parent.parent / "plans" / path.name
    with restored(path.parent.parent, tmp_path) as place:
        for before, now in zip(steps, taken(place, steps), strict=True):
            assert changes(path, before, now) == [], before.words
            check_log(path, before, now)
            if "--out" in before.words and now.code == 0 and saved.exists():
                put_saved(saved, place)


def put_saved(saved: Path, place: Place) -> None:
    """Put a plan in the place of the one that was saved just now; its version is today's, which alone may apply it."""
    path = place.folder / "plan.json"
    document = json.loads(saved.read_text()) | {"version": json.loads(path.read_text())["version"]}
    path.write_text(json.dumps(document))


def check_log(path: Path, before: Step, now: Step) -> None:
    """Whatever both versions logged has the same types, and what an app goes through is logged by both."""
    for name, types in now.events.items():
        known = before.events.get(name, {})
        shared = types.keys() & known.keys()
        assert {one: types[one] for one in shared} == {one: known[one] for one in shared}, name
    meant = {one.removeprefix(".log.") for one in meant_by(path, before) if one.startswith(".log.")}
    assert fates(now) - meant == fates(before)


def fates(step: Step) -> set[str]:
    """Return the names of the events that say what became of something."""
    return {name for name in step.events if name.startswith(FATES)}


@pytest.mark.parametrize("path", SAVED, ids=name_of)
def test_a_saved_plan_is_read_and_has_its_fingerprint(path: Path) -> None:
    document = json.loads(path.read_text())
    read = plan_from_json(document)
    assert read.fingerprint == document["fingerprint"]
    assert read.to_json() == document


def test_a_plan_that_another_version_saved_is_refused(tmp_path: Path) -> None:
    path = DATA / "varied" / "plans" / "plain.json"
    with restored(path.parent.parent, tmp_path) as place:
        (place.folder / "plan.json").write_text(json.dumps(json.loads(path.read_text()) | {"version": "0.0.0"}))
        ran = place.run("apply", "plan.json", "--plan-age-max", "10000d")
    assert ran.code == 1
    assert "AF302: the saved plan is stale: it was made by appfleet 0.0.0" in ran.err
    assert "CreateApp" not in place.calls()


def test_every_event_is_there_with_its_level_and_fields() -> None:
    """Fields may come after those that were there, as in documents, and none goes or moves."""
    today = {one.name: {"level": one.level, "fields": [item.name for item in fields(one)]} for one in event_classes()}
    for name, before in EVENTS.items():
        assert today[name]["level"] == before["level"], name
        assert today[name]["fields"][: len(before["fields"])] == before["fields"], name


def test_every_error_has_its_code_and_its_exit_code() -> None:
    today = {one.code: [one.__name__, int(one.exit_code)] for one in error_classes()}
    assert {code: today.get(code) for code in ERRORS} == ERRORS


@pytest.mark.parametrize("path", sorted(DATA.glob("schemas/*.json")), ids=lambda path: path.name)
def test_documents_have_the_fields_of_their_schemas(path: Path) -> None:
    """Fields may come and never go, and none becomes one that may be missing."""
    check_keeps(json.loads(path.read_text()), SCHEMAS[path.name.removesuffix(".schema.json")](), path.name)


def check_keeps(before: Any, now: Any, where: str) -> None:
    if isinstance(before, dict):
        assert isinstance(now, dict), where
        for name in before.keys() - WORDS_OF_A_SCHEMA:
            assert name in now, f"{where}.{name}"
            check_keeps(before[name], now[name], f"{where}.{name}")
    elif isinstance(before, list):
        assert [one for one in before if one not in now and not is_kept_in(now, one)] == [], where
    else:
        assert before == now, where


def is_kept_in(now: Any, before: Any) -> bool:
    """Whether one of several alternatives of a schema still has all that one of them had before."""
    return isinstance(before, dict) and any(keeps(before, one) for one in now if isinstance(one, dict))


def keeps(before: Any, now: Any) -> bool:
    """Whether `check_keeps` finds nothing missing."""
    try:
        check_keeps(before, now, "")
    except AssertionError:
        return False
    return True


THING: dict[str, Any] = {
    "type": "object",
    "required": ["a", "b"],
    "properties": {"a": {"enum": ["x", "y"]}, "b": {"type": "number"}},
}


@pytest.mark.parametrize(
    ("now", "kept"),
    [
        (THING, True),
        (THING | {"properties": {**THING["properties"], "a": {"enum": ["x", "new", "y"]}}}, True),
        (THING | {"properties": {**THING["properties"], "a": {"enum": ["x"]}}}, False),
        (THING | {"required": ["a"]}, False),
        (THING | {"properties": {"a": {"enum": ["x", "y"]}}}, False),
        (THING | {"type": "string"}, False),
    ],
)
def test_what_may_be_null_is_held_to_the_same_as_what_may_not(now: dict[str, Any], *, kept: bool) -> None:
    """A new value may come among the alternatives of a field as it may anywhere else; nothing may go there either."""
    null = {"type": "null"}
    assert keeps({"anyOf": [THING, null]}, {"anyOf": [now, null]}) is kept
    assert keeps({"items": THING}, {"items": now}) is kept
    assert not keeps({"anyOf": [THING, null]}, {"anyOf": [now]})
