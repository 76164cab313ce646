"""A plan and a report that hold a little of everything, and names that would do harm if they were not cleaned."""

from __future__ import annotations

from datetime import date
from typing import Any

from engine.core.change import Action, Change, Reason
from engine.core.finding import Finding
from engine.core.identity import AppKey
from engine.core.observed import ObservedFleet
from engine.core.outcome import ApplyReport, AppResult, Outcome
from engine.core.plan import Fits, Plan, PlanLane, QuotaLine
from engine.core.status import StatusView, status_of
from engine.core.status_facts import StatusFacts
from engine.core.trouble import Trouble
from tests.fleets import CANVAS, KERNEL, LAB, TODAY, a_row, an_app, key_of

HOSTILE = "a|`<b>@all\x1b[2J\u202e]("
BOB_LAB = "research/space/bob-lab/JupyterLab/default"
GPU_LAB = "research/space/gpu-lab/JupyterLab/default"
OLD_LAB = "research/space/old-lab/JupyterLab/default"
ODD_LAB = "vision/space/odd-lab/JupyterLab/default"

DECISIONS = (
    Change(key_of(BOB_LAB), Action.NONE, Reason.DRIFT, a_row(BOB_LAB, instance_type="ml.t3.large"),
           an_app(BOB_LAB, team="forecasting"), ("instance_type",)),
    Change(key_of(GPU_LAB), Action.DELETE_THEN_CREATE, Reason.DRIFT, a_row(GPU_LAB, instance_type=None),
           an_app(GPU_LAB, "ml.g5.xlarge", fallback=["ml.g4dn.xlarge"], team="vision"), ("instance_type",)),
    Change(key_of(LAB), Action.CREATE, Reason.ABSENT, None, an_app(LAB, team="forecasting")),
    Change(key_of(OLD_LAB), Action.DELETE, Reason.NOT_DECLARED, a_row(OLD_LAB)),
    Change(key_of(CANVAS), Action.CREATE, Reason.FAILED, a_row(CANVAS, "Failed"), an_app(CANVAS, None)),
    Change(key_of(KERNEL), Action.DELETE, Reason.EXPIRED, a_row(KERNEL), an_app(KERNEL, expires=TODAY)),
    Change(key_of(ODD_LAB), Action.NONE, Reason.PENDING, a_row(ODD_LAB, "Pending"), an_app(ODD_LAB)),
)  # fmt: skip


def a_plan(**more: object) -> Plan:
    fields = {
        "fleet": "ml-platform",
        "made_at": "2026-11-24T06:00:00Z",
        "decisions": tuple(sorted(DECISIONS, key=lambda change: change.key)),
        "unmanaged": 2,
        "lanes": (PlanLane("111122223333", "eu-west-1"), PlanLane("", "us-east-1", "http://127.0.0.1:4566")),
        "selectors": (("team", "forecasting"),),
        "options": (("prune", "on"), ("replace", "on-drift")),
        "findings": (
            Finding("approved-types", "advisory", LAB, "ml.t3.medium is old", "policies/guardrails.toml:12"),
            Finding("spend", "mandatory", "", "too dear"),
        ),
        "quotas": (
            QuotaLine("111122223333/eu-west-1/JupyterLab/ml.t3.medium", "L-71FAF417", 20, 12, 2, Fits.YES),
            QuotaLine("111122223333/eu-west-1/JupyterLab/ml.g5.xlarge", "", 1, 1, 1, Fits.NO),
            QuotaLine("111122223333/eu-west-1/Canvas/", "", None, None, 1),
        ),
    }
    return Plan(**{**fields, **more})  # type: ignore[arg-type]


def a_status(plan: Plan | None = None, errors: tuple[Trouble, ...] = (), **facts: Any) -> StatusView:
    """Return the status of a plan; `observed` and the facts as they are given."""
    observed = facts.pop("observed", ObservedFleet({}))
    told = {"today": date(2026, 11, 24), "now": 2_000.0, "expiring_within_days": 14, "slow_after_s": 600.0, **facts}
    return status_of(plan or a_plan(), observed, StatusFacts(**told), errors)


def a_hostile_plan() -> Plan:
    key = AppKey(HOSTILE, "user", HOSTILE, HOSTILE, HOSTILE)
    app = an_app(LAB, HOSTILE, team=HOSTILE, fallback=[HOSTILE])
    change = Change(key, Action.CREATE, Reason.ABSENT, None, app)
    left = Change(key, Action.NONE, Reason.NOT_OWNED, None, app)
    return a_plan(
        fleet=HOSTILE,
        decisions=(change, left),
        lanes=(PlanLane(HOSTILE, HOSTILE, HOSTILE),),
        selectors=((HOSTILE, HOSTILE),),
        options=((HOSTILE, HOSTILE),),
        findings=(Finding(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
        quotas=(QuotaLine(HOSTILE, HOSTILE, 1, 1, 1),),
    )


FULL = Trouble("ResourceLimitExceeded", "the quota is full", "Ask for an increase")


def a_report(**more: object) -> ApplyReport:
    fields = {
        "run_id": "20261124T060000Z-abc123",
        "fleet": "ml-platform",
        "started": "2026-11-24T06:00:00Z",
        "seconds": 200.4,
        "apps": (
            AppResult(key_of(LAB), Action.CREATE, Outcome.CREATED, 1, 12.0, "ml.t3.medium", "arn:x"),
            AppResult(key_of(BOB_LAB), Action.CREATE, Outcome.PARKED, 3, 60.0, "ml.g5.xlarge", error=FULL),
            AppResult(key_of(GPU_LAB), Action.CREATE, Outcome.PARKED, 3, 60.0, "ml.g5.xlarge", error=FULL),
            AppResult(key_of(CANVAS), Action.CREATE, Outcome.FAILED, 1, 0.4,
                      error=Trouble("AccessDeniedException", "not allowed")),
            AppResult(key_of(KERNEL), Action.NONE, Outcome.UNCHANGED),
        ),
        "calls": {"ListApps": {"ok": 2}, "CreateApp": {"ok": 1, "limit_exceeded": 6}, "DeleteApp": {}},
        "notes": ("the journal is new",),
    }  # fmt: skip
    return ApplyReport(**{**fields, **more})  # type: ignore[arg-type]
