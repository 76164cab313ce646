from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.errors import PolicyError
from engine.core.finding import Finding
from engine.policy.group_sums import WideGroup
from engine.policy.judge import Verdict
from engine.policy.rules import Scope
from tests.fleets import CANVAS, LAB, TODAY, an_app, key_of
from tests.unit.policy.helpers import DOMAINS, RESEARCH, a_priority, a_remediation, a_rule, admission, an_exception

if TYPE_CHECKING:
    from engine.core.desired import DesiredApp
    from engine.policy.admission import Admission


def test_a_policy_without_rules_admits_everything_as_it_is() -> None:
    apps = (an_app(), an_app(CANVAS))
    admitted = admission().admit(apps, DOMAINS, TODAY)
    assert admitted.apps == apps
    assert (admitted.findings, admitted.denied_keys, admitted.run_denied) == ((), frozenset(), False)


def test_a_mandatory_denial_denies_the_run_and_says_what_where_and_why() -> None:
    rule = a_rule("approved", 'instance_type == "ml.m5.large"', message="{instance_type} is not approved for {team}")
    admitted = admission(rule).admit([an_app(team="vision")], DOMAINS, TODAY)
    assert admitted.run_denied
    assert admitted.denied_keys == frozenset()
    message = "ml.t3.medium is not approved for vision"
    assert admitted.findings == (Finding("approved", "mandatory", LAB, message, "policies/guardrails.toml:12"),)


def test_a_skip_rule_denies_that_app_alone() -> None:
    admitted = admission(a_rule("no-canvas", 'app_type != "Canvas"', enforcement="skip")).admit(
        [an_app(), an_app(CANVAS)], DOMAINS, TODAY
    )
    assert admitted.denied_keys == {key_of(CANVAS)}
    assert not admitted.run_denied


def test_an_advisory_denial_is_said_and_denies_nothing() -> None:
    admitted = admission(a_rule(check="false", enforcement="advisory")).admit([an_app()], DOMAINS, TODAY)
    assert [finding.enforcement for finding in admitted.findings] == ["advisory"]
    assert (admitted.denied_keys, admitted.run_denied) == (frozenset(), False)


def test_a_disabled_rule_is_compiled_and_never_asked() -> None:
    assert admission(a_rule(check="false", enforcement="disabled")).admit([an_app()], DOMAINS, TODAY).findings == ()
    with pytest.raises(PolicyError):
        admission(a_rule(check="fals", enforcement="disabled"))


def test_a_rule_is_not_asked_about_what_it_does_not_match() -> None:
    rule = a_rule(check="false", match='app_type == "Canvas"')
    admitted = admission(rule).admit([an_app(), an_app(CANVAS)], DOMAINS, TODAY)
    assert [finding.key for finding in admitted.findings] == [CANVAS]


def test_a_match_of_true_is_the_same_as_none() -> None:
    rule = a_rule(check="false", match=" true ")
    assert len(admission(rule).admit([an_app(), an_app(CANVAS)], DOMAINS, TODAY).findings) == 2


@pytest.mark.parametrize("part", ["check", "match"])
def test_an_expression_that_fails_while_it_runs_denies_and_says_so(part: str) -> None:
    rule = a_rule(**{"check": "true", part: 'tags["project"] == "x"'})
    admitted = admission(rule).admit([an_app()], DOMAINS, TODAY)
    assert admitted.run_denied
    assert f"its {part} failed while it ran" in admitted.findings[0].message
    assert 'there is no key "project"' in admitted.findings[0].message


def test_without_a_message_the_description_is_said_and_without_that_the_check() -> None:
    described = a_rule("described", "false", description="Nothing is allowed\x1b[2J")
    bare = a_rule("bare", "team == 'x'")
    messages = {f.rule: f.message for f in admission(described, bare).admit([an_app()], DOMAINS, TODAY).findings}
    assert messages == {"described": "Nothing is allowed\\u001b[2J", "bare": "this does not hold: team == 'x'"}


def test_findings_are_sorted_by_rule_and_key() -> None:
    rules = (a_rule("b", "false"), a_rule("a", "false"))
    apps = (an_app(CANVAS), an_app())
    found = [(f.rule, f.key) for f in admission(*rules).admit(apps, DOMAINS, TODAY).findings]
    assert found == [("a", LAB), ("a", CANVAS), ("b", LAB), ("b", CANVAS)]


@pytest.mark.parametrize(
    "app", [an_app(mode="absent"), an_app(expires=date(2026, 11, 23))], ids=["declared absent", "expired yesterday"]
)
def test_an_app_that_is_not_wanted_is_neither_asked_nor_changed_nor_counted(app: object) -> None:
    rules = (a_rule(check="false"), a_rule("group", "count == 0", scope="fleet"), a_remediation("set", image_arn="x"))
    admitted = admission(*rules).admit([app], DOMAINS, TODAY)  # type: ignore[list-item]
    assert admitted.findings == ()
    assert admitted.apps == (app,)
    assert admission(*rules).verdicts(app, RESEARCH, TODAY) == ()  # type: ignore[arg-type]


def test_the_last_day_of_an_app_is_a_day_on_which_it_is_asked() -> None:
    assert admission(a_rule(check="false")).admit([an_app(expires=TODAY)], DOMAINS, TODAY).run_denied


def test_a_rule_is_asked_about_each_fallback_type_and_names_the_one_that_is_denied() -> None:
    rule = a_rule(check='instance_family != "g5"', message="{instance_type} is too large")
    app = an_app(fallback=("ml.m5.large", "ml.g5.xlarge", "ml.g5.2xlarge"))
    (finding,) = admission(rule).admit([app], DOMAINS, TODAY).findings
    assert finding.message == "ml.g5.xlarge is too large (fallback ml.g5.xlarge)"


def test_cost_is_that_of_the_dearest_type_and_unknown_where_one_has_no_price() -> None:
    rule = a_rule(check="priced && hourly_usd < 1.0", message="{hourly_usd} USD, priced: {priced}")
    messages = [
        admission(rule).admit([app], DOMAINS, TODAY).findings
        for app in (an_app(), an_app(fallback=("ml.g5.xlarge",)), an_app(fallback=("ml.p4d.24xlarge",)))
    ]
    assert [found[0].message if found else "" for found in messages] == [
        "",
        "1.5 USD, priced: true",
        "unknown USD, priced: false",
    ]


def test_an_exception_lifts_a_denial_until_its_last_day() -> None:
    rule, app = a_rule(check="false", message="no"), an_app()
    policy = admission(rule, exceptions=[an_exception(match='owner == "alice-lab"', expires=TODAY)])
    assert policy.admit([app], DOMAINS, TODAY).findings == ()
    (finding,) = policy.admit([app], DOMAINS, date(2026, 11, 25)).findings
    assert finding.message == "no; the exception at policies/guardrails.toml:40 ended on 2026-11-24"


def test_an_exception_lifts_a_failure_too() -> None:
    policy = admission(a_rule(check='tags["x"] == "y"'), exceptions=[an_exception()])
    assert policy.admit([an_app()], DOMAINS, TODAY).findings == ()


def test_an_exception_that_does_not_match_changes_nothing() -> None:
    policy = admission(a_rule(check="false", message="no"), exceptions=[an_exception(match='owner == "bob"')])
    assert policy.admit([an_app()], DOMAINS, TODAY).findings[0].message == "no"


def test_an_exception_that_fails_while_it_runs_does_not_hold_and_is_named() -> None:
    policy = admission(a_rule(check="false", message="no"), exceptions=[an_exception(match='tags["x"] == "y"')])
    message = policy.admit([an_app()], DOMAINS, TODAY).findings[0].message
    assert message.startswith("no; the exception at policies/guardrails.toml:40 failed while it ran: there is no key")


def test_an_exception_for_one_instance_type_does_not_cover_the_others() -> None:
    policy = admission(
        a_rule(check='instance_family == "t3"'), exceptions=[an_exception(match='instance_type == "ml.g5.xlarge"')]
    )
    assert policy.admit([an_app(fallback=("ml.g5.xlarge",))], DOMAINS, TODAY).findings == ()
    (finding,) = policy.admit([an_app(fallback=("ml.g5.xlarge", "ml.p4d.24xlarge"))], DOMAINS, TODAY).findings
    assert "fallback ml.p4d.24xlarge" in finding.message


def test_a_mandatory_group_rule_speaks_of_the_group_and_of_no_key() -> None:
    rule = a_rule("budget", "hourly_usd <= 1.0", scope="team", message="{count} apps for {hourly_usd} USD per hour")
    apps = [an_app(team="vision", instance_type="ml.g5.xlarge"), an_app(CANVAS, team="vision")]
    (finding,) = admission(rule).admit(apps, DOMAINS, TODAY).findings
    assert (finding.key, finding.message) == ("", "team vision: 2 apps for 1.55 USD per hour")


def test_a_skip_group_rule_denies_the_apps_of_that_group_alone() -> None:
    rule = a_rule("few", "count < 2", scope="owner", enforcement="skip")
    second = "research/space/alice-lab/JupyterLab/second"
    apps = [an_app(), an_app(second), an_app(CANVAS)]
    admitted = admission(rule).admit(apps, DOMAINS, TODAY)
    assert admitted.denied_keys == {key_of(LAB), key_of(second)}
    assert not admitted.run_denied


def test_groups_count_apps_that_another_rule_denies() -> None:
    rules = (a_rule("none", "false", enforcement="skip"), a_rule("few", "count < 2", scope="fleet"))
    assert admission(*rules).admit([an_app(), an_app(CANVAS)], DOMAINS, TODAY).run_denied


def test_a_group_rule_over_apps_of_a_very_large_group_is_refused_with_a_hint_to_use_the_counts() -> None:
    apps = [an_app(f"research/user/u{number}/Canvas/default") for number in range(10_000)]
    policy = admission(
        a_rule("each", "apps.all(a, true)", scope="fleet"),
        a_rule("counted", "count == 10000", scope="fleet"),
        a_rule("small-groups", "apps.all(a, true)", "count < 100", scope="fleet"),
        a_rule("excused", "apps.all(a, true)", scope="fleet"),
        exceptions=[an_exception("excused", "count > 100")],
    )
    (finding,) = policy.admit(apps, DOMAINS, TODAY).findings
    assert finding.rule == "each"
    assert "has 10,000, more than 9,999" in finding.message
    assert "by_instance_type" in finding.message


def test_a_group_of_the_largest_allowed_size_is_asked_about_each_app() -> None:
    apps = [an_app(f"research/user/u{number}/Canvas/default") for number in range(9_999)]
    rule = a_rule("each", 'apps.all(a, a.app_type == "Canvas")', scope="fleet")
    assert admission(rule).admit(apps, DOMAINS, TODAY).findings == ()


def test_the_largest_weight_that_matches_decides() -> None:
    priorities = [
        a_priority('team == "vision"', -5),
        a_priority('instance_family == "g5"', 10),
        a_priority('app_type == "JupyterLab"', 3),
    ]
    policy = admission(priorities=priorities)
    weights = [
        policy.weight(app, RESEARCH)
        for app in (an_app(CANVAS), an_app(CANVAS, team="vision"), an_app(), an_app(instance_type="ml.g5.xlarge"))
    ]
    assert weights == [0.0, -5.0, 3.0, 10.0]
    assert admission().weight(an_app(), RESEARCH) == 0.0


def test_a_priority_that_fails_while_it_runs_counts_for_nothing_and_is_said_once() -> None:
    policy = admission(priorities=[a_priority("true", 1), a_priority('tags["x"] == "y"', 9)])
    admitted = policy.admit([an_app(), an_app(CANVAS)], DOMAINS, TODAY)
    (finding,) = admitted.findings
    assert (finding.rule, finding.enforcement, finding.key) == ("priority", "advisory", LAB)
    assert "for 2 apps" in finding.message
    assert policy.weight(an_app(), RESEARCH) == 1.0
    assert "for 1 app," in policy.admit([an_app()], DOMAINS, TODAY).findings[0].message


def test_every_wrong_expression_and_message_of_a_policy_is_found_at_once() -> None:
    rules = [a_rule("one", "tem == 'x'"), a_rule("two", "true", "nope()"), a_rule("three", message="{tem}")]
    with pytest.raises(PolicyError) as raised:
        admission(*rules, exceptions=[an_exception("one", "1")], priorities=[a_priority("team", 1)])
    found = [(d.code, d.key_path) for d in raised.value.diagnostics]
    assert sorted(found) == [
        ("AF210", "exception.match"),
        ("AF210", "priority.match"),
        ("AF210", "rule.one.check"),
        ("AF210", "rule.two.match"),
        ("AF211", "rule.three.message"),
    ]
    lines = {d.key_path: d.line for d in raised.value.diagnostics}
    assert (lines["rule.two.match"], lines["rule.one.check"], lines["exception.match"]) == (13, 14, 40)


def test_verdicts_say_of_each_rule_what_it_saw_and_what_it_said() -> None:
    rules = (
        a_remediation("size", 'instance_type == ""', instance_type="ml.t3.medium"),
        a_rule("approved", 'instance_type in ["ml.m5.large"]', message="{instance_type} is not approved"),
        a_rule("lifted", "false"),
        a_rule("other", match='team == "vision"'),
        a_rule("off", enforcement="disabled"),
        a_rule("group", "count < 9", scope="team"),
        a_remediation("not-here", 'team == "vision"', image_arn="x"),
        a_remediation("broken", 'tags["x"] == "y"', image_arn="x"),
        a_rule("fine"),
    )
    exception = an_exception("lifted")
    policy = admission(*rules, exceptions=[exception])
    said = {v.rule.id: v for v in policy.verdicts(an_app(instance_type=None), RESEARCH, TODAY)}
    assert {name: verdict.verdict for name, verdict in said.items()} == {
        "size": Verdict.REMEDIATED,
        "approved": Verdict.DENIED,
        "lifted": Verdict.EXEMPT,
        "other": Verdict.NOT_MATCHED,
        "off": Verdict.DISABLED,
        "group": Verdict.NOT_ASKED,
        "not-here": Verdict.NOT_MATCHED,
        "broken": Verdict.FAILED,
        "fine": Verdict.PASSED,
    }
    assert said["size"].message == "sets instance_type to ml.t3.medium"
    assert said["size"].seen == (("instance_type", "none"),)
    assert said["approved"].seen == (("instance_type", "ml.t3.medium"),)
    assert said["approved"].message == "ml.t3.medium is not approved"
    assert said["lifted"].exception is exception
    assert "there is no key" in said["broken"].message


def test_verdicts_with_the_whole_fleet_ask_the_groups_of_the_app() -> None:
    apps = [an_app(team="vision"), an_app(CANVAS, team="audio"), an_app("research/user/eve/Canvas/x", team="vision")]
    rules = (
        a_rule("budget", "count < 2", scope="team", message="{count} apps"),
        a_rule("each", "apps.all(a, a.team != '')", scope="fleet"),
        a_rule("few", "count < 2", scope="owner"),
    )
    said = {v.rule.id: v for v in admission(*rules).verdicts(apps[0], RESEARCH, TODAY, apps, DOMAINS)}
    assert {name: (v.verdict, v.group) for name, v in said.items()} == {
        "budget": (Verdict.DENIED, "vision"),
        "each": (Verdict.PASSED, "fleet"),
        "few": (Verdict.PASSED, "research/space/alice-lab"),
    }
    assert said["budget"].message == "2 apps"
    assert said["each"].seen == (("apps", "3 apps"),)


def test_an_app_outside_teams_is_in_no_team_group() -> None:
    rule = a_rule("team", "false", scope="team")
    assert admission(rule).admit([an_app()], DOMAINS, TODAY).findings == ()
    (verdict,) = admission(rule).verdicts(an_app(), RESEARCH, TODAY, [an_app()], DOMAINS)
    assert verdict.verdict is Verdict.NOT_ASKED


@pytest.mark.parametrize(
    ("check", "denied"),
    [
        ('tags[?"a"].orValue("") != "2"', [1]),
        ('fallback.all(t, t != "ml.m5.large")', [2]),
        ('team != "vision" && tags[?"a"].orValue("") != "2"', [1, 3]),
        ("hourly_usd < 1.0", [2, 4]),
        ("false", [0, 1, 2, 3, 4]),
    ],
)
def test_apps_that_differ_in_what_a_rule_mentions_are_each_judged_by_it(check: str, denied: list[int]) -> None:
    kinds: list[dict[str, Any]] = [
        {"tags": (("a", "1"),)},
        {"tags": (("a", "2"),)},
        {"fallback": ("ml.m5.large",)},
        {"team": "vision"},
        {"instance_type": "ml.g5.xlarge"},
    ]
    apps = [an_app(f"research/user/u{number}/KernelGateway/x", **kinds[number % 5]) for number in range(15)]
    found = {finding.key for finding in admission(a_rule(check=check)).admit(apps, DOMAINS, TODAY).findings}
    assert found == {str(app.key) for number, app in enumerate(apps) if number % 5 in denied}


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.policy.judge.REMEMBERED_VERDICTS_MAX_COUNT", 2)
    apps = [an_app(f"research/user/u{number}/Canvas/x") for number in range(6)]
    admitted = admission(a_rule(check='owner != "u5"')).admit(apps, DOMAINS, TODAY)
    assert [finding.key for finding in admitted.findings] == ["research/user/u5/Canvas/x"]


def test_rules_are_known_in_file_order() -> None:
    assert [rule.id for rule in admission(a_rule("b"), a_rule("a")).rules] == ["b", "a"]


TEAM_OF_TWO = a_rule("team-size", "count <= 2", scope="team")


def parts_of(policy: Admission, apps: list[DesiredApp]) -> list[WideGroup]:
    """Return the groups of two shards, one a domain, each written and read again."""
    found: list[WideGroup] = []
    for domain in DOMAINS:
        mine = [app for app in apps if app.key.domain == domain.name]
        found += policy.admit(mine, (domain,), TODAY, of_shard=True).groups
    return [WideGroup.from_json(json.loads(json.dumps(group.to_json()))) for group in found]


def apps_of_a_team(count: int) -> list[DesiredApp]:
    names = [f"{('lab', 'research')[number % 2]}/user/u{number}/KernelGateway/default" for number in range(count)]
    return [
        an_app(name, ("ml.t3.medium", "ml.unknown")[number % 3 == 2], team="vision")
        for number, name in enumerate(names)
    ]


@pytest.mark.parametrize("check", ["count <= 2", "priced", 'apps.all(a, a.team != "vision")', "by_owner.size() < 3"])
def test_a_rule_over_a_team_says_of_two_shards_what_it_says_of_the_fleet(check: str) -> None:
    policy, apps = admission(a_rule("r", check, scope="team"), a_rule("f", check, scope="fleet")), apps_of_a_team(4)
    whole = policy.admit(apps, DOMAINS, TODAY)
    verdicts = policy.judge_groups(parts_of(policy, apps), TODAY)
    assert whole.findings
    assert (verdicts.findings, verdicts.run_denied) == (whole.findings, whole.run_denied)


def test_a_shard_judges_no_team_alone_and_says_which_rules_it_leaves() -> None:
    policy = admission(TEAM_OF_TWO, a_rule("size", "count <= 1", scope="domain"))
    admitted = policy.admit(apps_of_a_team(4), DOMAINS, TODAY, of_shard=True)
    assert {finding.rule for finding in admitted.findings} == {"size"}
    assert policy.wide_rules == ("team-size",)
    assert policy.admit(apps_of_a_team(4), DOMAINS, TODAY).groups == ()


def test_the_apps_of_a_group_that_a_skip_rule_denies_are_denied_in_each_shard() -> None:
    policy = admission(a_rule("team-size", "count <= 2", scope="team", enforcement="skip"))
    apps = [*apps_of_a_team(4), an_app()]
    verdicts = policy.judge_groups(parts_of(policy, apps), TODAY)
    assert verdicts.denied == {(Scope.TEAM, "vision")}
    assert not verdicts.run_denied
    admitted = policy.admit(apps, DOMAINS, TODAY, of_shard=True, denied_groups=verdicts.denied)
    assert admitted.denied_keys == {app.key for app in apps_of_a_team(4)}
    assert policy.judge_groups(parts_of(policy, apps_of_a_team(2)), TODAY).denied == frozenset()
