"""Instance types that the installed SDK does not know, warned about wherever one is written.

The service adds types before the SDK does, so this is never an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from engine.config.reading.problems import Code, Place, Problems, nearest, show_value
from engine.config.service.service_model import INSTANCE_TYPES


def warn_of_unknown_types(types: Iterable[str | None], place: Place, problems: Problems) -> None:
    """Note a warning at `place` for each type that is unknown, with the nearest one that is known."""
    for item in types:
        if item is not None and item not in INSTANCE_TYPES:
            hint = _nearest_type(item) or "Check it against the types that your region offers"
            problems.warning(Code.UNKNOWN_TYPE, place, f"{show_value(item)} is unknown to the installed SDK", hint)


@cache
def _nearest_type(text: str) -> str:
    """Return the hint for an instance type: one that is newer than the SDK may stand in thousands of tables."""
    return nearest(text, INSTANCE_TYPES)
