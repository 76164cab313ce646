"""What the case files cannot say: what a plan carries besides its decisions, and what cannot happen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.change import Action, Reason
from engine.core.desired import Mode
from engine.core.errors import BugError
from engine.core.finding import Finding
from engine.core.limits import CLOCK_SKEW_MAX_SECONDS, ORPHANS_NAMED_MAX_COUNT
from engine.core.observed import AppStatus, Ownership
from engine.core.plan import PlanLane, QuotaLine
from engine.core.planner import join, needs_ownership, plan_fleet
from engine.core.selectors import Selectors
from tests.fleets import CANVAS, LAB, a_fleet, a_row, an_app, key_of, observe, options
from tests.projection import projected


def test_a_plan_carries_its_header() -> None:
    gpu, quota = Finding("gpu", "mandatory", "", "too many"), QuotaLine("b", "q", 1, 1, 1)
    fleet = a_fleet(an_app())
    plan = plan_fleet(
        replace(fleet, inputs=fleet.inputs[::-1]),
        observe(),
        options(
            run_denied=True,
            findings=(gpu,),
            quotas=(replace(quota, bucket="c"), quota),
            lanes=(PlanLane("2", "eu-west-1"), PlanLane("1", "eu-west-1")),
            selectors=Selectors.parse(users=["bob"]),
        ),
    )
    assert (plan.fleet, plan.made_at) == ("ml-platform", "2026-11-24T01:00:00Z")
    assert plan.inputs == (("fleet.toml", "a" * 64), ("teams/vision.toml", "b" * 64))
    assert plan.denied
    assert not plan.applyable
    assert plan.findings == (gpu,)
    assert [line.bucket for line in plan.quotas] == ["b", "c"]
    assert [lane.account for lane in plan.lanes] == ["1", "2"]
    assert plan.selectors == (("user", "bob"),)
    assert dict(plan.options)["prune"] == "off"
    assert plan.decisions == ()


def test_a_domain_that_was_not_asked_for_is_no_reason_to_create() -> None:
    plan = plan_fleet(a_fleet(an_app()), observe(domains=["lab"]), options())
    assert [change.reason for change in plan.decisions] == [Reason.DOMAIN_UNLISTED]
    assert not plan.complete
    assert plan.findings == (
        Finding("listing", "skip", "research", "domain research: 1 app left alone: it was not listed"),
    )


def test_a_domain_that_nothing_was_selected_in_leaves_the_plan_complete() -> None:
    plan = plan_fleet(a_fleet(an_app()), observe(domains=["lab"]), options(selectors=Selectors.parse(domains=["lab"])))
    assert plan.complete


def test_rows_of_a_domain_that_the_fleet_does_not_declare_are_not_looked_at() -> None:
    plan = plan_fleet(a_fleet(domains=["lab"]), observe(a_row()), options(prune=True))
    assert (plan.decisions, plan.unmanaged) == ((), 0)


def test_a_fleet_that_declares_a_key_twice_is_a_bug() -> None:
    fleet = a_fleet(an_app(), an_app())
    with pytest.raises(BugError, match="declares an app key twice"):
        plan_fleet(fleet, observe(), options())


def test_the_declared_spelling_wins_and_the_row_keeps_its_own() -> None:
    app = an_app("research/user/ALICE/Canvas/default", mode="absent")
    (change,) = plan_fleet(a_fleet(app), observe(a_row(CANVAS)), options()).changes
    assert (change.key, change.action) == (app.key, Action.DELETE)
    assert change.before is not None
    assert change.before.key == key_of(CANVAS)


def test_of_rows_that_differ_in_case_alone_the_exact_one_counts_then_the_liveliest() -> None:
    app = an_app(CANVAS)
    others = (
        a_row("research/user/ALICE/Canvas/default", status="Deleted"),
        a_row("research/user/Alice/Canvas/default"),
    )
    for listed in (others, others[::-1]):
        (one,) = plan_fleet(a_fleet(app), observe(*listed), options()).decisions
        assert one.before == others[1]
    (other,) = plan_fleet(a_fleet(app), observe(*others, a_row(CANVAS, status="Pending")), options()).decisions
    assert other.reason is Reason.PENDING


def test_users_are_joined_in_any_case_in_every_domain() -> None:
    keys = (CANVAS, "lab/user/alice/Canvas/default")
    rows = [a_row(key.replace("alice", "Alice")) for key in keys]
    plan = plan_fleet(a_fleet(*map(an_app, keys)), observe(*rows), options(prune=True))
    assert [change.reason for change in plan.decisions] == [Reason.IN_SYNC, Reason.IN_SYNC]


def test_many_orphans_are_counted_and_the_first_are_named() -> None:
    rows = [a_row(f"research/user/p{number:02}/Canvas/default") for number in range(ORPHANS_NAMED_MAX_COUNT + 2)]
    (finding,) = plan_fleet(a_fleet(), observe(*rows), options()).findings
    assert finding.message.startswith("12 apps of this fleet no longer declared: research/user/p00/Canvas/default, ")
    assert finding.message.endswith("research/user/p09/Canvas/default and 2 more. --prune deletes them")


def test_a_reason_of_this_run_refuses_prune_as_the_fleets_own_does() -> None:
    why = "the profile alice carries the tag appfleet:fleet"
    refused = options(prune=True, prune_refusal=why)
    plan = plan_fleet(a_fleet(), observe(a_row()), refused)
    assert plan.changes == ()
    assert [finding.message for finding in plan.findings if finding.rule == "prune"] == [f"nothing is pruned: {why}"]
    asked = needs_ownership(join(a_fleet(), observe(a_row(ownership="unread")), refused.selectors), refused)
    assert asked.decisive == ()


def test_names_of_other_fleets_are_cleaned() -> None:
    row = a_row(ownership="foreign", foreign_fleet="\x1b[2Jdata")
    (finding,) = plan_fleet(a_fleet(an_app(mode="absent")), observe(row), options()).findings
    assert "\x1b" not in finding.message
    assert "data" in finding.message


def test_what_a_plan_makes_is_observed_as_the_service_would_tell_it() -> None:
    kernel = an_app(
        "research/user/alice/KernelGateway/nightly",
        "system",
        lifecycle_config_arn="None",
        image_version_arn="arn:one",
        recovery_mode=True,
        tags=(("a", "b"),),
    )
    fleet, observed = a_fleet(kernel), observe(a_row(LAB))
    plan = plan_fleet(fleet, observed, options(prune=True))
    rows = projected(observed, plan).domains["research"].apps
    assert rows[key_of(LAB)].status is AppStatus.DELETED
    made = rows[kernel.key]
    assert (made.status, made.ownership) == ("InService", "ours")
    assert made.spec.to_json() == {"instance_type": "ml.t3.medium", "image_version_arn": "arn:one"}
    assert plan_fleet(fleet, projected(observed, plan), options(prune=True)).changes == ()


def test_an_app_that_is_made_again_is_another_generation() -> None:
    observed = observe(a_row(instance_type="ml.m5.large", created_at=7.0))
    plan = plan_fleet(a_fleet(an_app()), observed, options(replace_on_drift=True))
    assert projected(observed, plan).domains["research"].apps[key_of(LAB)].created_at > 7.0


def test_an_adoption_carried_out_leaves_the_app_as_it_was_and_ours() -> None:
    fleet, observed = a_fleet(an_app(LAB)), observe(a_row(LAB, ownership="nobody"))
    plan = plan_fleet(fleet, observed, options(adopt=True))
    assert [change.action for change in plan.changes] == [Action.ADOPT]
    after = projected(observed, plan)
    assert after.domains["research"].apps[key_of(LAB)].ownership is Ownership.OURS
    assert plan_fleet(fleet, after, options(adopt=True)).changes == ()


@pytest.mark.parametrize("status", [None, "Deleted", "Failed", "Deleting"])
def test_a_half_done_replace_of_mode_once_is_made_and_named(status: str | None) -> None:
    app = an_app(mode=Mode.ONCE)
    rows = [] if status is None else [a_row(status=status)]
    told = options(once_done=frozenset({app.key}), half_replaced=frozenset({app.key}))
    plan = plan_fleet(a_fleet(app), observe(*rows), told)
    assert [change.action for change in plan.changes] == [Action.CREATE]
    (finding,) = plan.findings
    assert (finding.rule, finding.enforcement) == ("half_replaced", "advisory")
    assert finding.message.startswith("1 app deleted by an earlier run")
    assert LAB in finding.message


def test_many_half_done_replaces_are_counted_and_some_of_them_named() -> None:
    keys = [f"research/user/u{number:02}/Canvas/default" for number in range(ORPHANS_NAMED_MAX_COUNT + 2)]
    apps = [an_app(key, None) for key in keys]
    plan = plan_fleet(a_fleet(*apps), observe(), options(half_replaced=frozenset(app.key for app in apps)))
    assert plan.findings[0].message.endswith("and 2 more")


def test_a_half_done_replace_whose_app_is_in_service_after_all_is_done_once() -> None:
    app = an_app(mode=Mode.ONCE)
    told = options(once_done=frozenset({app.key}), half_replaced=frozenset({app.key}))
    plan = plan_fleet(a_fleet(app), observe(a_row()), told)
    assert [(change.action, change.reason) for change in plan.decisions] == [(Action.NONE, Reason.DONE_ONCE)]
    assert plan.findings == ()


def test_what_a_replace_made_and_still_differs_is_not_replaced_again_but_said() -> None:
    app, row = an_app(instance_type="ml.m5.large"), a_row(instance_type="ml.t3.medium", created_at=1_000.0)
    for replaced_at, again in ((1_001.0, False), (1_000.0 - 2 * CLOCK_SKEW_MAX_SECONDS, True)):
        told = options(replace_on_drift=True, replaced_at={app.key: replaced_at})
        plan = plan_fleet(a_fleet(app), observe(row), told)
        assert bool(plan.changes) is again
        assert [finding.rule for finding in plan.findings] == ([] if again else ["convergence"])
    told = options(replaced_at={app.key: 1_001.0}, replace_keys=frozenset({app.key}))
    assert [change.reason for change in plan_fleet(a_fleet(app), observe(row), told).changes] == [Reason.FORCED]


def test_a_replace_that_changed_nothing_says_what_differs() -> None:
    app, row = an_app(instance_type="ml.m5.large"), a_row(instance_type="ml.t3.medium", created_at=1_000.0)
    told = options(replace_on_drift=True, replaced_at={app.key: 1_000.0})
    (finding,) = plan_fleet(a_fleet(app), observe(row), told).findings
    assert "instance_type: declared ml.m5.large, reported ml.t3.medium" in finding.message
    assert f"--replace {app.key}" in finding.message


def test_an_old_name_that_owns_nothing_of_what_is_declared_is_said_since_it_may_be_misspelled() -> None:
    told = options(adopt=True, from_fleet="odl name")
    plan = plan_fleet(a_fleet(an_app()), observe(a_row(ownership="foreign", foreign_fleet="old name")), told)
    assert plan.changes == ()
    (said,) = [finding.message for finding in plan.findings if (finding.rule, finding.key) == ("adopt", "")]
    assert said == (
        "no declared app that is listed and in service is owned by the fleet 'odl name': "
        "all are moved, or that was not its name"
    )


def test_an_old_name_whose_app_moves_is_not_said_to_own_nothing() -> None:
    told = options(adopt=True, from_fleet="old name")
    plan = plan_fleet(a_fleet(an_app()), observe(a_row(ownership="foreign", foreign_fleet="old name")), told)
    assert [(change.action, change.reason) for change in plan.changes] == [(Action.ADOPT, Reason.FROM_FLEET)]
    assert [finding for finding in plan.findings if finding.rule == "adopt"] == []


def test_a_shard_says_nothing_of_a_key_that_another_shard_has() -> None:
    asked = frozenset({key_of(LAB), key_of(LAB)._replace(domain="elsewhere")})
    plan = plan_fleet(a_fleet(), observe(), options(replace_keys=asked))
    assert [(finding.rule, finding.key) for finding in plan.findings] == [("replace", LAB)]
