"""The command line with its engine replaced: what the engine would give is said by each test."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from engine.app import apply as app_apply
from engine.app import plan as app_plan
from engine.app import status as app_status
from engine.cli.main import main
from tests.hasty import BOUNDS
from tests.unit.render.samples import a_plan, a_report, a_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.app.options import AppOptions
    from engine.core.plan import Plan


@dataclass
class Engine:
    """Stands in for the composition root, and remembers what it was asked."""

    plan: Any = field(default_factory=a_plan)
    report: Any = field(default_factory=a_report)
    status: Any = field(default_factory=a_status)
    events: tuple[Any, ...] = ()
    asked: AppOptions | None = None
    confirmed: bool | None = None

    @property
    def options(self) -> AppOptions:
        assert self.asked is not None
        return self.asked

    def answer(self, value: Any, options: AppOptions, emit: Callable[[Any], None]) -> Any:
        self.asked = options
        for event in self.events:
            emit(event)
        if isinstance(value, BaseException):
            raise value
        return value

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def plan(options: AppOptions, emit: Any) -> Any:
            return self.answer(self.plan, options, emit)

        async def dry_run(options: AppOptions, emit: Any) -> Any:
            return self.answer(self.plan, options, emit), lambda _: 0.0

        async def apply(options: AppOptions, emit: Any, confirm: Callable[[Plan], bool], _preparation: None) -> Any:
            report = self.answer(self.report, options, emit)
            self.confirmed = confirm(self.plan)
            return report if self.confirmed else None

        async def status(options: AppOptions, emit: Any, _expiring_within_s: float, _idle_days: int | None) -> Any:
            return self.answer(self.status, options, emit)

        homes = {plan: app_plan, dry_run: app_plan, apply: app_apply, status: app_status}
        for function, home in homes.items():
            monkeypatch.setattr(home, function.__name__, function)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    made.install(monkeypatch)
    return made


@dataclass(frozen=True)
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Callable[..., Ran]:
    for name in ("NO_COLOR", "APPFLEET_FILE", "APPFLEET_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    for bound, seconds in BOUNDS.items():
        monkeypatch.setattr(bound, seconds)
    monkeypatch.chdir(tmp_path)

    def run_it(*arguments: str) -> Ran:
        code = main(arguments)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
        out, err = capfd.readouterr()
        return Ran(int(code), out, err)

    return run_it
