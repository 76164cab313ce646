"""appfleet as a library: its public names, each imported when it is first used; and the entry of the command.

The code is the package `engine`, a name that others use too. This package has a name that nobody else uses, so it is
found in any case, and it looks which `engine` Python would import before it imports it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine import (
        AppfleetError,
        AppKey,
        ApplyReport,
        AppOptions,
        Event,
        ExitCode,
        Plan,
        Request,
        Selectors,
        StatusView,
        ValidateResult,
        apply,
        plan,
        status,
        validate,
    )

__all__ = [
    "AppKey",
    "AppOptions",
    "AppfleetError",
    "ApplyReport",
    "Event",
    "ExitCode",
    "Plan",
    "Request",
    "Selectors",
    "StatusView",
    "ValidateResult",
    "apply",
    "plan",
    "status",
    "validate",
]

_STDERR_FD = 2
_USAGE_EXIT_CODE = 64
_INTERRUPTED_EXIT_CODE = 130


if not TYPE_CHECKING:  # a type checker finds a name that is not there

    def __getattr__(name: str) -> Any:
        """Import a public name. Raises ImportError where another package named engine is in the way."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from appfleet.own_engine import other_engine

        other = other_engine()
        if other:
            raise ImportError(
                f"another Python package named engine hides appfleet's own: {other}. Take its folder off sys.path",
                name="engine",
                path=other,
            )
        return getattr(import_module("engine"), name)


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return [*__all__]


def main() -> int:
    """Run one command and return its exit code. No other package named engine is in its way, unless already imported.

    Such a package is named in one line on standard error.
    """
    if os.name == "nt":
        _say("error AF101: appfleet does not run on Windows. Use the Windows Subsystem for Linux, or a container")
        return _USAGE_EXIT_CODE
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    from appfleet.own_engine import import_own_engine, other_engine

    other = other_engine()
    if other and not import_own_engine():
        _say(
            f"error AF101: another Python package named engine hides appfleet's own: {other}. "
            "Take its folder off PYTHONPATH, or run: python -I -m appfleet"
        )
        return _USAGE_EXIT_CODE
    if other:
        _say(f"note: Python finds another package named engine first: {other}. appfleet uses its own")
    from engine.cli.main import main as run

    return run()


def _say(text: str) -> None:
    if sys.stderr is not None:  # None where it was closed before Python started
        with contextlib.suppress(OSError):
            sys.stderr.write(f"appfleet: {text}\n")


def _leave(*_: object) -> None:
    """End while the modules are still read, before any run: Python would print a traceback."""
    with contextlib.suppress(OSError):
        os.write(_STDERR_FD, b"appfleet: interrupted\n")
    os._exit(_INTERRUPTED_EXIT_CODE)
