"""What a person sees while a run goes on: the live view on a terminal, lines in a pipe."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.screen.live_view import LiveView
from engine.adapters.screen.progress import Progress
from engine.app.options import AppOptions
from engine.cli import sinks as module
from engine.cli.context import Globals
from engine.cli.output import size_of
from engine.cli.sinks import Sinks
from engine.core.log_options import LogFormat
from engine.ports import events
from tests.fleets import LAB
from tests.unit.adapters.runs import plan_of

if TYPE_CHECKING:
    from collections.abc import Callable

FLAGS = Globals(Path("fleet.toml"), LogFormat.AUTO, None, None, None, None)
OPTIONS = AppOptions(Path("fleet.toml"), run_id="r")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def open_it(term: str) -> None:
        monkeypatch.setattr(module, "is_terminal", lambda _: True)
        monkeypatch.setenv("TERM", term)
        monkeypatch.setenv("NO_COLOR", "1")

    return open_it


@pytest.mark.parametrize(
    ("term", "quiet", "kind"),
    [("xterm", False, LiveView), ("xterm", True, Progress), ("dumb", False, Progress), ("", False, Progress)],
)
def test_a_run_on_a_terminal_that_can_draw_has_the_live_view(
    terminal: Any, term: str, quiet: bool, kind: type[object]
) -> None:
    terminal(term)
    with Sinks(FLAGS, OPTIONS, quiet=quiet) as sinks:
        assert type(sinks._progress) is kind


def test_in_a_pipe_whose_lines_are_json_there_is_no_progress() -> None:
    with Sinks(FLAGS, OPTIONS, quiet=False) as sinks:
        sinks.expect(plan_of({LAB: ""}))
        assert sinks._progress is None


async def test_the_picture_moves_while_the_work_goes_on_and_stops_with_it(
    terminal: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    terminal("xterm")
    monkeypatch.setattr(module, "LIVE_REDRAW_SECONDS", 0.001)
    with Sinks(FLAGS, OPTIONS, quiet=False) as sinks:
        sinks.expect(plan_of({LAB: "ml.t3.medium"}))
        sinks.emit(events.RunStarted("ml-platform", "1", 1))
        drawn = asyncio.Event()

        def show(text: str) -> None:
            sinks._redraw(text)
            sinks._screen.drain()
            drawn.set()

        monkeypatch.setattr(sinks._progress, "_show", show)

        async def work() -> str:
            await drawn.wait()
            return "done"

        assert await sinks.ticking(work()) == "done"
        assert sinks._timer is not None
        assert sinks._timer.cancelled()
        sinks.clear()
    assert "JupyterLab/ml.t3.medium  0/1" in capfd.readouterr().err


async def test_without_progress_the_work_goes_on_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIVE_REDRAW_SECONDS", 0.0)
    with Sinks(FLAGS, OPTIONS, quiet=False) as sinks:

        async def work() -> int:
            for _ in range(5):
                await asyncio.sleep(0)
            return 7

        assert await sinks.ticking(work()) == 7


async def test_an_error_of_the_work_is_that_of_the_whole() -> None:
    with Sinks(FLAGS, OPTIONS, quiet=False) as sinks:

        async def work() -> None:
            raise ValueError("mine")

        with pytest.raises(ValueError, match="mine"):
            await sinks.ticking(work())


def test_the_size_of_what_is_no_terminal_is_that_of_an_old_one() -> None:
    assert size_of(None) == (80, 24)
