"""What every event has in common, and the type of a sink."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """The base. `name` is what the log calls it, `level` how loud it is (debug, info, warning, error)."""

    name: ClassVar[str] = ""
    level: ClassVar[str] = "info"

    def __init_subclass__(cls, name: str = "", level: str = "") -> None:
        """Take both from the head of the class; a second call without them is that of a dataclass with slots."""
        cls.name, cls.level = name or cls.name, level or cls.level

    def loudness(self) -> str:
        """Return how loud this one is; most events are as loud as their class."""
        return self.level

    def facts(self) -> dict[str, Any]:
        """Return the fields by name, without those that are None or empty."""
        return {item.name: value for item in fields(self) if (value := getattr(self, item.name)) not in (None, "")}


Emit = Callable[[Event], None]
