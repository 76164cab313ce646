"""One call of the command line: its words, its run, and what its end needs to know whatever ended it.

Read from the words themselves, without the parser, which may be what refused them. Not here: what the end writes
(`ending`).
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.app.process import STATE_DIR_NAME, Signals, new_run_id
from engine.cli.argv import SIMULATE, command_of
from engine.cli.output import hurry, say
from engine.core.log_options import LogFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.app.recording import Recorder
    from engine.core.bucket_url import BucketUrl
    from engine.core.report_place import ReportPlace
    from engine.core.trouble import Trouble

JSON: Final = "json"
MARKDOWN: Final = "markdown"
DASH: Final = "-"
ENV_PREFIX: Final = "APPFLEET_"
FLEET_FILE_NAME: Final = "fleet.toml"
_FORMATTED: Final = frozenset(
    {"apply", "onboard", "offboard", "plan", "status", "preflight", "explain", "history", "gate", "gather"}
)
RUNNING: Final = frozenset({"apply", "onboard", "offboard"})  # their end is the end of a run, in every channel
LOOKING: Final = frozenset(
    {"plan", "status", "preflight", "explain", "import", "prices", "discover"}
)  # they have a log and change nothing
WITHOUT_FILES: Final = frozenset({"schema", "completion", "simulate"})
FALSE_WORDS: Final = frozenset({"", "0", "false", "no", "off"})  # of a variable that stands for a flag
HELP: Final = frozenset({"-h", "--help"})


@dataclass
class Call:
    """What one call asked for, as far as its words tell; `words` went through `argv.prepare`.

    `empty_one` is what `argv.empty_one` found in them. `has_log` and `end_is_logged` are what its log holds so far;
    `trouble` is why a command that only looks ended badly.
    """

    words: Sequence[str]
    empty_one: str = ""
    started: float = field(default_factory=time.time)
    started_at: float = field(default_factory=time.monotonic)
    signals: Signals = field(default_factory=lambda: Signals(hurry))
    has_log: bool = False
    end_is_logged: bool = False
    trouble: Trouble | None = None

    @cached_property
    def run_id(self) -> str:
        """The name of the run: its start in UTC and three random bytes, so that names sort by time."""
        return new_run_id(self.started)

    @property
    def command(self) -> str:
        """The command, or empty where there is none."""
        return command_of(self.words)

    @property
    def is_run(self) -> bool:
        """Whether a run was asked for: `apply --dry-run` is none."""
        return self.command in RUNNING and not HELP.intersection(self.words) and not self.is_set("--dry-run")

    @property
    def is_look(self) -> bool:
        """Whether it asks AWS and changes nothing."""
        return not HELP.intersection(self.words) and (self.command in LOOKING or self.is_set("--dry-run"))

    @property
    def format(self) -> str:
        """The format of the result, such as json; text where none is given."""
        return (self.value("--format") or "text").lower()

    @property
    def is_text(self) -> bool:
        """Whether the result is text for people: also where the format is none that there is."""
        return self.format not in (JSON, MARKDOWN)

    @property
    def has_format(self) -> bool:
        """Whether the command's result has a format, so that its end has one too."""
        return self.command in _FORMATTED and not HELP.intersection(self.words)

    @property
    def fleet_file(self) -> Path:
        """The fleet file."""
        return self._path("--file") or self._path("-f") or Path(FLEET_FILE_NAME)

    @property
    def policies(self) -> tuple[Path, ...]:
        """The folders of an organization's policies."""
        found: list[str] = []
        for place, word in enumerate(self.words):
            name, equals, value = word.partition("=")
            if name == "--policies":
                found += [value] if equals else self.words[place + 1 : place + 2]
        named = found or os.environ.get(f"{ENV_PREFIX}POLICIES", "").split(os.pathsep)
        return tuple(Path(folder) for folder in named if folder)

    @property
    def state_path(self) -> Path:
        """The state folder; relative where the folder that the command is called in is gone.

        Where machines share the state, it is the usual folder: what a crash leaves is there.
        """
        named = self._path("--state-dir")
        if named is not None and self._names_folder:
            return named
        with suppress(FileNotFoundError):
            return self.fleet_file.absolute().parent / STATE_DIR_NAME
        return self.fleet_file.parent / STATE_DIR_NAME

    @property
    def _names_folder(self) -> bool:
        """Whether `--state-dir` names a folder, and no address: a wrong one must not become a folder."""
        from engine.core.bucket_url import parse_bucket_url
        from engine.core.errors import UsageError

        try:
            return parse_bucket_url(self.value("--state-dir")) is None
        except UsageError:
            return False

    @property
    def state_url(self) -> BucketUrl | None:
        """Where machines share the state; None for a folder, and for an address that is none."""
        from engine.core.bucket_url import parse_bucket_url
        from engine.core.errors import UsageError

        with suppress(UsageError):
            return parse_bucket_url(self.value("--state-dir"))
        return None

    @property
    def needs_folder(self) -> bool:
        """Whether it reads or writes files by names that begin in the folder that it is called in."""
        is_asked = self.command[:1] not in ("", "-") and not HELP.intersection(self.words)
        return is_asked and self.command not in WITHOUT_FILES and not self.fleet_file.is_absolute()

    @property
    def names_state(self) -> bool:
        """Whether the state folder is named, and not only where it usually is."""
        return self._path("--state-dir") is not None

    @property
    def log_file(self) -> Path | None:
        """The log file, or None where the log goes to standard error."""
        return self._path("--log-file")

    @property
    def log_format(self) -> LogFormat:
        """How log lines are written."""
        given = (self.value("--log-format") or "").lower()
        return LogFormat(given) if given in set(LogFormat) else LogFormat.AUTO

    @property
    def metrics_file(self) -> Path | None:
        """The metrics file, or None."""
        return self._path("--metrics-file")

    @property
    def report_to(self) -> ReportPlace | None:
        """Where the report of a run is kept; None where it is not asked for, or cannot be meant."""
        given = self.value("--report-to") if self.is_run else ""
        if not given:
            return None
        from engine.core.errors import UsageError
        from engine.core.report_place import report_place

        with suppress(UsageError, FileNotFoundError):
            place = report_place(given)
            return replace(place, folder=str(Path(place.folder).absolute())) if place.folder else place
        return None

    @cached_property
    def trace(self) -> Recorder | None:
        """What records a run for OpenTelemetry; None where no variable says where to send it."""
        if not self.is_run or not any(name.startswith("OTEL_") for name in os.environ):
            return None
        from engine.app.recording import Recorder, signals_wanted

        signals = signals_wanted(os.environ)
        return Recorder(signals, self.started) if signals else None

    @cached_property
    def kept_log(self) -> Path | None:
        """The file that the log of a run is kept in, which is there from now on; None where it is not kept."""
        place = self.report_to
        if place is None:
            return None
        from engine.app.keeping import log_path

        try:
            return log_path(place, self.run_id)
        except OSError as error:
            say(f"appfleet: {place.of_run(self.run_id)} cannot be written: {error.strerror}. The log is not kept there")
        return None

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.started_at

    @property
    def is_simulated(self) -> bool:
        """Whether a simulated world was asked for."""
        if any(word.partition("=")[0] == SIMULATE for word in self.words):
            return True
        return os.environ.get(f"{ENV_PREFIX}SIMULATE", "").lower() not in FALSE_WORDS

    def value(self, flag: str) -> str:
        """Return the value of a flag as the words or its variable have it, or empty; the last word wins."""
        found = ""
        for word, following in zip(self.words, [*self.words[1:], ""], strict=True):
            if word == "--":
                break
            name, equals, value = word.partition("=")
            if name == flag:
                found = value if equals else following
            elif flag == "-f" and word.startswith("-f") and len(word) > len("-f"):
                found = word.removeprefix("-f")
        if found or not flag.startswith("--"):
            return found
        return os.environ.get(ENV_PREFIX + flag.removeprefix("--").replace("-", "_").upper(), "")

    def _path(self, flag: str) -> Path | None:
        """Return the path that a flag names; None without one, and for a lone `-`, which no flag takes for a file."""
        given = self.value(flag)
        return Path(given) if given and given != DASH else None

    def is_set(self, flag: str) -> bool:
        """Return whether a flag without a value is given."""
        return flag in self.words
