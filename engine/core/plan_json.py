"""A plan read back from its document: what `plan --out` wrote, for `apply plan.json`.

The document holds what will be done and the drift, not every decision; so does the plan that is read from it. Not here:
judging whether it still fits what is observed, or joining its apps with the fleet file (mode, team and where each was
written are not in the document).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final, NoReturn

from engine.core.application import Application
from engine.core.change import Action, Change, OwnerChange, OwnerReason, Reason
from engine.core.cost import cost_from_json
from engine.core.desired import AppSpec, DesiredApp, DesiredOwner, Source
from engine.core.errors import StalePlanError, UsageError
from engine.core.finding import Finding
from engine.core.forecast import forecast_from_json
from engine.core.hours import HoursLine
from engine.core.identity import OWNER_KINDS, SPACE, USER, AppKey, Lane, Owner, parse_app_key
from engine.core.observed import AppStatus, ObservedApp, ObservedOwner
from engine.core.owner_settings import Difference
from engine.core.plan import FORMAT_VERSION, Fits, Plan, PlanLane, QuotaLine
from engine.core.trouble import Trouble

_HINT: Final = "Make it again with: appfleet plan --out FILE"
_SOURCE: Final = Source("saved plan", 1)
_OWNER_TEXTS: Final = ("execution_role", "sso_identity", "owner_user", "app_type")
_OWNER_COUNTS: Final = ("ebs_gb", "idle_minutes")
_TEXT_FIELDS: Final = tuple(item.name for item in fields(AppSpec) if item.name not in ("recovery_mode", "tags"))


def plan_from_json(document: object) -> Plan:
    """Read the document of `Plan.to_json`; written again it is the same document, and has the same fingerprint.

    Raises StalePlanError when it is not such a document, comes from another format version, or was changed since it
    was written (its fingerprint and its summary are made anew and compared).
    """
    whole = _table(document, "the plan")
    version = whole.get("format_version")
    if version != FORMAT_VERSION:
        _refuse(f"it has format version {version!r}, and this appfleet reads {FORMAT_VERSION}")
    if whole.get("at"):
        _refuse(f"it is a plan for another time, {whole['at']} (--at), not for now")
    try:
        plan = _read_plan(whole)
    except KeyError as error:
        _refuse(f"{error.args[0]} is missing")
    except UsageError as error:
        _refuse(f"it is not the document of a plan: {error.message}")
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        _refuse(f"it is not the document of a plan: {error}")
    if plan.fingerprint != whole.get("fingerprint"):
        _refuse(f"its changes have the fingerprint {plan.fingerprint}, and it says {whole.get('fingerprint')}")
    if plan.summary != whole["summary"]:
        _refuse(f"its changes are {plan.summary}, and it says {whole['summary']}")
    return plan


def _refuse(why: str) -> NoReturn:
    raise StalePlanError(f"the saved plan is not used: {why}", hint=_HINT)


def _read_plan(whole: Mapping[str, Any]) -> Plan:
    decisions = {change.key: change for change in map(_read_change, [*whole["drift"], *whole["changes"]])}
    owners = [_read_owner(entry) for entry in whole.get("owners", ())]
    stays = [one for one in owners if _stays(one)]
    plan = Plan(
        fleet=_text(whole["fleet"]),
        made_at=_text(whole["made_at"]),
        decisions=tuple(decisions[key] for key in sorted(decisions)),
        complete=bool(whole["complete"]),
        denied=not whole["applyable"],
        lanes=tuple(PlanLane(**_texts(lane)) for lane in whole["lanes"]),
        inputs=tuple(_texts(whole["inputs"]).items()),
        selectors=tuple((kind, _text(value)) for kind, values in whole["selectors"].items() for value in values),
        options=tuple(_texts(whole["options"]).items()),
        findings=tuple(_read_finding(**_texts(finding)) for finding in whole["findings"]),
        quotas=tuple(_read_quota(line) for line in whole["quotas"]),
        version=_text(whole.get("version", "")),
        cost=cost_from_json(whole.get("cost")),
        forecast=forecast_from_json(whole.get("forecast")),
        hours=tuple(_read_hours(entry) for entry in whole.get("hours", ())),
        owners=tuple(one for one in owners if not _stays(one)),
        owner_drift=tuple(stays),
        errors=tuple(Trouble(**_texts(error)) for error in whole.get("errors", ())),
        domain_lanes=tuple((name, Lane(**_texts(lane))) for name, lane in whole.get("domains", {}).items()),
    )
    counted, said = plan.summary, whole["summary"]
    return replace(
        plan,
        unmanaged=_count(said["unmanaged"]),
        more_none=_count(said["none"]) - counted["none"],
        more_denied=_count(said["denied"]) - counted["denied"],
        more_unknown=_count(said.get("unknown", 0)) - counted["unknown"],
    )


def _stays(one: OwnerChange) -> bool:
    """Whether an owner differs and is left alone."""
    return one.action is Action.NONE and bool(one.differs)


def _read_change(entry: Mapping[str, Any]) -> Change:
    key = parse_app_key(_text(entry["key"]))
    before, after, waits = entry["before"], entry["after"], entry.get("canary")
    return Change(
        key,
        Action(entry["action"]),
        Reason(entry["reason"] if waits is None else waits["reason"]),
        None if before is None else _read_before(key, before),
        None if after is None else _read_after(key, after),
        tuple(_text(name) for name in entry["differs"]),
        None if waits is None else parse_app_key(_text(waits["key"])),
    )


def _read_owner(entry: Mapping[str, Any]) -> OwnerChange:
    kind = _text(entry["kind"])
    if kind not in OWNER_KINDS:
        raise ValueError(f"{kind!r} is not a kind of owner")
    owner = Owner(_text(entry["domain"]), SPACE if kind == SPACE else USER, _text(entry["name"]))
    before, after = entry["before"], entry["after"]
    return OwnerChange(
        owner,
        Action(entry["action"]),
        OwnerReason(entry["reason"]),
        None if before is None else ObservedOwner(owner, _text(before["status"]), float(before["generation"])),
        None if after is None else _read_declared(owner, after),
        assigned_to=Application("", _text(entry["assigned_to"])) if "assigned_to" in entry else None,
        differs=tuple(
            Difference(_text(one["field"]), one["declared"], one["observed"]) for one in entry.get("differs", ())
        ),
    )


def _read_declared(owner: Owner, entry: Mapping[str, Any]) -> DesiredOwner:
    more: dict[str, Any] = {name: _text(entry[name]) for name in _OWNER_TEXTS if name in entry}
    more |= {name: _count(entry[name]) for name in _OWNER_COUNTS if name in entry}
    return DesiredOwner(
        owner,
        _SOURCE,
        tags=tuple(sorted(_texts(entry.get("tags", {})).items())),
        settings=_table(entry.get("settings", {}), "settings"),
        sharing=_text(entry.get("sharing", "")),
        **more,
    )


def _read_before(key: AppKey, entry: Mapping[str, Any]) -> ObservedApp:
    said = _text(entry["status"])
    status = AppStatus.of(said)
    return ObservedApp(
        key,
        status,
        float(entry["generation"]),
        _read_spec(entry),
        status_text=said if status is AppStatus.UNKNOWN else "",
    )


def _read_after(key: AppKey, entry: Mapping[str, Any]) -> DesiredApp:
    fallback = tuple(_text(item) for item in entry.get("fallback", ()))
    return DesiredApp(key, _read_spec(entry), _SOURCE, fallback=fallback)


def _read_spec(entry: Mapping[str, Any]) -> AppSpec:
    return AppSpec(
        **{name: _text(entry[name]) for name in _TEXT_FIELDS if name in entry},
        recovery_mode=bool(entry["recovery_mode"]) if "recovery_mode" in entry else None,
        tags=tuple(sorted(_texts(entry.get("tags", {})).items())),
    )


def _read_finding(rule: str, enforcement: str, key: str, message: str, source: str = "") -> Finding:
    return Finding(rule, enforcement, key, message, source)


def _read_hours(entry: Mapping[str, Any]) -> HoursLine:
    hours, zone, change, local = (_text(entry[name]) for name in ("hours", "zone", "change", "local"))
    return HoursLine(hours, zone, entry["open"] is True, _count(entry["apps"]), change, local)


def _read_quota(entry: Mapping[str, Any]) -> QuotaLine:
    value, used = entry["value"], entry["used"]
    return QuotaLine(
        _text(entry["bucket"]),
        _text(entry["quota"]),
        None if value is None else _count(value),
        None if used is None else _count(used),
        _count(entry["wanted"]),
        Fits(entry["fits"]),
        _text(entry.get("code", "")),
        _text(entry.get("period", "")),
    )


def _table(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        _refuse(f"{what} is not a JSON object")
    return value


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    return {_text(name): _text(item) for name, item in value.items()}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is where a text belongs")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is where a whole number belongs")
    return value
