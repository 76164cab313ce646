"""A signal while the modules are still read: no traceback, and the exit code of an interrupt."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.e2e.harness import PROCESS_MAX_SECONDS

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
