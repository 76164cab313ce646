"""Events of a whole run: its beginning and end, its plan, its journal."""

from __future__ import annotations

from dataclasses import dataclass

from engine.ports.events.base import Event


@dataclass(frozen=True, slots=True)
class RunStarted(Event, name="run.started"):
    """A run started; it will make `changes` changes."""

    fleet: str
    version: str
    changes: int


@dataclass(frozen=True, slots=True)
class RunWaited(Event, name="run.waited"):
    """An earlier run died or ended with calls in doubt; `seconds` pass before anything is listed, so that they show."""

    seconds: float


@dataclass(frozen=True, slots=True)
class LoopWasLate(Event, name="run.lagged", level="warning"):
    """The run started its work `seconds` late: a blocked disk, a busy machine, or one that slept."""

    seconds: float


@dataclass(frozen=True, slots=True)
class PlanComputed(Event, name="plan.computed"):
    """A plan was made. `owners_…` count user profiles and spaces (`owners_drift`: left alone), the others apps."""

    fingerprint: str
    create: int
    delete: int
    delete_then_create: int
    none: int
    unmanaged: int
    denied: int
    complete: bool
    owners_create: int = 0
    owners_update: int = 0
    owners_delete: int = 0
    owners_drift: int = 0


@dataclass(frozen=True, slots=True)
class RuleFired(Event, name="rule.fired", level="warning"):
    """A rule, a guardrail or a check has a finding: once for all apps with the same message.

    `key` is the first of them and empty where it is about none; `count` is how many they are, `keys` names the first.
    """

    rule: str
    enforcement: str
    key: str
    message: str
    source: str
    count: int = 1
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JournalFailed(Event, name="journal.failed", level="error"):
    """The journal could not be opened or written. Once per run; creates continue, deletes and replaces do not."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class LibraryWarned(Event, name="library.warned", level="warning"):
    """A library that appfleet uses logged a warning or worse."""

    logger: str
    message: str


@dataclass(frozen=True, slots=True)
class RunInterrupted(Event, name="run.interrupted", level="warning"):
    """The run was asked to stop, or its deadline came: no new calls. `signal` is its name, such as SIGHUP, or empty."""

    cause: str
    signal: str = ""


@dataclass(frozen=True, slots=True)
class RunFinished(Event, name="run.finished"):
    """The run or command ended: always the last line. `result` is its one word, the counts are its outcomes.

    The level is error when the exit code is not 0; `code`, `message` and `hint` then say why, and what to do.
    """

    result: str
    seconds: float
    summary: dict[str, int]
    exit_code: int
    code: str = ""
    message: str = ""
    hint: str = ""

    def loudness(self) -> str:
        """Return error for an end that is not well, so that a filter for errors finds every such run."""
        return "error" if self.code else self.level


@dataclass(frozen=True, slots=True)
class ReportKept(Event, name="report.kept"):
    """The report and the result of the run are in `where`, because of `--report-to`; the log follows."""

    where: str


@dataclass(frozen=True, slots=True)
class ReportFailed(Event, name="report.failed", level="error"):
    """The report or the result could not be kept in `where`. The exit code does not change."""

    where: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class TelemetrySent(Event, name="telemetry.sent", level="debug"):
    """The run's trace, with `spans` spans, and its metrics were sent to the endpoint of the OTEL_ variables."""

    spans: int


@dataclass(frozen=True, slots=True)
class TelemetryFailed(Event, name="telemetry.failed", level="warning"):
    """The run's trace or metrics could not be sent. The exit code does not change."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class NotifySent(Event, name="notify.sent"):
    """A `[[notify]]` accepted the notice of this run's end; `channel` names its command, topic or variable."""

    channel: str
    attempts: int


@dataclass(frozen=True, slots=True)
class NotifyFailed(Event, name="notify.failed", level="error"):
    """A `[[notify]]` did not accept the notice, so its receiver does not know of this end. The exit code stays."""

    channel: str
    attempts: int
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ProblemFound(Event, name="problem.found", level="error"):
    """A fleet or policy file has a problem. `source` is its file and line, `key_path` the key."""

    source: str
    key_path: str
    message: str
    hint: str
