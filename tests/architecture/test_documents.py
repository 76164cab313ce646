"""The pages that are generated are what would be generated now, and every event and error stands on them."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from engine.core.errors import all_error_classes
from tests.architecture.files import ROOT
from tools.make_docs import error_classes, event_classes, pages

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("path", "text"), list(pages()), ids=lambda value: getattr(value, "name", ""))
def test_a_generated_page_is_up_to_date(path: Path, text: str) -> None:
    assert path.read_text(encoding="utf-8") == text, "run `make docs`"


def test_the_events_page_lists_exactly_the_events_and_their_fields() -> None:
    page = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert list(sections) == [event.name for event in event_classes()]
    for event in event_classes():
        line = next(line for line in sections[event.name].splitlines() if line.startswith("Fields: "))
        assert re.findall(r"`(\w+)`", line) == [item.name for item in fields(event)]


def test_event_names_are_unique_past_tense_facts_of_something() -> None:
    names = [event.name for event in event_classes()]
    assert len(set(names)) == len(names) > 20
    assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", name) for name in names)
    assert {event.level for event in event_classes()} <= {"debug", "info", "warning", "error"}


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in error_classes()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"AF[1-59]\d\d", code) for code in codes)
    drawn = all_error_classes.__globals__["__doc__"]
    assert all(error.__name__ in drawn for error in error_classes())
