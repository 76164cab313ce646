from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.core.change import Action, Change, OwnerChange, OwnerReason, Reason
from engine.core.desired import Source
from engine.core.errors import UsageError
from engine.core.identity import SPACE, USER, Owner
from engine.core.observed import ObservedOwner
from engine.core.plan import Plan
from engine.core.settings import Safety
from engine.policy.guardrails import Allowance, check_weights, parse_allowance
from engine.policy.prices import PriceBook
from engine.policy.weight import Weight, sum_of, weights_of
from tests.fleets import a_row, an_app
from tests.unit.policy.helpers import DOMAINS, PRICES, check_plan

if TYPE_CHECKING:
    from engine.core.finding import Finding


def _delete(number: int, domain: str = "research") -> Change:
    key = f"{domain}/user/u{number:03}/Canvas/default"
    return Change(an_app(key).key, Action.DELETE, Reason.NOT_DECLARED, before=a_row(key))


def _replace(number: int, new: str = "ml.g5.xlarge", old: str | None = "ml.t3.medium") -> Change:
    key = f"research/user/r{number:03}/KernelGateway/default"
    app = an_app(key, new)
    return Change(app.key, Action.DELETE_THEN_CREATE, Reason.DRIFT, a_row(key, instance_type=old), app)


def _create(number: int, kind: str | None = "ml.t3.medium", domain: str = "research", **more: Any) -> Change:
    app = an_app(f"{domain}/user/c{number:03}/KernelGateway/default", kind, **more)
    return Change(app.key, Action.CREATE, Reason.ABSENT, after=app)


def _check(
    *changes: Change, owned: dict[str, int] | None = None, allow: str = "", **limits: Any
) -> tuple[Finding, ...]:
    plan = Plan("f", "2026-11-24T01:00:00Z", tuple(sorted(changes, key=lambda change: change.key)))
    safety = Safety(**limits)
    allowances = [parse_allowance(text) for text in allow.split()]
    sources = {"safety.destroy_max": Source("policies/execution.toml", 44)}
    return check_plan(plan, DOMAINS, owned or {}, safety, PriceBook(PRICES), allowances, sources)


def _rules(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.rule for finding in findings]


def test_a_plan_within_every_limit_has_no_finding() -> None:
    assert _check(*map(_delete, range(10)), owned={"research": 100}) == ()
    assert _check() == ()


def test_one_delete_more_than_destroy_max_is_denied_with_the_numbers_and_the_way_out() -> None:
    (finding,) = _check(*map(_delete, range(11)), _replace(1), _replace(2))
    assert (finding.rule, finding.enforcement, finding.key) == ("safety.destroy_max", "mandatory", "")
    assert finding.source == "policies/execution.toml:44"
    assert finding.message == (
        "domain research: 11 apps would be deleted, more than the 10 of [safety].destroy_max: if you intend this, add "
        "--allow-destructive 'research/*=13'"
    )


def test_replaces_are_bounded_by_their_wave_and_do_not_count_in_destroy_max() -> None:
    assert _check(*map(_replace, range(50)), *map(_delete, range(10))) == ()


def test_the_way_out_of_a_message_lets_the_plan_through() -> None:
    changes = [_delete(number) for number in range(11)]
    (finding,) = _check(*changes)
    flag = finding.message.rpartition("--allow-destructive '")[2].rstrip("'")
    assert _check(*changes, allow=flag) == ()


def test_few_keys_are_named_one_by_one_in_the_way_out() -> None:
    changes = [_delete(1), _delete(2)]
    (finding,) = _check(*changes, destroy_max=1)
    keys = ("research/user/u001/Canvas/default", "research/user/u002/Canvas/default")
    assert finding.message.endswith(f"add --allow-destructive {keys[0]} --allow-destructive {keys[1]}")
    assert _check(*changes, destroy_max=1, allow=" ".join(keys)) == ()


def test_destroys_that_are_allowed_are_not_counted_and_the_others_are() -> None:
    allow = "research/user/u001/Canvas/default"
    assert _check(_delete(1), _delete(2), destroy_max=1, allow=allow) == ()
    assert _rules(_check(_delete(1), _delete(2), destroy_max=0, allow=allow)) == ["safety.destroy_max"]


@pytest.mark.parametrize("allow", ["research/*=4", "research/*=2", "lab/*=3", "research/user/u9/Canvas/x"])
def test_an_allowance_that_does_not_fit_the_plan_exactly_denies_it(allow: str) -> None:
    findings = _check(*map(_delete, range(3)), allow=allow)
    assert _rules(findings) == ["safety.allow_destructive"]
    assert f"--allow-destructive {allow} allows" in findings[0].message
    matched = 3 if allow.startswith("research/*") else 0
    assert f"but this plan destroys {f'{matched} apps' if matched else 'none'} that match it" in findings[0].message


def test_an_allowance_says_what_the_things_are_that_it_does_not_fit() -> None:
    left = (Owner("research", SPACE, "a"), Owner("research", USER, "a"), Owner("research", USER, "b"))
    rows = [ObservedOwner(owner, "InService", 1.0) for owner in left]
    owners = tuple(OwnerChange(row.owner, Action.DELETE, OwnerReason.OFFBOARDED, row) for row in rows)
    plan = Plan("f", "2026-11-24T01:00:00Z", (_delete(1),), owners=owners)
    (finding,) = check_plan(plan, DOMAINS, {}, Safety(), PriceBook(PRICES), [parse_allowance("research/*=5")])
    assert "allows 5, but this plan destroys 4 (1 app, 1 space, 2 user profiles) that match it" in finding.message


def test_the_share_counts_only_from_the_floor_on() -> None:
    changes = [_delete(number) for number in range(4)]
    assert _check(*changes, owned={"research": 9}) == ()
    (finding,) = _check(*changes, owned={"research": 10})
    assert finding.rule == "safety.destroy_share_max"
    assert "4 of the 10 apps that this fleet owns (40%)" in finding.message
    assert _check(*changes[:3], owned={"research": 10}) == ()


def test_replaces_count_in_the_share_and_smaller_waves_are_offered() -> None:
    (finding,) = _check(_delete(1), *map(_replace, range(10)), owned={"research": 20})
    assert finding.rule == "safety.destroy_share_max"
    assert "11 of the 20 apps that this fleet owns (55%) would be destroyed (1 deleted, 10 replaced)" in finding.message
    assert finding.message.endswith("'research/*=11', or set replace_wave to 5 or less")
    assert _check(_delete(1), *map(_replace, range(5)), owned={"research": 20}) == ()
    (deletes,) = _check(*map(_delete, range(7)), _replace(1), owned={"research": 20})
    assert "replace_wave" not in deletes.message


def test_the_share_of_nothing_is_not_asked() -> None:
    assert _check(_delete(1), owned={}, destroy_floor=0) == ()


def test_a_small_domain_cannot_vanish_behind_a_large_one() -> None:
    changes = [*(_delete(number, "lab") for number in range(9)), _create(1)]
    findings = _check(*changes, owned={"lab": 10, "research": 900})
    assert _rules(findings) == ["safety.destroy_share_max"]
    assert findings[0].message.startswith("domain lab: 9 of the 10 apps")
    assert "'lab/*=9'" in findings[0].message


def test_all_domains_together_are_held_against_the_limit_too() -> None:
    changes = [*(_delete(n, "lab") for n in range(6)), *(_delete(n) for n in range(6))]
    (finding,) = _check(*changes)
    assert finding.message.startswith("all domains together: 12 apps would be deleted, more than the 10")
    assert "'*=12'" in finding.message


def test_creates_are_limited_and_replaces_are_not_among_them() -> None:
    assert _check(_create(1), _create(2), _replace(1), create_max=2) == ()
    (finding,) = _check(_create(1), _create(2), create_max=1)
    assert finding.message == (
        "domain research: 2 apps would be created, more than the 1 of [safety].create_max: "
        "narrow the run with --team or --user, or set create_max to 2 or more"
    )


def test_cost_is_not_asked_without_a_limit_or_without_creates() -> None:
    assert _check(_create(1, "ml.p5.48xlarge")) == ()
    assert _check(_delete(1), hourly_usd_max=0.0) == ()


def test_the_added_cost_takes_the_dearest_type_of_each_create() -> None:
    changes = [_create(1), _create(2, fallback=("ml.g5.xlarge",))]
    assert _check(*changes, hourly_usd_max=1.55) == ()
    (finding,) = _check(*changes, hourly_usd_max=1.5)
    assert "1.55 USD per hour would be added, more than the 1.50 of [safety].hourly_usd_max" in finding.message
    assert "set hourly_usd_max to 1.55 or more" in finding.message


def test_a_replace_adds_the_difference_and_never_less_than_nothing() -> None:
    assert _check(_replace(1), hourly_usd_max=1.45) == ()
    assert _rules(_check(_replace(1), hourly_usd_max=1.44)) == ["safety.hourly_usd_max"]
    cheaper = _replace(1, "ml.t3.medium", "ml.g5.xlarge")
    assert _check(cheaper, hourly_usd_max=0.0) == ()
    assert _rules(_check(cheaper, _create(1), hourly_usd_max=0.04)) == ["safety.hourly_usd_max"]
    assert _rules(_check(_replace(1, old=None), hourly_usd_max=1.49)) == ["safety.hourly_usd_max"]


def test_apps_without_a_price_are_counted_by_type_and_denied_under_a_limit() -> None:
    changes = [_create(1, "ml.p5.48xlarge"), _create(2, "ml.p5.48xlarge"), _create(3, None), _create(4)]
    (finding,) = _check(*changes, hourly_usd_max=10.0)
    assert "3 apps to be created have no price" in finding.message
    assert finding.message.endswith("ml.p5.48xlarge (2), KernelGateway without an instance type (1)")


def test_cost_is_held_against_the_limit_in_all_domains_together() -> None:
    changes = [_create(1, "ml.g5.xlarge"), _create(1, "ml.g5.xlarge", "lab")]
    (finding,) = _check(*changes, hourly_usd_max=2.0)
    assert finding.message.startswith("all domains together: 2.90 USD per hour")
    assert "narrow the run with --domain or --team" in finding.message


@pytest.mark.parametrize(
    ("text", "allowance"),
    [
        ("research/user/a/Canvas/default", Allowance("research/user/a/Canvas/default", 1)),
        ("research/*=12", Allowance("research/*", 12)),
        ("research/user/a=1", Allowance("research/user/a", 1)),
        ("research/user/a/Canvas/default=1", Allowance("research/user/a/Canvas/default", 1)),
    ],
)
def test_an_allowance_is_read(text: str, allowance: Allowance) -> None:
    assert parse_allowance(text) == allowance


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("research/*", "is a pattern without a count"),
        ("research", "is not an app key"),
        ("foo=1", "is not an app key"),
        ("research/team/a=1", "is not an app key"),
        ("research/*=" + "9" * 5_000, "not PATTERN=COUNT"),
        ("=3", "not PATTERN=COUNT"),
        ("research/*=", "not PATTERN=COUNT"),
        ("research/*=0", "not PATTERN=COUNT"),
        ("research/*=-1", "not PATTERN=COUNT"),
        ("research/*=²", "not PATTERN=COUNT"),
        ("research/*=many", "not PATTERN=COUNT"),
    ],
)
def test_what_is_no_allowance_is_refused(text: str, fragment: str) -> None:
    with pytest.raises(UsageError, match=r"--allow-destructive: ") as raised:
        parse_allowance(text)
    assert fragment in str(raised.value)


def test_an_allowance_is_written_as_it_was_read() -> None:
    for text in ("research/user/a/Canvas/default", "research/*=12", "research/?/x=1"):
        assert str(parse_allowance(text)) == text


def test_updates_of_profiles_and_spaces_count_in_create_max() -> None:
    owners = tuple(
        OwnerChange(Owner(domain, SPACE, name), Action.UPDATE, OwnerReason.OWNER_DRIFT)
        for domain, name in (("research", "a"), ("research", "b"), ("lab", "c"))
    )
    plan = Plan("f", "2026-11-24T01:00:00Z", (_create(1),), owners=owners)
    found = check_plan(plan, DOMAINS, {}, Safety(create_max=2), PriceBook(PRICES))
    assert [finding.message.partition(":")[0] for finding in found] == ["all domains together", "domain research"]
    assert "1 app would be created and 3 spaces would be updated, more than the 2" in found[0].message
    assert check_plan(plan, DOMAINS, {}, Safety(create_max=4), PriceBook(PRICES)) == ()


def test_a_shard_judges_its_domains_one_by_one_and_not_all_of_them_together() -> None:
    changes = [_delete(1), _delete(2, "lab")]
    plan = Plan("f", "2026-11-24T01:00:00Z", tuple(sorted(changes, key=lambda change: change.key)))
    weights = weights_of(plan, DOMAINS, {}, None)
    assert [f.message[:20] for f in check_weights(weights, Safety(destroy_max=1))] == ["all domains together"]
    assert check_weights(weights, Safety(destroy_max=1), of_shard=True) == ()
    assert len(check_weights(weights, Safety(destroy_max=0), of_shard=True)) == 2


def test_an_allowance_for_more_than_a_shard_destroys_may_be_for_other_shards() -> None:
    weights = weights_of(Plan("f", "2026-11-24T01:00:00Z", (_delete(1),)), DOMAINS, {}, None)
    for count, broken in ((1, 0), (2, 0)):
        allowances = [parse_allowance(f"research/*={count}")]
        assert len(check_weights(weights, Safety(destroy_max=0), allowances, of_shard=True)) == broken
    two = {"research": sum_of([weights["research"], weights["research"]])}
    found = check_weights(two, Safety(), [parse_allowance("research/*=1")], of_shard=True)
    assert _rules(found) == ["safety.allow_destructive"]


def test_what_a_plan_weighs_is_the_same_after_it_was_written_and_read() -> None:
    changes = (_create(1, "ml.unknown"), _create(2), _delete(1), _replace(1))
    plan = Plan("f", "2026-11-24T01:00:00Z", tuple(sorted(changes, key=lambda change: change.key)))
    (weight,) = weights_of(plan, DOMAINS, {"research": 9}, PriceBook(PRICES)).values()
    assert Weight.from_json(weight.to_json()) == weight
    assert (weight.created, weight.owned, dict(weight.unpriced)) == (2, 9, {"ml.unknown": 1})
    assert weight.destroyed == ("research/user/r001/KernelGateway/default", "research/user/u001/Canvas/default")


def _stop(number: int, domain: str = "research") -> Change:
    key = f"{domain}/user/s{number:03}/Canvas/default"
    app = an_app(key, hours="Mon-Fri 08:00-19:00 UTC")
    return Change(app.key, Action.DELETE, Reason.OUTSIDE_HOURS, a_row(key), app)


def test_stops_at_the_end_of_hours_have_a_limit_of_their_own() -> None:
    stops = [_stop(number) for number in range(40)]
    assert _check(*stops, *map(_delete, range(10)), owned={"research": 50}, destroy_share_max=0.2) == ()
    (finding,) = _check(*stops, hours_stop_max=39)
    assert finding.rule == "safety.hours_stop_max"
    assert finding.message == (
        "domain research: 40 apps would be stopped because their hours are over, more than the 39 of "
        "[safety].hours_stop_max: narrow the run with --team or --user, or set hours_stop_max to 40 or more"
    )
    assert _rules(_check(*stops, allow="research/*=40")) == ["safety.allow_destructive"]


def test_stops_of_all_domains_together_are_limited_too() -> None:
    stops = [_stop(number, domain) for number in range(3) for domain in ("lab", "research")]
    assert [finding.message.partition(":")[0] for finding in _check(*stops, hours_stop_max=5)] == [
        "all domains together"
    ]


def test_adopted_apps_and_new_profiles_weigh_nothing() -> None:
    app = an_app()
    adopted = Change(app.key, Action.ADOPT, Reason.IN_SYNC, a_row(), app)
    new = OwnerChange(Owner("research", USER, "zoe"), Action.CREATE, OwnerReason.ABSENT)
    plan = Plan("f", "2026-11-24T01:00:00Z", (adopted,), owners=(new,))
    assert weights_of(plan, DOMAINS, {}, None) == {"research": Weight()}
