from __future__ import annotations

from typing import Any

from engine.policy.judge import Verdict
from engine.policy.testing import PolicyTest, run_policy_tests
from tests.fleets import CANVAS, TODAY, an_app
from tests.unit.policy.helpers import DOMAINS, PLACE, a_remediation, a_rule, admission

POLICY = admission(
    a_remediation("size", 'instance_type == ""', instance_type="ml.t3.medium", fallback=("ml.m5.large",)),
    a_rule("small", 'instance_family != "g5"', message="{instance_type} is too large"),
    a_rule("few", "count < 2", scope="fleet", message="{count} apps"),
)


def _problems(*apps: Any, expect: dict[str, str] | None = None, **more: Any) -> tuple[str, ...]:
    wanted = {rule: Verdict(word) for rule, word in (expect or {}).items()}
    test = PolicyTest("t", PLACE, apps or (an_app(),), DOMAINS, TODAY, wanted, **more)
    (result,) = run_policy_tests(more.pop("policy", POLICY), [test])
    assert result.passed is not bool(result.problems)
    return result.problems


def test_a_test_passes_when_every_expectation_holds() -> None:
    assert _problems(expect={"small": "passed", "few": "passed", "size": "not_matched"}) == ()


def test_a_verdict_that_differs_is_named_with_its_message() -> None:
    assert _problems(an_app(instance_type="ml.g5.xlarge"), expect={"small": "passed"}) == (
        "rule small must say passed, and says denied: ml.g5.xlarge is too large",
    )
    assert _problems(expect={"small": "denied"}) == ("rule small must say denied, and says passed",)


def test_a_denial_that_the_test_does_not_name_fails_it() -> None:
    assert _problems(an_app(), an_app(CANVAS), expect={"small": "passed"}) == (
        "rule few says denied, and the test does not expect it: 2 apps",
    )


def test_of_several_apps_the_gravest_verdict_counts() -> None:
    apps = (an_app(CANVAS, "ml.g5.xlarge"), an_app())
    assert _problems(*apps, expect={"small": "denied", "few": "denied"}) == ()


def test_a_rule_that_is_not_there_is_named_with_the_nearest_one() -> None:
    assert _problems(expect={"smal": "passed"}) == ("there is no rule smal. Did you mean small?",)
    assert _problems(expect={"zzzzzz": "passed"}) == ("there is no rule zzzzzz",)


def test_a_rule_that_was_not_asked_is_said() -> None:
    assert _problems(an_app(mode="absent"), expect={"small": "passed"}) == (
        "rule small did not run: no app of the test is wanted on that day",
    )


def test_fields_after_remediation_are_compared() -> None:
    app = an_app(instance_type=None)
    fields = {"instance_type": "ml.t3.medium", "fallback": ("ml.m5.large",)}
    assert _problems(app, expect={"size": "remediated"}, fields=fields) == ()
    assert _problems(app, fields={"image_arn": "x", "fallback": ("ml.c5.large",)}) == (
        "fallback must be ml.c5.large after remediation, and is ml.m5.large",
        "image_arn must be x after remediation, and is none",
    )


def test_a_contradiction_of_two_remediations_fails_the_test() -> None:
    policy = admission(a_remediation("a", recovery_mode=True), a_remediation("b", recovery_mode=False))
    test = PolicyTest("t", PLACE, (an_app(),), DOMAINS, TODAY)
    (result,) = run_policy_tests(policy, [test])
    assert "rule b sets recovery_mode" in result.problems[0]
