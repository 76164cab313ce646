"""One event as one line: JSON for machines, aligned words for people. Cleaned, redacted, never an exception.

Not here: where lines go (`line_writer`) and which events are told (`event_log`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import Any, Final

import orjson

from engine.core.identity import AppKey, Lane, Owner, QuotaBucket
from engine.core.redact import Redactor, is_secret_name
from engine.core.text import REDACTED, clean

RESERVED: Final = frozenset({"ts", "level", "event", "run_id"})
_NESTING_MAX_DEPTH: Final = 4
_JSON_INT_MAX: Final = 2**53  # above it, a reader that knows only floats would change the number
_TEXTS: Final = (str, AppKey, Lane, Owner, QuotaBucket)
_NUMBERS: Final = (bool, int, float, NoneType)
_SUBJECTS: Final = ("key", "bucket", "lane", "domain", "fleet", "logger")
_EVENT_CHARS: Final = 20
_LEVEL_STYLES: Final = {"debug": "2", "info": "32", "warning": "33", "error": "31"}
_LEVEL_WORDS: Final = {"debug": "debug", "info": "info ", "warning": "warn ", "error": "error"}


def safe_facts(facts: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    """Return `facts` as JSON can hold them. A name that the line itself uses gets an underscore behind it."""
    return {
        (f"{name}_" if name in RESERVED else name): _safe(name, value, redactor, 0) for name, value in facts.items()
    }


def _safe(name: str, value: Any, redactor: Redactor, depth: int) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if is_secret_name(name):
        return REDACTED
    if isinstance(value, _TEXTS):
        return clean(redactor.text(str(value)))
    if isinstance(value, _NUMBERS):
        return _safe_number(value)
    return _safe_group(value, redactor, depth)


def _safe_number(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if value is None or isinstance(value, bool):
        return value
    return value if abs(value) <= _JSON_INT_MAX else str(value)


def _safe_group(value: Any, redactor: Redactor, depth: int) -> Any:
    """Open maps and lists; of anything else tell the type alone, since its text may hold what nobody checked."""
    if depth < _NESTING_MAX_DEPTH:
        if isinstance(value, dict):
            return {
                clean(redactor.text(str(name))): _safe(str(name), item, redactor, depth + 1)
                for name, item in value.items()
            }
        if type(value) in (list, tuple, set, frozenset):  # exactly: a named tuple of credentials is none of these
            return [_safe("", item, redactor, depth + 1) for item in value]
    return f"<{type(value).__name__}>"


def iso_time(epoch_s: float) -> str:
    """Return `2026-11-24T06:06:22.123Z`."""
    whole = math.floor(epoch_s)
    return f"{_second(whole)}.{math.floor((epoch_s - whole) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _second(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="seconds").removesuffix("+00:00")


def json_line(line: Mapping[str, Any]) -> bytes:
    """Return the line as JSON without a line break; `line` went through `safe_facts`."""
    return orjson.dumps(line)


def console_line(line: Mapping[str, Any], *, colour: bool) -> bytes:
    """Return the line for people, without a line break: time, level, event, subject, then the rest."""
    level = str(line["level"])
    facts = {name: value for name, value in line.items() if name not in RESERVED}
    word = _LEVEL_WORDS.get(level, level)
    if colour:
        word = f"\x1b[{_LEVEL_STYLES.get(level, '0')}m{word}\x1b[0m"
    subject = next((str(facts.pop(name)) for name in _SUBJECTS if name in facts), "")
    parts = [f"{str(line['ts'])[11:19]} {word} {str(line['event']).ljust(_EVENT_CHARS)}", subject]
    message = facts.pop("message", "")
    hint = facts.pop("hint", "")
    parts += [f"{name}={_shown(value)}" for name, value in facts.items()]
    parts.append(". ".join(str(text).rstrip(".") for text in (message, hint) if text))
    return " ".join(part for part in parts if part).rstrip().encode("utf-8", "backslashreplace")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, str):
        return value if value and " " not in value else f'"{value}"'
    return orjson.dumps(value).decode()
