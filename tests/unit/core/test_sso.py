"""The AuthMode of a domain: who needs a user name of the identity provider, and who must not have one."""

from __future__ import annotations

import pytest

from engine.core.application import Application, Why
from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import DesiredOwner
from engine.core.identity import USER, Owner
from engine.core.plan import Plan
from engine.core.sso import with_auth_mode
from tests.fleets import SOURCE


def plan_of(*identities: str | None, guessed: bool = False, domain: str = "research") -> Plan:
    changes = []
    for number, text in enumerate(identities):
        owner = Owner(domain, USER, f"u{number:02}")
        after = DesiredOwner(owner, SOURCE, sso_identity=text, sso_is_guessed=guessed)
        changes.append(OwnerChange(owner, Action.CREATE, OwnerReason.ABSENT, None, after))
    return Plan("f", "2026-11-24T06:00:00Z", (), owners=tuple(changes))


def mandatory(plan: Plan) -> list[str]:
    return [finding.message for finding in plan.findings if finding.enforcement == "mandatory"]


def test_profiles_without_a_name_deny_a_plan_for_a_domain_that_needs_one() -> None:
    made = with_auth_mode(plan_of("a@x", None, None), "research", "SSO")
    (message,) = mandatory(made)
    assert (made.denied, "2 user profiles are to be made without sso_identity: u01, u02." in message) == (True, True)
    assert "and 2 more" in mandatory(with_auth_mode(plan_of(*[None] * 12), "research", "SSO"))[0]


def test_profiles_with_a_name_pass_where_it_is_needed_and_deny_the_plan_where_it_is_refused() -> None:
    assert not with_auth_mode(plan_of("a@x"), "research", "SSO").denied
    made = with_auth_mode(plan_of("a@x"), "research", "IAM")
    assert (made.denied, "takes no sso_identity" in mandatory(made)[0]) == (True, True)


@pytest.mark.parametrize("mode", ["IAM", ""])
def test_a_guess_is_sent_only_where_it_is_needed(mode: str) -> None:
    made = with_auth_mode(plan_of("a@x", guessed=True), "research", mode)
    assert not made.denied
    assert made.owners[0].after is not None
    assert made.owners[0].after.sso_identity is None
    kept = with_auth_mode(plan_of("a@x", guessed=True), "research", "SSO")
    assert kept.owners[0].after is not None
    assert kept.owners[0].after.sso_identity == "a@x"


def test_another_domain_and_an_unknown_mode_change_nothing() -> None:
    for made, domain, mode in ((plan_of(None), "other", "SSO"), (plan_of("a@x", guessed=True), "other", "IAM")):
        assert with_auth_mode(made, domain, mode) == made
    assert not with_auth_mode(plan_of("a@x"), "research", "").denied


@pytest.mark.parametrize("unread", [None, Why("DescribeDomain failed")])
def test_nobody_is_advised_to_switch_on_what_is_on(unread: Why | None) -> None:
    made = with_auth_mode(plan_of(None), "research", "SSO", Application("eu-west-1", "arn", "store", unread))
    assert made.denied
    assert [finding.enforcement for finding in made.findings] == ["mandatory"]
    assert "assign = true" in str(with_auth_mode(plan_of(None), "research", "SSO").findings)
