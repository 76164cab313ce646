"""JSON Schemas of every JSON that appfleet prints: documents of commands, and lines of the log.

`tools/make_docs.py` writes them to docs/schemas/; a test holds real output against them. Consumers should let pass what
they do not know: fields may be added within a `format_version`, so nothing here forbids them.
"""

from __future__ import annotations

import types
import typing
from dataclasses import fields
from typing import Any, Final

from engine.core.change import CANARY, Action, Reason
from engine.core.identity import AppKey, Lane, Owner
from engine.core.idle_spaces import Sign
from engine.core.needs import Kind
from engine.core.outcome import Outcome, RunResult
from engine.core.owner_status import OwnerCondition
from engine.core.plan import Fits
from engine.core.preflight import Result
from engine.core.status import Condition
from engine.ports import events
from engine.ports.events import Event

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
TEXT: Final[dict[str, Any]] = {"type": "string"}
COUNT: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}
SECONDS: Final[dict[str, Any]] = {"type": "number", "minimum": 0}
NUMBER: Final[dict[str, Any]] = {"type": "number"}
FLAG: Final[dict[str, Any]] = {"type": "boolean"}
ANYTHING: Final[dict[str, Any]] = {}
KEY: Final[dict[str, Any]] = {"type": "string", "pattern": "^[^/]+/(user|space)/[^/]+/[^/]+/[^/]+$"}
OWNER: Final[dict[str, Any]] = {"type": "string", "pattern": "^[^/]+/(user|space)/[^/]+$"}
TIME: Final[dict[str, Any]] = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
SHA256: Final[dict[str, Any]] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
FINGERPRINT: Final[dict[str, Any]] = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}


def obj(optional: tuple[str, ...] = (), /, **properties: Any) -> dict[str, Any]:
    """Return an object; what is not `optional` must be there."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


def arr(items: dict[str, Any]) -> dict[str, Any]:
    """Return an array."""
    return {"type": "array", "items": items}


def maps(values: dict[str, Any]) -> dict[str, Any]:
    """Return an object whose keys are data."""
    return {"type": "object", "additionalProperties": values}


def one_of(enum: Any) -> dict[str, Any]:
    """Return the values of an enumeration."""
    return {"enum": [item.value for item in enum]}


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema`, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


SPEC: Final = {
    "instance_type": TEXT,
    "image_arn": TEXT,
    "image_version_arn": TEXT,
    "image_version_alias": TEXT,
    "lifecycle_config_arn": TEXT,
    "training_plan_arn": TEXT,
    "recovery_mode": FLAG,
    "tags": maps(TEXT),
}
BEFORE: Final = obj(tuple(SPEC), **SPEC, generation=NUMBER, status=TEXT)
AFTER: Final = obj((*SPEC, "fallback"), **SPEC, fallback=arr(TEXT))
CHANGE: Final = obj(
    ("canary",),
    key=KEY, domain=TEXT, owner_kind={"enum": ["user", "space"]}, owner=TEXT, app_type=TEXT, app_name=TEXT,
    action=one_of(Action), reason={"enum": [*(item.value for item in Reason), CANARY]},
    before=or_null(BEFORE), after=or_null(AFTER), differs=arr(TEXT), canary=obj(key=KEY, reason=one_of(Reason)),
)  # fmt: skip
TROUBLE: Final = obj(code=TEXT, message=TEXT, hint=TEXT)
FINDING: Final = obj(rule=TEXT, enforcement=TEXT, key=TEXT, message=TEXT, source=TEXT)
LANE: Final = obj(account=TEXT, region=TEXT, endpoint=TEXT)
QUOTA: Final = obj(
    ("period",),
    bucket=TEXT, quota=TEXT, code=TEXT, value=or_null(COUNT), used=or_null(COUNT), wanted=COUNT, fits=one_of(Fits),
    period=TEXT,
)  # fmt: skip
OWNER_DIFFERENCE: Final = obj(field=TEXT, declared=ANYTHING, observed=ANYTHING)
OWNER_CHANGE: Final = obj(
    ("assigned_to", "key", "differs"),
    owner=OWNER, domain=TEXT, kind={"enum": ["user", "space"]}, name=TEXT, action=one_of(Action), reason=TEXT,
    before=or_null(obj(status=TEXT, generation=NUMBER)), after=or_null(maps(ANYTHING)), assigned_to=TEXT,
    key=OWNER, differs=arr(OWNER_DIFFERENCE),
)  # fmt: skip
OWNER_ROW: Final = obj(
    key=OWNER, domain=TEXT, kind={"enum": ["user", "space"]}, name=TEXT, condition=one_of(OwnerCondition),
    status=or_null(TEXT), action=one_of(Action), differs=arr(OWNER_DIFFERENCE), why=TEXT, hint=TEXT,
)  # fmt: skip
OWNER_RESULT: Final = obj(
    owner=OWNER, action=one_of(Action), outcome=one_of(Outcome), attempts=COUNT, seconds=SECONDS, arn=TEXT,
    error=or_null(TROUBLE),
)  # fmt: skip
APP_RESULT: Final = obj(
    key=KEY, action=one_of(Action), outcome=one_of(Outcome), attempts=COUNT, seconds=SECONDS, instance_type=TEXT,
    arn=TEXT, error=or_null(TROUBLE),
)  # fmt: skip


COST_LINE: Final = obj(team=TEXT, hourly_usd=NUMBER, monthly_usd=NUMBER, apps=COUNT)
COST: Final = obj(hourly_usd=NUMBER, monthly_usd=NUMBER, teams=arr(COST_LINE), unpriced=arr(KEY))
FORECAST: Final = obj(
    seconds=SECONDS, critical=TEXT, parked=COUNT, calls=maps(COUNT), curve=arr(SECONDS), rate_is_learnt=FLAG,
    durations_are_known=FLAG, fitting_seconds=SECONDS,
)  # fmt: skip


HOURS: Final = obj(hours=TEXT, zone=TEXT, open=FLAG, apps=COUNT, change=TEXT, local=TEXT)
FORESEEN: Final = obj(seconds=SECONDS, fitting_seconds=SECONDS, parked=COUNT, took_seconds=SECONDS)


def document(title: str, **properties: Any) -> dict[str, Any]:
    """Return the schema of a whole document."""
    return {"$schema": DIALECT, "title": title, **obj(format_version={"const": 1}, **properties)}


def plan() -> dict[str, Any]:
    """`plan --format json`, and the file of `plan --out`."""
    shown = document(
        "appfleet plan --format json",
        version=TEXT, fleet=TEXT, made_at=TIME, lanes=arr(LANE), inputs=maps(SHA256),
        selectors=maps(arr(TEXT)), options=maps(TEXT), fingerprint=FINGERPRINT,
        complete=FLAG, applyable=FLAG, owners=arr(OWNER_CHANGE), changes=arr(CHANGE),
        drift=arr(CHANGE),
        findings=arr(FINDING), quotas=arr(QUOTA), cost=or_null(COST),
        forecast=or_null(FORECAST),
        summary=obj(
            create=COUNT, delete_then_create=COUNT, delete=COUNT, adopt=COUNT, none=COUNT, unmanaged=COUNT,
            denied=COUNT, unknown=COUNT,
        ),
    )  # fmt: skip
    shown["properties"]["domains"] = maps(obj(account=TEXT, region=TEXT))  # those that were reached
    shown["properties"]["hours"] = arr(HOURS)  # where an app has hours
    shown["properties"]["at"] = TIME  # with --at alone
    shown["properties"]["organization"] = FINGERPRINT  # with --policies alone
    return shown


def apply() -> dict[str, Any]:
    """`apply --format json`."""
    return document(
        "appfleet apply --format json",
        run_id=TEXT, fleet=TEXT, result=one_of(RunResult), exit_code={"type": "integer"}, error=or_null(TROUBLE),
        lanes=arr(LANE), started=TIME, seconds=SECONDS,
        summary={"type": "object", "properties": {one.value: COUNT for one in Outcome}},
        owners=arr(OWNER_RESULT), apps=arr(APP_RESULT), findings=arr(FINDING), calls=maps(maps(COUNT)),
        errors=arr(TROUBLE), notes=arr(TEXT), links=maps(TEXT),
        forecast=or_null(FORESEEN),
    )  # fmt: skip


def failure() -> dict[str, Any]:
    """`plan`, `status` and `explain` with `--format json`, where something ended them before their result."""
    return document(
        "appfleet: the end of a command that has no result",
        run_id=TEXT, fleet=TEXT, result=one_of(RunResult), exit_code={"type": "integer"}, error=or_null(TROUBLE),
        errors=arr(TROUBLE), complete=FLAG,
    )  # fmt: skip


def status() -> dict[str, Any]:
    """`status --format json`."""
    row = obj(
        key=KEY, wanted={"enum": ["", "running", "once", "absent", "expired"]}, status=or_null(TEXT),
        condition=one_of(Condition), why=TEXT, hint=TEXT, expires_in_days=or_null(COUNT),
        reason=one_of(Reason), team=TEXT, desired=or_null(obj(tuple(SPEC), **SPEC)), observed=or_null(BEFORE),
        differs=arr(TEXT),
    )  # fmt: skip
    space = obj(
        space=OWNER, domain=TEXT, name=TEXT, owner=TEXT, sharing=TEXT, app_type=TEXT, status=TEXT, declared=FLAG,
        gb=or_null(COUNT), monthly_usd=or_null(NUMBER), days_at_most=COUNT, last_sign=one_of(Sign), last_sign_at=TIME,
        run_id=TEXT,
    )  # fmt: skip
    spaces = obj(idle_days=COUNT, spaces=arr(space), gb=COUNT, monthly_usd=or_null(NUMBER), unpriced=COUNT)
    shown = document(
        "appfleet status --format json",
        fleet=TEXT, made_at=TIME, lanes=arr(LANE), complete=FLAG, apps=arr(row), unmanaged=COUNT,
        teams=arr(obj(domain=TEXT, team=TEXT, declared=COUNT, conditions=maps(COUNT), expiring=COUNT)),
        foreign=arr(obj(key=KEY, fleet=TEXT)), expiring_within_days=COUNT, quarantine_known=FLAG,
        summary=maps(COUNT), errors=arr(TROUBLE), findings=arr(FINDING),
    )  # fmt: skip
    shown["properties"]["hours"] = arr(HOURS)  # where an app has hours
    shown["properties"]["at"] = TIME  # with --at alone
    shown["properties"]["idle_spaces"] = spaces  # with --spaces alone
    shown["properties"]["owners"] = obj(summary=maps(COUNT), rows=arr(OWNER_ROW))  # with --owners alone
    return shown


def explain() -> dict[str, Any]:
    """`explain --format json`."""
    rule = obj(
        ("organization",),
        rule=TEXT, enforcement=TEXT, verdict=TEXT, message=TEXT, group=TEXT, source=TEXT, seen=maps(ANYTHING),
        exception=or_null(TEXT), organization=FLAG,
    )  # fmt: skip
    shown = document(
        "appfleet explain --format json",
        key=KEY, declared_at=or_null(TEXT), fields=arr(obj(field=TEXT, value=TEXT, layer=TEXT, source=TEXT)),
        rules=arr(rule), priority=NUMBER, buckets=arr(TEXT), change=or_null(CHANGE), trouble=TEXT, unproven=TEXT,
        findings=arr(FINDING), owner=or_null(OWNER_ROW),
    )  # fmt: skip
    shown["properties"]["hours"] = arr(HOURS)  # where the app has hours
    return shown


def history() -> dict[str, Any]:
    """`history --format json`."""
    run = obj(
        ("running",),
        run_id=TEXT, fleet=TEXT, version=TEXT, started=TIME, ended=or_null(TIME), seconds=SECONDS, result=TEXT,
        exit_code=or_null({"type": "integer"}), error=or_null(TROUBLE), apps=COUNT, summary=maps(COUNT),
        owners=maps(COUNT),
        creates_per_minute=SECONDS, settle_median_seconds=or_null(SECONDS), throttled_calls=or_null(COUNT),
        forecast=or_null(FORESEEN), running=FLAG,
    )  # fmt: skip
    return document("appfleet history --format json", runs=arr(run))


def gate() -> dict[str, Any]:
    """`gate --format json`."""
    return document(
        "appfleet gate --format json",
        fleet=TEXT, fingerprint=FINGERPRINT, applyable=FLAG, complete=FLAG, lanes=maps(FINGERPRINT),
        findings=arr(FINDING), summary=obj(create=COUNT, delete_then_create=COUNT, delete=COUNT),
    )  # fmt: skip


def gather() -> dict[str, Any]:
    """`gather --format json`, and PLANS/report.json. Of a lane on which no shard reported, `run_id` is empty."""
    code = {"type": "integer"}
    lane = obj(
        lane=TEXT, run_id=TEXT, shard=TEXT, result=one_of(RunResult), exit_code=code, error=or_null(TROUBLE),
        summary=maps(COUNT),
    )  # fmt: skip
    rows = {**APP_RESULT["properties"], **OWNER_RESULT["properties"]}
    known = tuple(name for name in rows if name not in ("action", "outcome", "error"))
    return document(
        "appfleet gather --format json",
        fleet=TEXT, fingerprint=FINGERPRINT, exit_code=code, lost=arr(TEXT), summary=maps(COUNT), lanes=arr(lane),
        unwell=arr(obj(known, **rows)), more_unwell=COUNT,
    )  # fmt: skip


def log_line() -> dict[str, Any]:
    """One line of the log: what all have, and what each event has."""
    classes = sorted(
        {one for one in vars(events).values() if isinstance(one, type) and issubclass(one, Event) and one.name},
        key=lambda one: one.name,
    )
    shared = {"ts": TIME, "level": {"enum": ["debug", "info", "warning", "error"]}, "run_id": TEXT}
    return {
        "$schema": DIALECT,
        "title": "One line of appfleet's log",
        "oneOf": [
            {
                "type": "object",
                "required": ["ts", "level", "event", "run_id"],
                "properties": {**shared, "event": {"const": one.name}, **_event_fields(one)},
            }
            for one in classes
        ],
    }


def _event_fields(event: type[Event]) -> dict[str, Any]:
    names = {"AppKey": AppKey, "Lane": Lane, "Owner": Owner, "ClassVar": typing.ClassVar, "Any": Any}
    hints = typing.get_type_hints(event, {**vars(events), **names})
    return {item.name: _of_type(hints[item.name]) for item in fields(event)}


def _of_type(hint: Any) -> dict[str, Any]:
    """Return the schema of a field. None and empty texts are left out of a line, so they need no place."""
    if isinstance(hint, types.UnionType):
        (hint,) = (part for part in typing.get_args(hint) if part is not type(None))
    simple: dict[Any, dict[str, Any]] = {
        AppKey: KEY,
        Owner: OWNER,
        Lane: {"type": "string", "pattern": "^[^/]*/[^/]+$"},
        bool: FLAG,
        int: {"type": "integer"},
        float: NUMBER,
        str: TEXT,
    }
    if hint in simple:
        return simple[hint]
    if typing.get_origin(hint) is dict:
        return maps(_of_type(typing.get_args(hint)[1]))
    return ANYTHING


def preflight() -> dict[str, Any]:
    """`preflight --format json`."""
    return document(
        "appfleet preflight --format json",
        fleet=TEXT, made_at=TIME, lanes=arr(LANE), complete=FLAG, denied=FLAG,
        checks=arr(
            obj(
                kind=one_of(Kind), name=TEXT, alias=TEXT, account=TEXT, region=TEXT, domain=TEXT, app_type=TEXT,
                result=one_of(Result), why=TEXT, hint=TEXT, count=COUNT, keys=arr(TEXT),
            )
        ),
        summary=obj(ok=COUNT, fault=COUNT, not_checked=COUNT),
    )  # fmt: skip


SCHEMAS: Final = {
    "plan": plan,
    "apply": apply,
    "failure": failure,
    "status": status,
    "preflight": preflight,
    "explain": explain,
    "history": history,
    "gate": gate,
    "gather": gather,
    "log-line": log_line,
}
