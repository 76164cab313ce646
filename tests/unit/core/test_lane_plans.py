"""A plan cut into lanes and put together again is the same plan."""

from __future__ import annotations

from dataclasses import replace

from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import DesiredDomain
from engine.core.finding import Finding
from engine.core.identity import USER, Lane, Owner
from engine.core.lane_plans import joined_plan, lane_plans, lanes_of
from engine.core.observed import ObservedOwner
from engine.core.plan import PlanLane, QuotaLine
from engine.core.planner import plan_fleet
from engine.core.selectors import Selectors
from tests.fleets import CANVAS, LAB, SOURCE, a_fleet, a_row, an_app, observe, options

ONE, TWO = Lane("1" * 12, "eu-west-1"), Lane("2" * 12, "us-east-1")
LANES = {"research": ONE, "lab": TWO}
OWNERS = tuple(
    OwnerChange(
        Owner(domain, USER, "zoe"), Action.DELETE, OwnerReason.OFFBOARDED, ObservedOwner(owner, "InService", 1.0)
    )
    for domain in ("research", "lab")
    for owner in (Owner(domain, USER, "zoe"),)
)
PLAN = replace(
    plan_fleet(
        a_fleet(an_app(LAB), an_app("lab/user/bob/Canvas/default")),
        observe(a_row(CANVAS, ownership="foreign"), a_row("lab/user/zoe/Canvas/default", ownership="foreign")),
        options(selectors=Selectors.parse(shards=["0/2"], users=["*"], spaces=["*"])),
    ),
    lanes=(PlanLane(*ONE), PlanLane(*TWO)),
    findings=(Finding("r", "advisory", "", "of all"), Finding("r", "advisory", LAB, "of one")),
    quotas=(QuotaLine(f"{ONE}/Canvas/", "q", 1, 0, 1), QuotaLine(f"{TWO}/Canvas/", "q", 1, 0, 1)),
    owners=OWNERS,
)


def test_the_lane_of_a_domain_is_what_its_files_say() -> None:
    by_account = DesiredDomain("a", "d-a", "eu-west-1", SOURCE, "1" * 12)
    by_role = DesiredDomain("b", "d-b", "us-east-1", SOURCE, role_arn=f"arn:aws:iam::{'2' * 12}:role/x")
    neither = DesiredDomain("c", "d-c", "us-east-1", SOURCE)
    assert lanes_of([by_account, by_role, neither]) == {"a": ONE, "b": TWO, "c": Lane("", "us-east-1")}


def test_each_lane_has_its_part_and_nothing_of_the_shard() -> None:
    plans = lane_plans(PLAN, LANES)
    assert list(plans) == [ONE, TWO]
    one, two = plans.values()
    assert [str(change.key) for change in one.changes] == [LAB]
    assert (one.unmanaged, two.unmanaged) == (1, 1)
    assert (one.lanes, two.lanes) == ((PlanLane(*ONE),), (PlanLane(*TWO),))
    assert [finding.message for finding in one.findings] == ["of one"]
    assert ([line.bucket for line in one.quotas], two.findings) == ([f"{ONE}/Canvas/"], ())
    assert [one.owners, two.owners] == [OWNERS[:1], OWNERS[1:]]
    assert dict(one.selectors) == {"user": "*", "space": "*"}


def test_a_lane_has_the_same_fingerprint_whatever_is_beside_it() -> None:
    alone = plan_fleet(a_fleet(an_app(LAB)), observe(), options())
    (plan,) = lane_plans(alone, {"research": ONE}).values()
    beside = plan_fleet(a_fleet(an_app(LAB), an_app("lab/user/bob/Canvas/default")), observe(), options())
    assert lane_plans(beside, LANES)[ONE].fingerprint == plan.fingerprint


def test_lanes_together_are_the_plan() -> None:
    joined = joined_plan(reversed(lane_plans(PLAN, LANES).values()))
    assert joined.decisions == PLAN.decisions
    assert joined.summary == PLAN.summary
    assert (joined.lanes, joined.quotas, set(joined.owners)) == (PLAN.lanes, PLAN.quotas, set(PLAN.owners))
