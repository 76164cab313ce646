"""Desired and observed fleets in a few words, for tests. Everything that a test does not say is a plain default."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from engine.core.calendars import Calendar
from engine.core.desired import AppSpec, DesiredApp, DesiredDomain, DesiredFleet, Mode, Source
from engine.core.hours import Hours
from engine.core.identity import AppKey, Lane, parse_app_key
from engine.core.observed import AppStatus, ObservedApp, ObservedDomain, ObservedFleet, Ownership
from engine.core.planner import PlanOptions
from engine.core.request import Request
from engine.core.windows import parse_window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.core.errors import AppfleetError

LAB = "research/space/alice-lab/JupyterLab/default"
CANVAS = "research/user/alice/Canvas/default"
KERNEL = "research/user/alice/KernelGateway/nightly"
TODAY = date(2026, 11, 24)
SOURCE = Source("fleet.toml", 7)
LANE = Lane("111122223333", "eu-west-1")
DOMAIN_NAMES = ("lab", "research")


def key_of(text: str) -> AppKey:
    return parse_app_key(text)


def an_app(
    key: str = LAB,
    instance_type: str | None = "ml.t3.medium",
    *,
    mode: str = "running",
    fallback: Iterable[str] = (),
    expires: date | None = None,
    team: str = "",
    hours: str = "",
    **spec: Any,
) -> DesiredApp:
    return DesiredApp(
        key_of(key),
        AppSpec(instance_type=instance_type, **spec),
        SOURCE,
        fallback=tuple(fallback),
        mode=Mode(mode),
        expires=expires,
        team=team,
        hours=hours_of(hours) if hours else None,
    )


def hours_of(text: str) -> Hours:
    """Return hours as written in place: a window, and its zone."""
    window = parse_window(text)
    return Hours(text, Calendar((window,), ZoneInfo(window.zone), window.zone))


def a_row(
    key: str = LAB,
    status: str = "InService",
    instance_type: str | None = "ml.t3.medium",
    *,
    ownership: str = "ours",
    created_at: float = 1_000.0,
    foreign_fleet: str = "",
    keep_until: str = "",
    **spec: Any,
) -> ObservedApp:
    known = AppStatus.of(status)
    return ObservedApp(
        key_of(key),
        known,
        created_at,
        AppSpec(instance_type=instance_type, **spec),
        status_text=status if known is AppStatus.UNKNOWN else "",
        ownership=Ownership(ownership),
        foreign_fleet=foreign_fleet,
        keep_until=keep_until,
    )


def a_fleet(*apps: DesiredApp, prune_refusal: str = "", domains: Iterable[str] = DOMAIN_NAMES) -> DesiredFleet:
    return DesiredFleet(
        "ml-platform",
        tuple(DesiredDomain(name, f"d-{name}", "eu-west-1", SOURCE) for name in domains),
        tuple(sorted(apps, key=lambda app: app.key)),
        (),
        (("fleet.toml", "a" * 64), ("teams/vision.toml", "b" * 64)),
        prune_refusal,
        tuple(sorted({app.hours for app in apps if app.hours is not None}, key=lambda one: one.text)),
    )


def observe(
    *rows: ObservedApp, errors: Mapping[str, AppfleetError] | None = None, domains: Iterable[str] = DOMAIN_NAMES
) -> ObservedFleet:
    found = {name: ObservedDomain(name, 0.0, {r.key: r for r in rows if r.key.domain == name}) for name in domains}
    for name, error in (errors or {}).items():
        found[name] = replace(found[name], apps={}, error=error)
    return ObservedFleet(found)


def options(**changes: Any) -> PlanOptions:
    """Return the options of a plan; what is a field of Request goes there, `allowances` as its allow_destructive."""
    names = {one.name for one in fields(Request)} - {"allow_destructive"}
    asked = {name: changes.pop(name) for name in names & changes.keys()}
    asked |= {"allow_destructive": changes.pop("allowances")} if "allowances" in changes else {}
    plain = PlanOptions(
        request=Request(**asked),
        made_at="2026-11-24T01:00:00Z",
        today=TODAY,
        domain_lanes=dict.fromkeys(DOMAIN_NAMES, LANE),
    )
    return replace(plain, **changes)
