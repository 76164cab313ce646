"""Fleets, listings and options of every shape, small enough that they meet: few names, all statuses, every option."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from hypothesis import strategies as st

from engine.core.desired import AppSpec, DesiredApp, DesiredFleet, Mode
from engine.core.errors import AccessDenied
from engine.core.finding import Finding
from engine.core.hours import HoursAt
from engine.core.identity import USER, AppKey, QuotaBucket, parse_app_key
from engine.core.observed import AppStatus, ObservedApp, ObservedDomain, ObservedFleet, Ownership
from engine.core.plan import Fits, PlanLane, QuotaLine
from engine.core.plan_options import PlanOptions
from engine.core.request import Request
from engine.core.selectors import Selectors
from engine.core.settings import Safety
from tests.fleets import DOMAIN_NAMES, LANE, SOURCE, TODAY, a_fleet, hours_of

INSTANCE_TYPES = ("system", "ml.t3.medium", "ml.m5.large", "ml.g5.xlarge")
ARNS = ("None", "arn:aws:sagemaker:eu-west-1:1:thing/one", "arn:aws:sagemaker:eu-west-1:1:thing/two")
TEAMS = ("", "forecasting", "vision")

# Few enough that what is declared, what is observed and what the options name meet all the time.
OPEN, CLOSED = hours_of("Mon-Sun 00:00-24:00 UTC"), hours_of("Mon-Fri 08:00-19:00 UTC")
KEYS = tuple(
    parse_app_key(text)
    for text in (
        "lab/user/alice/Canvas/default",
        "research/space/alice-lab/JupyterLab/default",
        "research/space/bob-lab/CodeEditor/default",
        "research/user/alice/Canvas/default",
        "research/user/alice/KernelGateway/nightly",
        "research/user/bob/KernelGateway/nightly",
    )
)
keys = st.sampled_from(KEYS)


def optional(values: tuple[str, ...]) -> st.SearchStrategy[str | None]:
    return st.none() | st.sampled_from(values)


declared_specs = st.just(AppSpec("ml.t3.medium")) | st.builds(
    AppSpec,
    instance_type=optional(INSTANCE_TYPES),
    image_arn=optional(ARNS[1:]),
    lifecycle_config_arn=optional(ARNS),
    training_plan_arn=optional(ARNS),
    recovery_mode=st.none() | st.booleans(),
    tags=st.sampled_from(((), (("cost-center", "4711"), ("team", "vision")))),
)
listed_specs = st.just(AppSpec("ml.t3.medium")) | st.builds(
    AppSpec,
    instance_type=optional(INSTANCE_TYPES),
    image_arn=optional(ARNS[1:]),
    image_version_alias=optional(("1.0",)),
    lifecycle_config_arn=optional(ARNS[1:]),
    training_plan_arn=optional(ARNS[1:]),
)
apps = st.builds(
    DesiredApp,
    key=keys,
    spec=declared_specs,
    source=st.just(SOURCE),
    fallback=st.lists(st.sampled_from(INSTANCE_TYPES[1:]), max_size=2, unique=True).map(tuple),
    mode=st.sampled_from((*Mode, Mode.RUNNING, Mode.RUNNING)),
    expires=st.sampled_from((None, None, None, None, date(2026, 11, 23), TODAY)),
    team=st.sampled_from(TEAMS),
    hours=st.sampled_from((None, None, OPEN, CLOSED)),
)
# What decides most is drawn most: apps in service, and apps that are ours.
statuses = st.sampled_from((*AppStatus, AppStatus.IN_SERVICE, AppStatus.IN_SERVICE, AppStatus.IN_SERVICE))
ownerships = st.sampled_from((*Ownership, Ownership.OURS, Ownership.OURS))


@st.composite
def desired_fleets(draw: st.DrawFn) -> DesiredFleet:
    chosen = [draw(apps.map(partial(_with_key, key))) for key in KEYS if draw(st.booleans())]
    return a_fleet(*chosen, prune_refusal=draw(st.sampled_from(("", "", "", "a members file is empty"))))


def _with_key(key: AppKey, app: DesiredApp) -> DesiredApp:
    return replace(app, key=key)


@st.composite
def observed_fleets(draw: st.DrawFn) -> ObservedFleet:
    rows = [draw(_rows(key)) for key in KEYS if draw(st.integers(0, 4))]
    domains = {}
    for name in draw(st.sampled_from((DOMAIN_NAMES,) * 7 + (DOMAIN_NAMES[:1],))):
        error = draw(st.sampled_from((None,) * 7 + (AccessDenied("ListApps is not allowed"),)))
        listed = {} if error else {row.key: row for row in rows if row.key.domain == name}
        domains[name] = ObservedDomain(name, 0.0, listed, error)
    return ObservedFleet(domains)


@st.composite
def _rows(draw: st.DrawFn, key: AppKey) -> ObservedApp:
    if key.owner_kind == USER and not draw(st.integers(0, 3)):
        key = key._replace(owner=key.owner.upper())
    status = draw(statuses)
    return ObservedApp(
        key,
        status,
        draw(st.sampled_from((1_000.0, 2_000.5))),
        draw(listed_specs),
        status_text="Exploded" if status is AppStatus.UNKNOWN else "",
        ownership=draw(ownerships),
        keep_until=draw(st.sampled_from(("", "", "2026-11-24T00:30:00Z", "2026-11-24T20:00:00Z", "tonight"))),
    )


key_sets = st.just(frozenset[AppKey]()) | st.frozensets(keys, max_size=2)
buckets = st.builds(
    QuotaBucket,
    account=st.just(LANE.account),
    region=st.just(LANE.region),
    app_type=st.sampled_from(("JupyterLab", "KernelGateway")),
    instance_type=st.sampled_from(("", *INSTANCE_TYPES)),
)
rooms = st.dictionaries(buckets, st.sampled_from(Fits), max_size=4)  # made once: making it costs more than a draw


@st.composite
def plan_options(draw: st.DrawFn) -> PlanOptions:
    return PlanOptions(
        made_at="2026-11-24T01:00:00Z",
        today=TODAY,
        safety=Safety(replace_on_drift=draw(st.booleans()), prune=not draw(st.integers(0, 3))),
        request=Request(
            selectors=draw(selectors),
            prune=draw(st.booleans()),
            replace_on_drift=draw(st.booleans()),
            replace_keys=draw(key_sets),
            retry_quarantined=draw(st.booleans()),
        ),
        prune_refusal=draw(st.sampled_from(("", "", "", "a profile carries appfleet:fleet"))),
        allow_destructive=draw(key_sets),
        once_done=draw(key_sets),
        quarantined=draw(key_sets),
        denied_keys=draw(key_sets),
        run_denied=draw(st.booleans()),
        findings=draw(st.sampled_from(((), (Finding("gpu", "mandatory", "", "too many", "policies/gpu.toml:3"),)))),
        quotas=draw(st.sampled_from(((), (QuotaLine("b", "q", 10, None, 3, Fits.UNKNOWN),)))),
        lanes=draw(st.sampled_from(((), (PlanLane(*LANE), PlanLane(*LANE, "http://127.0.0.1:4566"))))),
        domain_lanes=draw(st.sampled_from(({}, dict.fromkeys(DOMAIN_NAMES, LANE)))),
        bucket_room=draw(rooms),
        hours=HoursAt.of((OPEN, CLOSED), datetime(2026, 11, 24, 1, tzinfo=UTC)),
    )


selectors = st.just(Selectors()) | st.builds(
    Selectors,
    domains=st.sampled_from(((), (), ("lab",), ("*",))),
    teams=st.sampled_from(((), (), (), ("v*", "forecasting"))),
    users=st.sampled_from(((), (), (), ("alice",), ("[!a]*", "bob"))),
    spaces=st.sampled_from(((), (), (), ("*-lab",), ("bob-lab",))),
    app_types=st.sampled_from(((), (), (), ("Canvas", "Jupyter*"))),
    keys=st.just(()) | st.lists(keys, min_size=1, max_size=3).map(tuple),
)


def without_what_asks_anew(options: PlanOptions) -> PlanOptions:
    """Return the options of the next run: a key that was forced is forced once."""
    return replace(options, request=replace(options.request, replace_keys=frozenset()))


def shuffled(observed: ObservedFleet, order: Any) -> ObservedFleet:
    """Return the same rows and domains as a listing in another order gives them."""
    names = sorted(observed.domains, key=lambda _: order.random())
    return ObservedFleet({name: _shuffled_domain(observed.domains[name], order) for name in names})


def _shuffled_domain(domain: ObservedDomain, order: Any) -> ObservedDomain:
    rows = sorted(domain.apps.values(), key=lambda _: order.random())
    return replace(domain, apps={row.key: row for row in rows})
