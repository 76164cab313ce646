"""A signal while the modules are still read: no traceback, and the exit code of an interrupt."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from engine.adapters import signals
from engine.cli import main as entry
from tests.e2e.harness import PROCESS_MAX_SECONDS

if TYPE_CHECKING:
    from types import FrameType

CODE = """
import runpy, signal, sys, appfleet

class Reading:
    def find_spec(self, name, path=None, target=None):
        if name == "engine.cli.main":
            signal.raise_signal({number})

{before}
sys.meta_path.insert(0, Reading())
sys.argv = ["appfleet", "--version"]
{entry}
"""
SCRIPT = "sys.exit(appfleet.main())"
MODULE = 'runpy.run_module("engine", run_name="__main__")'


def run(number: signal.Signals, before: str = "", entry: str = SCRIPT) -> subprocess.CompletedProcess[str]:
    code = CODE.format(number=int(number), before=before, entry=entry)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PROCESS_MAX_SECONDS, check=False
    )


@pytest.mark.parametrize(
    ("number", "entry"),
    [(signal.SIGINT, SCRIPT), (signal.SIGTERM, SCRIPT), (signal.SIGHUP, SCRIPT), (signal.SIGTERM, MODULE)],
)
def test_a_signal_while_modules_are_read_ends_it_without_a_traceback(number: signal.Signals, entry: str) -> None:
    ended = run(number, entry=entry)
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == "appfleet: interrupted\n"


def test_nohup_holds_from_the_first_moment() -> None:
    ended = run(signal.SIGHUP, "signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("appfleet ")


class SignalAt:
    """Raises a signal before the line of a number in the entry and in what catches signals for it."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, frame: FrameType, event: str, _: object) -> SignalAt | None:
        if frame.f_code.co_filename not in {entry.__file__, signals.__file__}:
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGTERM)
        return self


def test_a_signal_in_any_line_of_the_entry_leaves_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where the handlers have just been put in place, and behind the end of the command."""
    by_itself: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: by_itself.append(number))  # as `appfleet` does it
    tracing = sys.gettrace()
    codes: list[int] = []
    number = 0
    was_sent = True
    try:
        while was_sent:
            number += 1
            at = SignalAt(number)
            sys.settrace(at)
            try:
                codes.append(entry.main(["schema", "policy"]))
            except KeyboardInterrupt:
                codes.append(-signal.SIGTERM)
            finally:
                sys.settrace(tracing)
            was_sent = at.left <= 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert set(codes) == {0, 130}
    assert by_itself
    assert codes.count(130) > 10
    assert capsys.readouterr().err.count("appfleet: interrupted\n") == codes.count(130)
