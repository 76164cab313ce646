"""appfleet: declarative, policy-driven reconciliation of SageMaker Studio apps.

The public API and nothing else. A name is imported when it is first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.app.apply import apply
    from engine.app.loading import ValidateResult, validate
    from engine.app.options import AppOptions
    from engine.app.plan import plan
    from engine.app.status import status
    from engine.core.errors import AppfleetError, ExitCode
    from engine.core.identity import AppKey
    from engine.core.outcome import ApplyReport
    from engine.core.plan import Plan
    from engine.core.request import Request
    from engine.core.selectors import Selectors
    from engine.core.status import StatusView
    from engine.ports.events import Event

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

_HOMES = {
    "AppKey": "engine.core.identity",
    "AppOptions": "engine.app.options",
    "AppfleetError": "engine.core.errors",
    "ApplyReport": "engine.core.outcome",
    "Event": "engine.ports.events",
    "ExitCode": "engine.core.errors",
    "Plan": "engine.core.plan",
    "Request": "engine.core.request",
    "Selectors": "engine.core.selectors",
    "StatusView": "engine.core.status",
    "ValidateResult": "engine.app.loading",
    "apply": "engine.app.apply",
    "plan": "engine.app.plan",
    "status": "engine.app.status",
    "validate": "engine.app.loading",
}


def __getattr__(name: str) -> Any:
    """Import a public name from where it is defined."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
