"""The values of a saved world, checked as if a stranger had written them: each field against its own annotation.

Not here: how records are put together from a document (`snapshot`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeVar

from engine.core.limits import KEPT_COUNT_MAX_COUNT, MOMENT_MAX_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_RANGE_PARTS: Final = 2


def checked(record: T) -> T:
    """Return a dataclass whose fields hold what their annotations say. Raises ValueError."""
    for name, field in type(record).__dataclass_fields__.items():  # type: ignore[attr-defined]
        fits = _FITS.get(field.type)
        if fits is not None and not fits(getattr(record, name)):
            raise ValueError(f"{name} of {type(record).__name__} holds what no world has")
    return record


def texts(parts: T) -> T:
    """Return a named tuple of texts. Raises ValueError."""
    if not all(isinstance(part, str) for part in parts):  # type: ignore[attr-defined]
        raise ValueError(f"{type(parts).__name__} holds what is not a text")
    return parts


def text(value: Any) -> str:
    """Return a text. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError("a world holds what is not a text")
    return value


def moment(value: Any) -> float:
    """Return a time in epoch seconds. Raises ValueError."""
    if not _is_number(value) or not 0.0 <= value <= MOMENT_MAX_SECONDS:
        raise ValueError("a world holds what is not a time")
    return float(value)


def count(value: Any) -> int:
    """Return how many there are of something. Raises ValueError."""
    if not _is_count(value):
        raise ValueError("a world holds what is not a count")
    return int(value)


def money(value: Any) -> float:
    """Return a price. Raises ValueError."""
    if not _is_number(value) or not 0.0 <= value < math.inf:
        raise ValueError("a world holds what is not a price")
    return float(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= KEPT_COUNT_MAX_COUNT


def _is_number(value: Any) -> bool:
    """Whether it is a number; infinity stands for never."""
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and (value == math.inf or (math.isfinite(value) and abs(value) <= MOMENT_MAX_SECONDS))
    )


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_text_table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for pair in value.items() for item in pair)


def _is_count_table(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_count, value.values()))


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == _RANGE_PARTS
        and all(_is_number(bound) and bound < math.inf for bound in value)
        and 0.0 <= value[0] <= value[1]
    )


_FITS: Final[dict[str, Callable[[Any], bool]]] = {
    "str": _is_text,
    "int": _is_count,
    "float": _is_number,
    "bool": _is_flag,
    "int | None": lambda value: value is None or _is_count(value),
    "bool | None": lambda value: value is None or _is_flag(value),
    "str | None": lambda value: value is None or _is_text(value),
    "dict[str, Any]": _is_table,
    "dict[str, str]": _is_text_table,
    "dict[str, int]": _is_count_table,
    "Range": _is_range,
}
