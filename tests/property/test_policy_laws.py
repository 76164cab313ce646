"""What holds for every policy and every fleet."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from engine.core.change import Action, Change, Reason
from engine.core.plan import Plan
from engine.core.settings import Safety
from engine.policy.guardrails import Allowance
from engine.policy.prices import PriceBook
from engine.policy.rules import Enforcement
from tests.fleets import TODAY, a_row, an_app
from tests.unit.policy.helpers import DOMAINS, PRICES, a_priority, a_rule, admission, an_exception, check_plan

if TYPE_CHECKING:
    from engine.core.desired import DesiredApp
    from engine.policy.admission import Admitted
    from engine.policy.rules import Rule

TYPES = (None, "ml.t3.medium", "ml.m5.large", "ml.g5.xlarge")
APP_CHECKS = (
    "true",
    "false",
    'instance_type != ""',
    'instance_family != "g5"',
    'team == "vision" || team == ""',
    'tags["team"] == team',
    '"team" in tags',
    "priced && hourly_usd < 1.0",
    'owner.matches("^[a-c]")',
    "fallback.size() == 0",
    'expires == ""',
)
GROUP_CHECKS = (
    "true",
    "false",
    "count < 3",
    "hourly_usd <= 2.0",
    "priced",
    'apps.all(a, a.team != "vision")',
    'by_app_type["Canvas"] < 2',
    'group != "vision"',
)
ENFORCEMENTS = ("advisory", "skip", "mandatory", "disabled")
SCOPES = ("app", "owner", "team", "domain", "fleet")


@st.composite
def fleets(draw: st.DrawFn) -> list[DesiredApp]:
    keys = draw(
        st.sets(
            st.builds(
                "{}/{}/{}/{}".format,
                st.sampled_from(("lab", "research")),
                st.sampled_from(("user/alice", "user/dave", "space/alice-lab")),
                st.sampled_from(("Canvas", "JupyterLab")),
                st.sampled_from(("a", "b")),
            ),
            max_size=6,
        )
    )
    return [
        an_app(
            key,
            draw(st.sampled_from(TYPES)),
            mode=draw(st.sampled_from(("running", "once", "absent"))),
            fallback=draw(st.sampled_from(((), ("ml.m5.large",), ("ml.p5.48xlarge", "ml.g5.xlarge")))),
            expires=draw(st.sampled_from((None, TODAY, TODAY - timedelta(days=1)))),
            team=(team := draw(st.sampled_from(("", "vision", "audio")))),
            tags=draw(st.sampled_from(((), (("team", team),)))),
        )
        for key in sorted(keys)
    ]


@st.composite
def checks(draw: st.DrawFn, name: str = "r", enforcements: tuple[str, ...] = ENFORCEMENTS) -> Rule:
    scope = draw(st.sampled_from(SCOPES))
    pool = st.sampled_from(APP_CHECKS if scope == "app" else GROUP_CHECKS)
    match = draw(st.none() | pool)
    return a_rule(name, draw(pool), match, draw(st.sampled_from(enforcements)), scope)


@st.composite
def policies(draw: st.DrawFn, max_size: int = 4) -> list[Rule]:
    return [draw(checks(f"r{number}")) for number in range(draw(st.integers(0, max_size)))]


def _said(admitted: Admitted) -> set[tuple[str, str, str]]:
    """Name each denial: the group of a group rule stands at the head of its message."""
    return {
        (found.rule, found.key, found.message.partition(":")[0] if not found.key else "") for found in admitted.findings
    }


@given(fleets(), policies(), checks("added", ("mandatory",)))
def test_a_mandatory_rule_more_never_admits_more(apps: list[DesiredApp], rules: list[Rule], added: Rule) -> None:
    before = admission(*rules).admit(apps, DOMAINS, TODAY)
    after = admission(*rules, added).admit(apps, DOMAINS, TODAY)
    assert after.run_denied >= before.run_denied
    assert after.denied_keys == before.denied_keys
    assert set(after.findings) >= set(before.findings)


@given(fleets(), policies(), st.data())
def test_an_exception_never_denies(apps: list[DesiredApp], rules: list[Rule], data: st.DataObject) -> None:
    excused = [rule for rule in rules if rule.enforcement is not Enforcement.DISABLED]
    exceptions = [
        an_exception(
            rule.id,
            data.draw(st.sampled_from(APP_CHECKS if rule.scope == "app" else GROUP_CHECKS)),
            data.draw(st.dates(TODAY - timedelta(days=1), TODAY + timedelta(days=1))),
        )
        for rule in excused
    ]
    without = admission(*rules).admit(apps, DOMAINS, TODAY)
    lifted = admission(*rules, exceptions=exceptions).admit(apps, DOMAINS, TODAY)
    assert lifted.run_denied <= without.run_denied
    assert lifted.denied_keys <= without.denied_keys
    assert _said(lifted) <= _said(without)
    assert len(lifted.findings) <= len(without.findings)


@given(fleets(), policies(), st.randoms(use_true_random=False))
def test_neither_the_order_of_rules_nor_of_apps_changes_a_verdict(
    apps: list[DesiredApp], rules: list[Rule], random: object
) -> None:
    shuffled_rules, shuffled_apps = list(rules), list(apps)
    random.shuffle(shuffled_rules)  # type: ignore[attr-defined]
    random.shuffle(shuffled_apps)  # type: ignore[attr-defined]
    one = admission(*rules).admit(apps, DOMAINS, TODAY)
    other = admission(*shuffled_rules).admit(shuffled_apps, tuple(reversed(DOMAINS)), TODAY)
    assert (one.findings, one.denied_keys, one.run_denied) == (other.findings, other.denied_keys, other.run_denied)


@given(fleets(), policies())
def test_checks_change_no_app_and_explain_agrees_with_admission(apps: list[DesiredApp], rules: list[Rule]) -> None:
    policy = admission(*rules)
    admitted = policy.admit(apps, DOMAINS, TODAY)
    assert admitted.apps == tuple(apps)
    by_name = {domain.name: domain for domain in DOMAINS}
    denied = {(found.rule, found.key) for found in admitted.findings if found.key}
    for app in apps:
        verdicts = policy.verdicts(app, by_name[app.key.domain], TODAY, apps, DOMAINS)
        explained = {(v.rule.id, str(app.key)) for v in verdicts if v.verdict.is_denial and not v.group}
        assert explained == {pair for pair in denied if pair[1] == str(app.key)}


@given(fleets(), st.lists(st.tuples(st.sampled_from(APP_CHECKS), st.floats(-100, 100)), max_size=4), st.randoms())
def test_the_order_of_priorities_does_not_change_a_weight(
    apps: list[DesiredApp], written: list[tuple[str, float]], random: object
) -> None:
    priorities = [a_priority(match, weight) for match, weight in written]
    shuffled = list(priorities)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = admission(priorities=priorities), admission(priorities=shuffled)
    domain = DOMAINS[1]
    assert [one.weight(app, domain) for app in apps] == [other.weight(app, domain) for app in apps]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    changes = []
    for number in range(draw(st.integers(0, 8))):
        key = f"{draw(st.sampled_from(('lab', 'research')))}/user/u{number}/Canvas/default"
        action = draw(st.sampled_from((Action.CREATE, Action.DELETE, Action.DELETE_THEN_CREATE)))
        after = None if action is Action.DELETE else an_app(key, draw(st.sampled_from(TYPES)))
        before = None if action is Action.CREATE else a_row(key)
        changes.append(Change(an_app(key).key, action, Reason.DRIFT, before, after))
    return Plan("f", "2026-11-24T01:00:00Z", tuple(sorted(changes, key=lambda change: change.key)))


def _findings(plan: Plan, safety: Safety, *allowances: Allowance) -> set[str]:
    owned = {"lab": 10, "research": 20}
    found = check_plan(plan, DOMAINS, owned, safety, PriceBook(PRICES), allowances)
    return {f"{finding.rule} {finding.message.partition(':')[0]}" for finding in found}


safeties = st.builds(
    Safety,
    destroy_max=st.integers(0, 5),
    destroy_share_max=st.floats(0, 1),
    destroy_floor=st.integers(0, 12),
    create_max=st.integers(0, 5),
    hourly_usd_max=st.none() | st.floats(0, 5),
)


@given(plans(), safeties)
def test_a_wider_limit_never_denies_more(plan: Plan, safety: Safety) -> None:
    usd = safety.hourly_usd_max
    wider = replace(
        safety,
        destroy_max=safety.destroy_max + 1,
        destroy_share_max=min(safety.destroy_share_max * 1.5, 1.0),
        destroy_floor=safety.destroy_floor + 1,
        create_max=safety.create_max + 1,
        hourly_usd_max=None if usd is None else usd + 1,
    )
    assert _findings(plan, wider) <= _findings(plan, safety)


@given(plans(), safeties)
def test_allowing_exactly_what_is_destroyed_leaves_no_limit_on_it(plan: Plan, safety: Safety) -> None:
    destroys = [str(change.key) for change in plan.changes if change.action is not Action.CREATE]
    found = _findings(plan, safety, *(Allowance(key, 1) for key in destroys))
    assert not [name for name in found if "destr" in name]


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)))
def test_an_exception_ends_after_its_day_and_not_before(day: date) -> None:
    exception = an_exception(expires=day)
    assert [exception.is_expired(day + timedelta(days=shift)) for shift in (-1, 0, 1)] == [False, False, True]
