"""A preflight as text."""

from __future__ import annotations

from engine.core.identity import Lane
from engine.core.limits import FINDINGS_SHOWN_MAX_COUNT
from engine.core.needs import Kind, Need
from engine.core.plan import PlanLane
from engine.core.preflight import Check, Preflight, Result
from engine.render.preflight_text import preflight_text

LANE = Lane("111122223333", "eu-west-1")
HEAD = Preflight("ml", "2026-11-24T01:00:00Z", (PlanLane(*LANE),), ())


def a_check(result: Result, why: str = "", domain: str = "", kind: Kind = Kind.IMAGE) -> Check:
    name = f"arn:aws:sagemaker:eu-west-1:111122223333:{kind}/science"
    return Check(Need(kind, name, LANE, domain=domain), result, 1, ("d/user/a/Canvas/default",), why, "Fix it")


def test_faults_come_first_then_what_was_not_checked_then_the_sum() -> None:
    checks = (
        a_check(Result.OK),
        a_check(Result.OK, domain="d"),
        a_check(Result.FAULT, "image science does not exist"),
        a_check(Result.NOT_CHECKED, "denied"),
    )
    assert preflight_text(Preflight(HEAD.fleet, HEAD.made_at, HEAD.lanes, checks)) == (
        "Fleet   ml\n"
        "Account 111122223333, region eu-west-1\n\n"
        "Missing or unusable:\n"
        "  image science does not exist\n"
        "      needed by 1 app (d/user/a/Canvas/default)\n"
        "      Fix it\n\n"
        "Not checked:\n"
        "  image science\n"
        "      denied\n\n"
        "Fine: 1 attachment to a domain, 1 image.\n\n"
        "Preflight: 4 checks: 2 fine, 1 fault, 1 not checked.\n"
    )


def test_nothing_to_check_a_plan_that_is_not_whole_and_many_faults_are_said() -> None:
    assert "the plan needs nothing that can be checked" in preflight_text(HEAD)
    many = (a_check(Result.FAULT, "gone"),) * (FINDINGS_SHOWN_MAX_COUNT + 2)
    text = preflight_text(Preflight("ml", HEAD.made_at, HEAD.lanes, many, complete=False, denied=True))
    assert "  and 2 more; --format json has all" in text
    assert "A domain could not be listed, so this is not all: see appfleet plan" in text
    assert "Rules or guardrails deny the plan: see appfleet plan" in text
