"""The hours of a plan or a status for people: which calendars are open, and when that changes."""

from __future__ import annotations

from collections.abc import Sequence

from engine.core.hours import HoursLine
from engine.core.text import clean, count_of
from engine.render.layout import Paint


def hours_texts(lines: Sequence[HoursLine]) -> list[tuple[str, str]]:
    """Return pairs of hours as written and a text, such as `closed, opens Mon 08:00 Europe/Berlin; 12 apps`."""
    return [(clean(line.hours), f"{_state(line)}; {count_of(line.apps, 'app')}") for line in lines]


def hours_block(lines: Sequence[HoursLine], paint: Paint) -> list[str]:
    """Return the block of a status; none where no app has hours."""
    rows = [f"  {label}: {text}" for label, text in hours_texts(lines)]
    return ["\n".join([paint("bold", "Hours"), *rows])] if rows else []


def _state(line: HoursLine) -> str:
    now, verb = ("open", "closes") if line.is_open else ("closed", "opens")
    return clean(f"{now}, {verb} {line.local} {line.zone}") if line.change else now
