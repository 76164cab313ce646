"""Diagnostics: what is wrong with a file, as values that come in lists.

A reader of files never stops at the first problem: it collects these and raises `ConfigError` once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from engine.core.text import clean


class Severity(StrEnum):
    """Whether the file is refused."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem of one file. `line` counts from 1; 0 where the whole file is meant.

    `key_path` is the dotted path inside the file (empty where the whole file is meant); `message` says what is wrong
    and `hint` what to type instead. Neither ends with a full stop: `render` sets them.
    """

    code: str
    file: str
    line: int
    key_path: str
    message: str
    hint: str
    severity: Severity = Severity.ERROR

    def render(self) -> str:
        """Return `fleet.toml:12: apps.lab.type: what is wrong. hint`, safe for a terminal."""
        path = f" {self.key_path}:" if self.key_path else ""
        warning = " warning:" if self.severity is Severity.WARNING else ""
        return clean(f"{self.source()}:{warning}{path} {self.message}. {self.hint}".rstrip(" "))

    def source(self) -> str:
        """Return `fleet.toml:12`, or the file alone where all of it is meant."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def place(self) -> str:
        """Return `fleet.toml:12: apps.lab.type: what is wrong`, safe for a terminal."""
        path = f" {self.key_path}:" if self.key_path else ""
        return clean(f"{self.source()}:{path} {self.message}")


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort by file and line, as a reader works through them, each once."""
    return tuple(sorted(set(diagnostics), key=lambda d: (d.file, d.line, d.key_path, d.message)))
