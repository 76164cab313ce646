"""What is compared of an answer: everything but times, ids, ports, measured numbers, and the wording of messages.

What a program reads stays: every key, every code, every outcome, every count that is not a matter of timing. The words
for people may be improved, so of those only where there are any is compared.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

# Another run measures other values under these; whether there is one, and of what type, stays.
_MEASURED: Final = re.compile(
    r"(made_at|run_id|started|ended|alive_at|at|seconds|\w+_seconds|last_run|throttled_share|\w+_per_minute|process|host|user|pid)"
)
_WORDS: Final = frozenset({"message", "hint", "notes", "why", "text", "detail"})
# How often a run looks depends on how quick the machine is.
_LOOKS: Final = re.compile(r"(List|Describe|Get)\w+")
_PORT: Final = re.compile(r"http://127\.0\.0\.1:\d+")
_RUN_ID: Final = re.compile(r"\b\d{8}T\d{6}Z?-[0-9a-f]+\b")
_TEXT: Final = "a text"
_NUMBER: Final = "a number"
_RECENT: Final = 1_700_000_000  # epoch seconds; what the data put into a world on purpose is older


def plain(value: Any, name: str = "") -> Any:
    """Return a value of JSON without what no two runs share."""
    if _MEASURED.fullmatch(name) and not isinstance(value, dict | list):
        return _kind(value)
    if isinstance(value, dict):
        return {
            key: dict.fromkeys(inner, "n") if _LOOKS.fullmatch(key) and isinstance(inner, dict) else plain(inner, key)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        if name == "quotas" and all(isinstance(line, dict) and "bucket" in line for line in value):
            return {line["bucket"]: plain(line) for line in value}  # so that each is compared with its own
        return [plain(inner, name) for inner in value]
    if isinstance(value, str):
        return _kind(value) if name in _WORDS else _RUN_ID.sub("RUN", _PORT.sub("http://127.0.0.1:0", value))
    return _kind(value) if isinstance(value, float) and value > _RECENT else value


def _kind(value: Any) -> Any:
    """Return what stands for a value that is not compared; what is empty stays."""
    if value in (None, "", _TEXT, _NUMBER) or isinstance(value, bool):
        return value
    return _TEXT if isinstance(value, str) else _NUMBER


def plain_json(text: str) -> Any:
    """Return a document of JSON as it is compared; None for what is not JSON."""
    try:
        return plain(json.loads(text))
    except ValueError:
        return None


def types_of(event: dict[str, Any]) -> dict[str, str]:
    """Return the fields of an event of the log with the type of each."""
    return {name: "number" if isinstance(value, int | float) else type(value).__name__ for name, value in event.items()}


def codes_of(text: str) -> list[str]:
    """Return the codes of the errors on standard error, each once, in order."""
    return list(dict.fromkeys(re.findall(r"\bAF\d{3}\b", text)))


def differences(before: Any, now: Any, where: str = "") -> list[str]:
    """Return the places where two values differ, with what is there in each."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = dict.fromkeys([*before, *now])
        return [
            one for name in names for one in differences(before.get(name, ...), now.get(name, ...), f"{where}.{name}")
        ]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True))
        return [one for number, (was, is_) in pairs for one in differences(was, is_, f"{where}[{number}]")]
    return [] if before == now else [f"{where}: {before!r} was before, {now!r} is now"]
