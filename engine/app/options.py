"""What the user asked for, as the command line or a program says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.app.process import STATE_DIR_NAME, Signals
from engine.core.limits import PLAN_AGE_MAX_SECONDS
from engine.core.redact import Redactor
from engine.core.selectors import Selectors

if TYPE_CHECKING:
    from pathlib import Path

    from engine.core.identity import AppKey


@dataclass(frozen=True, slots=True)
class AppOptions:
    """What the user asked for. Times are seconds.

    `simulate` is None for the real service, empty for a world made for the fleet, else a scenario's file. Of
    `allow_destructive` each is a KEY or PATTERN=COUNT as it was typed. `deadline_s` None: the policy's. `saved_plan` is
    the file of a plan that was approved, and `checksum` the fingerprint of one. `asks` says that somebody answers
    before the run: its clock then starts at the yes. `again` are the words of a command that is more than an apply, and
    `lets_go` says that it deletes what no apply would: what is next after it is the command itself.
    """

    fleet_file: Path
    state_dir: Path | None = None
    endpoint_url: str | None = None
    selectors: Selectors = field(default_factory=Selectors)
    simulate: str | None = None
    prune: bool = False
    adopt: bool = False
    from_fleet: str = ""
    replace_on_drift: bool = False
    replace_keys: frozenset[AppKey] = frozenset()
    retry_quarantined: bool = False
    allow_destructive: tuple[str, ...] = ()
    run_id: str = ""
    wait: bool = True
    deadline_s: float | None = None
    lock_timeout_s: float = 0.0
    command: str = "apply"
    redactor: Redactor = field(default_factory=Redactor)
    saved_plan: Path | None = None
    plan_age_max_s: float = PLAN_AGE_MAX_SECONDS
    checksum: str = ""
    refresh_quotas: bool = False
    strict: bool = False
    asks: bool = False
    again: tuple[str, ...] = ()
    lets_go: bool = False
    signals: Signals = field(default_factory=Signals)

    @property
    def state_path(self) -> Path:
        """Where the state is kept."""
        return self.state_dir or self.fleet_file.absolute().parent / STATE_DIR_NAME
