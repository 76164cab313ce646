"""A loaded fleet as plain values, for the case files, and a small fleet to write tests with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.config.fleet.fleet_file import load_fleet

if TYPE_CHECKING:
    from pathlib import Path

    from engine.config.fleet.fleet_file import LoadedFleet
    from engine.core.desired import DesiredApp, DesiredOwner

HEAD = """schema = 1
name = "f"

[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"

[apps.lab]
type = "JupyterLab"

[apps.canvas]
type = "Canvas"

"""


def load_text(folder: Path, text: str) -> LoadedFleet:
    """Write a fleet file and load it."""
    file = folder / "fleet.toml"
    file.write_text(text, encoding="utf-8")
    return load_fleet(file)


def dump(loaded: LoadedFleet) -> dict[str, Any]:
    """Return everything that a case file holds."""
    fleet = loaded.fleet
    return {
        "name": fleet.name,
        "domains": {
            d.name: [
                *(d.domain_id, d.region, d.account, d.profile, d.role_arn),
                *([d.external_id] if d.external_id else []),
                str(d.source),
            ]
            for d in fleet.domains
        },
        "apps": {str(app.key): _app(app) for app in fleet.apps},
        "owners": {str(owner.owner): _owner(owner) for owner in fleet.owners},
        "teams": {f"{domain}/{team.name}": sorted(team.members) for domain, team in loaded.teams},
        "policies": [file.as_posix() for file in loaded.policy_files],
        "inputs": [name for name, _ in fleet.inputs],
        "prune_refusal": fleet.prune_refusal,
        "warnings": [warning.render() for warning in loaded.warnings],
    }


def _app(app: DesiredApp) -> dict[str, Any]:
    shown: dict[str, Any] = {"spec": app.spec.to_json(), "mode": app.mode.value, "source": str(app.source)}
    if app.fallback:
        shown["fallback"] = list(app.fallback)
    if app.expires:
        shown["expires"] = app.expires.isoformat()
    if app.hours:
        calendar = app.hours.calendar
        windows = [window.text for window in calendar.windows]
        shown["hours"] = [app.hours.text, calendar.zone_name, windows, sorted(map(str, calendar.closed))]
    if app.team:
        shown["team"] = app.team
    if app.sharing:
        shown["sharing"] = app.sharing
    shown["layers"] = [f"{layer.name} ({layer.source})" for layer in app.layers]
    return shown


def _owner(owner: DesiredOwner) -> dict[str, Any]:
    shown: dict[str, Any] = {"source": str(owner.source)}
    for name in ("execution_role", "sso_identity", "owner_user", "sharing", "app_type", "ebs_gb", "idle_minutes"):
        if getattr(owner, name):
            shown[name] = getattr(owner, name)
    if owner.teams:
        shown["teams"] = list(owner.teams)
    if owner.tags:
        shown["tags"] = dict(owner.tags)
    if owner.settings:
        shown["settings"] = dict(owner.settings)
    return shown
