"""The scalars of several policy files put together: what one of them sets, no other may set again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.config.reading.problems import Code, KeyPath, Place, Problems, show_path
from engine.core.settings import NotifyChannel


@dataclass(slots=True)
class Merged:
    """The scalars of all files so far, each value with the key that set it; and whom their `[[notify]]` name."""

    problems: Problems
    values: dict[KeyPath, Any] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    channels: list[NotifyChannel] = field(default_factory=list)

    def put(self, path: KeyPath, value: Any, place: Place) -> None:
        """Keep a value; a second one for the same key is the error."""
        first = self.places.get(path)
        if first is not None:
            self.problems.error(
                Code.CONFLICT,
                place,
                f"is set already at {first.source}",
                f"Keep {show_path(path)} in one of the two files",
            )
            return
        self.values[path] = value
        self.places[path] = place

    def get(self, path: KeyPath, default: Any) -> Any:
        """Return what was set, or the default."""
        return self.values.get(path, default)

    def place_of(self, *paths: KeyPath) -> Place:
        """Return where the first of these keys was set; one of them must have been."""
        return next(self.places[path] for path in paths if path in self.places)
