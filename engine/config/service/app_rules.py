"""What goes together: app types with owners, names and instance types; rules that the service's model does not state.

Not here: single values (`fields`), or rules that a platform team makes for itself (`policy`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.config.reading.problems import Code, one_of, show_value
from engine.config.service.service_model import SYSTEM
from engine.core.desired import AppSpec
from engine.core.identity import SPACE, USER
from engine.core.limits import APP_TAGS_MAX_COUNT
from engine.core.training_plans import plan_fault

Fault = tuple[Code, str, str]

# A space holds exactly one app of these types, and its type can never be changed.
ONE_A_SPACE: Final = frozenset({"JupyterLab", "CodeEditor"})
_USER_OR_SHARED_SPACE: Final = frozenset({"JupyterServer", "KernelGateway"})
NAME_NEEDED: Final = frozenset({"KernelGateway", "RSessionGateway"})
RSTUDIO_SERVER: Final = "RStudioServerPro"
RSTUDIO_OWNER: Final = "domain-shared"
DEFAULT_NAME: Final = "default"


def spec_faults(app_type: str | None, name: str | None, spec: AppSpec, fallback: tuple[str, ...]) -> tuple[Fault, ...]:
    """Say what is wrong with an app, whoever owns it; empty when nothing is."""
    faults: list[Fault] = []
    if app_type is None:
        faults.append(
            (Code.VALUE, "this app has no type", 'Set type in the app definition, such as type = "JupyterLab"')
        )
    elif name is None and app_type in NAME_NEEDED:
        faults.append(
            (Code.NAME, f"a {app_type} app needs a name", 'Set one here, such as { use = "…", name = "nightly" }')
        )
    if fallback and spec.instance_type is None:
        faults.append((Code.VALUE, "fallback is set, but no instance_type to fall back from", "Set instance_type too"))
    if app_type is not None and (plan := plan_fault(app_type, spec)) is not None:
        faults.append((Code.VALUE, *plan))
    if app_type == "JupyterServer":
        wrong = next((item for item in (spec.instance_type, *fallback) if item not in {None, SYSTEM}), None)
        if wrong is not None:
            hint = f'Set instance_type = "{SYSTEM}", or leave it out'
            faults.append((Code.VALUE, f"a JupyterServer app runs on {SYSTEM} only, and not on {wrong}", hint))
    if len(spec.tags) > APP_TAGS_MAX_COUNT:
        hint = "The service takes 50 tags, and one of them is appfleet:fleet. Remove some from its layers"
        faults.append(
            (Code.TAGS, f"all layers together give {len(spec.tags)} tags, more than {APP_TAGS_MAX_COUNT}", hint)
        )
    return tuple(faults)


def owner_fault(app_type: str, kind: str, owner: str, sharing: str) -> Fault | None:
    """Say why an app of this type cannot belong to that owner; None when it can. `sharing` is empty for users."""
    if app_type in ONE_A_SPACE:
        message = f"{app_type} runs in spaces only, and {owner} is a user profile"
        hint = 'Put it into a space: "{member}-lab" in a team\'s spaces, or a table under spaces'
        is_wrong = kind == USER
    elif app_type in _USER_OR_SHARED_SPACE:
        message = f"of spaces, {app_type} runs in shared ones only, and {owner} is private"
        hint = 'Set sharing = "Shared" on the space, or move the app to a user profile'
        is_wrong = kind == SPACE and sharing != "Shared"
    elif kind == SPACE:
        message = f"{app_type} belongs to a user profile, and {owner} is a space"
        hint = "Move it to a user profile"
        is_wrong = True
    else:
        message = f"{app_type} belongs to the user profile {RSTUDIO_OWNER} alone, and not to {owner}"
        hint = f"Put it into a table users.{RSTUDIO_OWNER}"
        is_wrong = app_type == RSTUDIO_SERVER and owner != RSTUDIO_OWNER
    return (Code.OWNER, message, hint) if is_wrong else None


def settings_faults(kind: str, attributes: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Say which of an owner's own keys are set a second time inside its `settings`."""
    settings = attributes.get("settings", {})
    pairs = (
        (("execution_role", "ExecutionRole"),)
        if kind == USER
        else (("ebs_gb", "SpaceStorageSettings"), ("idle_minutes", "AppLifecycleManagement"))
    )
    faults: list[Fault] = []
    for key, inside in pairs:
        if key in attributes and _holds(settings, inside):
            message = f"{key} is set, and settings set {inside} as well"
            faults.append((Code.CONFLICT, message, "Keep one of the two"))
    if kind == SPACE and "AppType" in settings:
        message = f"settings set AppType to {show_value(str(settings['AppType']))}"
        hint = f"Remove it: a space's type is that of its app ({one_of(sorted(ONE_A_SPACE))})"
        faults.append((Code.CONFLICT, message, hint))
    return tuple(faults)


def _holds(settings: Mapping[str, Any], key: str) -> bool:
    """Whether `key` stands in the settings or one level below, where each app type keeps its own."""
    return key in settings or any(isinstance(value, dict) and key in value for value in settings.values())
