"""Time zones by their IANA names, from the system or from the package `tzdata`.

Imported where a fleet names a zone and not before: `validate` of a fleet without hours pays nothing for it.
"""

from __future__ import annotations

import zoneinfo
from datetime import tzinfo
from functools import cache
from typing import Final

from engine.config.reading.problems import nearest, show_value
from engine.core.windows import WindowFault

# Files that some systems keep beside the zones: what they say depends on the machine, or is no zone of the world.
_NOT_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})
_NO_DATA_HINT: Final = "Install it with: pip install tzdata (or the system's own package, often called tzdata)"


@cache
def zone_named(name: str) -> tzinfo:
    """Return a zone; raises WindowFault where none has this name, or where there is no time zone data at all."""
    if name not in _NOT_ZONES and name:
        try:
            return zoneinfo.ZoneInfo(name)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            pass  # no such file, a folder, or what is no name of one
    known = zoneinfo.available_timezones() - _NOT_ZONES
    if not known:
        raise WindowFault(f"this system has no time zone data, so {show_value(name)} is not known", _NO_DATA_HINT)
    hint = nearest(name, known) or _by_city(name, known) or "Write an IANA name, such as Europe/Berlin or UTC"
    raise WindowFault(f"{show_value(name)} is not a time zone", hint)


def _by_city(name: str, known: set[str]) -> str:
    """Return a guess for the last part of a name alone, such as Berlin."""
    cities = {one.rpartition("/")[2]: one for one in sorted(known)}
    found = nearest(name.rpartition("/")[2], cities)
    city = found.split('"')[1] if found else ""
    return f"Did you mean {show_value(cities[city])}?" if city else ""
