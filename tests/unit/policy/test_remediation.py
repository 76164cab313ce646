from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.core.errors import PolicyError
from engine.policy.judge import Verdict
from tests.fleets import CANVAS, LAB, TODAY, an_app
from tests.unit.policy.helpers import DOMAINS, RESEARCH, a_remediation, a_rule, admission

if TYPE_CHECKING:
    from engine.core.desired import DesiredApp


def test_a_remediation_changes_the_app_and_stands_as_its_highest_layer() -> None:
    rule = a_remediation("default-size", 'instance_type == ""', line=31, instance_type="ml.t3.medium")
    (app,) = admission(rule).admit([an_app(instance_type=None)], DOMAINS, TODAY).apps
    assert app.spec.instance_type == "ml.t3.medium"
    layer = app.layers[-1]
    assert (layer.name, str(layer.source)) == ("rule default-size", "policies/guardrails.toml:31")
    assert layer.values == {"instance_type": "ml.t3.medium"}


def test_checks_see_the_app_as_remediations_leave_it() -> None:
    rules = (a_rule(check='instance_type == "ml.m5.large"'), a_remediation("size", instance_type="ml.m5.large"))
    assert admission(*rules).admit([an_app()], DOMAINS, TODAY).findings == ()


def test_a_later_remediation_sees_what_an_earlier_one_set() -> None:
    rules = (
        a_remediation("size", 'instance_type == ""', instance_type="ml.g5.xlarge"),
        a_remediation("gpu", 'instance_family == "g5"', tags=(("gpu", "yes"),)),
    )
    (app,) = admission(*rules).admit([an_app(instance_type=None)], DOMAINS, TODAY).apps
    assert app.spec.tags == (("gpu", "yes"),)
    assert [layer.name for layer in app.layers] == ["rule size", "rule gpu"]
    assert app.layers[-1].values == {"tags": {"gpu": "yes"}}


def test_tags_merge_key_by_key_and_fallback_never_repeats_the_own_type() -> None:
    rule = a_remediation("r", tags=(("b", "2"),), fallback=("ml.t3.medium", "ml.m5.large"))
    (app,) = admission(rule).admit([an_app(tags=(("a", "1"), ("b", "1")))], DOMAINS, TODAY).apps
    assert app.spec.tags == (("a", "1"), ("b", "2"))
    assert app.fallback == ("ml.m5.large",)


def test_a_remediation_that_changes_nothing_leaves_no_layer() -> None:
    app = an_app()
    (same,) = admission(a_remediation("r", instance_type="ml.t3.medium")).admit([app], DOMAINS, TODAY).apps
    assert same is app


def test_two_rules_that_set_a_field_differently_are_an_error_that_names_both_and_the_app() -> None:
    rules = (a_remediation("a", line=3, recovery_mode=True), a_remediation("b", line=9, recovery_mode=False))
    with pytest.raises(PolicyError) as raised:
        admission(*rules).admit([an_app(), an_app(CANVAS)], DOMAINS, TODAY)
    (problem,) = raised.value.diagnostics
    assert (problem.code, problem.line) == ("AF212", 9)
    assert problem.message == (
        f"rule b sets recovery_mode of {LAB} to false, and rule a (policies/guardrails.toml:3) to true"
    )
    with pytest.raises(PolicyError):
        admission(*rules).verdicts(an_app(), RESEARCH, TODAY)


def test_two_rules_may_set_a_field_to_the_same_value_and_different_tags() -> None:
    rules = (
        a_remediation("a", tags=(("x", "1"),), instance_type="ml.m5.large"),
        a_remediation("b", tags=(("y", "2"),), instance_type="ml.m5.large"),
    )
    (app,) = admission(*rules).admit([an_app()], DOMAINS, TODAY).apps
    assert app.spec.tags == (("x", "1"), ("y", "2"))


def test_two_rules_that_give_one_tag_two_values_contradict_each_other() -> None:
    rules = (a_remediation("a", tags=(("x", "1"),)), a_remediation("b", tags=(("x", "2"),)))
    with pytest.raises(PolicyError, match="1 problem found"):
        admission(*rules).admit([an_app()], DOMAINS, TODAY)


def test_a_contradiction_counts_although_the_first_rule_changed_nothing() -> None:
    rules = (a_remediation("a", instance_type="ml.t3.medium"), a_remediation("b", instance_type="ml.m5.large"))
    with pytest.raises(PolicyError):
        admission(*rules).admit([an_app()], DOMAINS, TODAY)


def test_a_remediation_that_fails_while_it_runs_denies_the_run() -> None:
    admitted = admission(a_remediation("r", 'tags["x"] == "y"', image_arn="x")).admit([an_app()], DOMAINS, TODAY)
    assert admitted.run_denied
    (finding,) = admitted.findings
    assert (finding.rule, finding.enforcement, finding.key) == ("r", "mandatory", LAB)
    assert "its match failed while it ran" in finding.message


def test_more_tags_than_the_service_takes_are_an_error_of_the_rule() -> None:
    app = an_app(tags=tuple((f"t{number:02}", "x") for number in range(49)))
    with pytest.raises(PolicyError) as raised:
        admission(a_remediation("r", tags=(("one", "more"),))).admit([app], DOMAINS, TODAY)
    assert "has 50 tags after rule r, more than 49" in raised.value.diagnostics[0].message


def test_a_type_that_jupyter_server_cannot_run_on_is_an_error_of_the_rule() -> None:
    app = an_app("research/user/alice/JupyterServer/default", None)
    with pytest.raises(PolicyError) as raised:
        admission(a_remediation("r", instance_type="ml.t3.medium")).admit([app], DOMAINS, TODAY)
    assert "system alone" in raised.value.diagnostics[0].hint
    (fine,) = admission(a_remediation("r", instance_type="system")).admit([app], DOMAINS, TODAY).apps
    assert fine.spec.instance_type == "system"


def test_explain_knows_a_remediation_of_an_app_that_was_admitted_already() -> None:
    policy = admission(a_remediation("size", 'instance_type == ""', instance_type="ml.t3.medium"))
    (admitted,) = policy.admit([an_app(instance_type=None)], DOMAINS, TODAY).apps
    (verdict,) = policy.verdicts(admitted, RESEARCH, TODAY)
    assert verdict.verdict is Verdict.REMEDIATED


def test_what_a_rule_sets_is_shown_as_people_write_it() -> None:
    rule = a_remediation("r", fallback=("ml.m5.large",), tags=(("a", "1"),), recovery_mode=True)
    (verdict,) = admission(rule).verdicts(an_app(), RESEARCH, TODAY)
    assert verdict.message == "sets fallback to ml.m5.large, recovery_mode to true, tags to a=1"


PLAN = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5-week-50"


def test_a_rule_puts_an_app_on_a_training_plan_and_takes_its_fallback() -> None:
    rule = a_remediation("reserved", training_plan_arn=PLAN, instance_type="ml.p5.48xlarge")
    (app,) = admission(rule).admit([an_app(fallback=("ml.g5.xlarge",))], DOMAINS, TODAY).apps
    assert (app.spec.training_plan_arn, app.fallback) == (PLAN, ())


def test_a_rule_that_detaches_says_nothing_of_apps_that_can_have_no_plan() -> None:
    rule = a_remediation("on-demand", training_plan_arn="None")
    lab, canvas = admission(rule).admit([an_app(), an_app(CANVAS)], DOMAINS, TODAY).apps
    assert (lab.spec.training_plan_arn, canvas.spec.training_plan_arn) == ("None", None)


@pytest.mark.parametrize(
    ("app", "plan", "said"),
    [
        (an_app(CANVAS), PLAN, "only JupyterLab and CodeEditor apps run on a plan"),
        (an_app(instance_type=None), PLAN, "but no instance_type"),
        (an_app(), PLAN.replace("eu-west-1", "us-east-1"), "is of region us-east-1, and the domain of eu-west-1"),
        (an_app(), PLAN.replace("111122223333", "444455556666"), "is of account 444455556666"),
    ],
)
def test_a_training_plan_that_an_app_cannot_run_on_is_an_error_of_the_rule(
    app: DesiredApp, plan: str, said: str
) -> None:
    with pytest.raises(PolicyError) as raised:
        admission(a_remediation("reserved", training_plan_arn=plan)).admit([app], DOMAINS, TODAY)
    (problem,) = raised.value.diagnostics
    assert f"{app.key} after rule reserved: " in problem.message
    assert said in problem.message


def test_the_rules_of_a_training_plan_are_judged_by_what_all_of_them_leave() -> None:
    rules = (
        a_remediation("reserved", training_plan_arn=PLAN),
        a_remediation("type", 'training_plan_arn != ""', instance_type="ml.p5.48xlarge"),
    )
    (app,) = admission(*rules).admit([an_app(instance_type=None)], DOMAINS, TODAY).apps
    assert app.spec.instance_type == "ml.p5.48xlarge"
