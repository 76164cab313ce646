"""Where the files are, how to run, and what the user asks for, as the command line or a program says it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engine.app.process import STATE_DIR_NAME, Signals
from engine.core.limits import PLAN_AGE_MAX_SECONDS
from engine.core.redact import Redactor
from engine.core.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from engine.app.recording import Recorder
    from engine.core.bucket_url import BucketUrl
    from engine.core.crew import Crew
    from engine.core.identity import AppKey
    from engine.core.report_place import ReportPlace
    from engine.core.selectors import Selectors


@dataclass(frozen=True, slots=True)
class AppOptions:
    """What a command is given. Times are seconds.

    `policies` are the folders of an organization's policies. `state_url` is where machines share the state, which then
    is in no folder.

    `simulate` is None for the real service, empty for a world made for the fleet, else a scenario's file.
    `deadline_s` None: the policy's. `saved_plan` is the file of a plan that was approved, or where those of shards are;
    `checksum` is the fingerprint of one. `asks` says that somebody answers before the run: its clock then starts at the
    yes. `again` are the words of a command that is more than an apply, and `lets_go` says that it deletes what no apply
    would: what is next after it is the command itself. `report_to` is where the run's report is kept; `command_line`
    writes the next command for it. `trace` records the run for OpenTelemetry, where that is configured.
    `wave` holds the keys that a saved plan replaces.
    `whole_domains`: the apps of a domain are listed to the last one, whatever is selected in it.
    `crew` are the workers that plan and carry out its shards; `is_part` says that this is such a shard, whose end is
    told by whoever gave it.
    `at` is the time that a command which only looks is asked about, in UTC; None is now.
    """

    fleet_file: Path
    policies: tuple[Path, ...] = field(default=(), kw_only=True)
    state_dir: Path | None = None
    state_url: BucketUrl | None = None
    endpoint_url: str | None = None
    request: Request = field(default_factory=Request)
    simulate: str | None = None
    run_id: str = ""
    wait: bool = True
    deadline_s: float | None = None
    lock_timeout_s: float = 0.0
    command: str = "apply"
    redactor: Redactor = field(default_factory=Redactor)
    saved_plan: Path | BucketUrl | None = None
    plan_age_max_s: float = PLAN_AGE_MAX_SECONDS
    checksum: str = ""
    wave: frozenset[AppKey] | None = None
    refresh_quotas: bool = False
    strict: bool = False
    asks: bool = False
    again: tuple[str, ...] = ()
    lets_go: bool = False
    whole_domains: bool = False
    report_to: ReportPlace | None = None
    trace: Recorder | None = None
    command_line: Callable[[AppOptions], str] = field(default=lambda _: "appfleet apply")
    at: datetime | None = None
    signals: Signals = field(default_factory=Signals)
    crew: Crew | None = None
    is_part: bool = False

    @property
    def state_path(self) -> Path:
        """The folder in which the state is kept, unless it is shared: then what a crash leaves is there."""
        return self.state_dir or self.fleet_file.absolute().parent / STATE_DIR_NAME

    @property
    def state_place(self) -> str:
        """Where the state is, for a reader."""
        return str(self.state_url or self.state_path)

    @property
    def selectors(self) -> Selectors:
        """Which apps the command is about."""
        return self.request.selectors

    def about(self, selectors: Selectors) -> AppOptions:
        """Return the same options for other apps."""
        return replace(self, request=replace(self.request, selectors=selectors))
