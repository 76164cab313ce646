"""The entry of the `appfleet` command: runs the package `engine`, or says which other `engine` hides it.

A folder on PYTHONPATH comes before the installed packages, and `engine` is a name that others use too. This module has
a name of its own, so it is found in any case. It imports nothing else before it has looked.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import sys
from pathlib import Path

_STDERR_FD = 2
_USAGE_EXIT_CODE = 64
_INTERRUPTED_EXIT_CODE = 130
_PACKAGE = "engine"


def main() -> int:
    """Run one command and return its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    other = _other_package()
    if other:
        sys.stderr.write(
            f"appfleet: error AF101: another Python package named {_PACKAGE} hides appfleet's own: {other}. "
            "Take its folder off PYTHONPATH, or run: python -I -m appfleet\n"
        )
        return _USAGE_EXIT_CODE
    from engine.cli.main import main as run

    return run()


def _leave(*_: object) -> None:
    """End while the modules are still read, which no run has begun in: Python would print a traceback."""
    with contextlib.suppress(OSError):
        os.write(_STDERR_FD, b"appfleet: interrupted\n")
    os._exit(_INTERRUPTED_EXIT_CODE)


def _other_package() -> str:
    """Return where the package that Python would import is, if it is not the one that lies beside this file."""
    found = importlib.util.find_spec(_PACKAGE)
    ours = Path(__file__).resolve().parent / _PACKAGE / "__init__.py"
    if found is None or found.origin is None or Path(found.origin).resolve() == ours:
        return ""
    return ascii(found.origin)[1:-1]  # a path may hold what a terminal would obey


if __name__ == "__main__":
    sys.exit(main())
