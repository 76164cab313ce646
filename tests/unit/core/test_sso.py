"""The AuthMode of a domain: who needs a user name of the identity provider, and who must not have one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.application import Application, Why
from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import DesiredOwner
from engine.core.facts import Unknown
from engine.core.identity import USER, Owner
from engine.core.observed import ObservedOwner, Ownership
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


def test_new_profiles_in_a_domain_whose_mode_could_not_be_read_are_named_and_made() -> None:
    """A guessed name is not sent there, since another mode would refuse it; nobody says that a name is missing."""
    unread = Unknown("DescribeDomain is not allowed")
    made = with_auth_mode(plan_of("a@x", None, guessed=True), "research", unread)
    assert (made.denied, [change.action for change in made.owners]) == (False, [Action.CREATE] * 2)
    assert [None if one.after is None else one.after.sso_identity for one in made.owners] == [None, None]
    (finding,) = made.findings
    assert (finding.rule, finding.enforcement) == ("sso", "advisory")
    assert finding.message.startswith(
        "how people sign in to domain research could not be read (DescribeDomain is not allowed), and 2 user profiles "
        "will be made there"
    )
    assert finding.message.endswith("Allow the caller sagemaker:DescribeDomain")


def test_a_mode_that_could_not_be_read_is_not_worth_a_word_where_no_profile_is_made() -> None:
    for made in (plan_of(), plan_of("a@x", domain="other")):
        assert with_auth_mode(made, "research", Unknown("it is denied")) == made


APPLICATION = Application("eu-west-1", "arn:aws:sso::111122223333:application/ssoins-1/apl-1", "d-1234567890")


def owed_plan(*ownerships: Ownership) -> tuple[Plan, frozenset[Owner]]:
    """Plan nothing but the users of profiles that earlier runs made; return it with those profiles."""
    changes = []
    for number, ownership in enumerate(ownerships):
        owner = Owner("research", USER, f"u{number:02}")
        row = ObservedOwner(owner, "InService", 1_000.0, ownership=ownership, sso_identity=f"u{number:02}@x")
        after = DesiredOwner(owner, SOURCE, sso_identity=row.sso_identity)
        changes.append(OwnerChange(owner, Action.NONE, OwnerReason.UNASSIGNED, row, after))
    return Plan("f", "2026-11-24T06:00:00Z", (), owners=tuple(changes)), frozenset(one.owner for one in changes)


def test_users_whom_an_earlier_run_left_are_assigned_to_the_application_of_their_domain() -> None:
    plan, owed = owed_plan(Ownership.OURS)
    made = with_auth_mode(plan, "research", "SSO", APPLICATION, owed)
    assert [change.assigned_to for change in made.owners] == [APPLICATION]
    assert (made.findings, made.denied) == ((), False)


def test_nothing_is_planned_for_a_user_whom_nobody_assigns() -> None:
    """There is no application, nobody could read it, or the profile is not one that this fleet owes a user."""
    plan, owed = owed_plan(Ownership.OURS)
    assert with_auth_mode(plan, "research", "SSO", None, owed).owners == ()
    assert with_auth_mode(plan, "research", "SSO", APPLICATION).owners == ()
    assert with_auth_mode(plan, "other", "SSO", None, owed).owners == plan.owners, "that is another domain"
    unread = with_auth_mode(plan, "research", "SSO", replace(APPLICATION, unread=Why("it is denied")), owed)
    assert unread.owners == ()
    (finding,) = unread.findings
    assert "1 user of new profiles in domain research is not assigned" in finding.message
    theirs, owed = owed_plan(Ownership.FOREIGN)
    assert with_auth_mode(theirs, "research", "SSO", APPLICATION, owed).owners == ()


def test_profiles_that_share_a_user_are_named_once_for_each_user() -> None:
    made = with_auth_mode(plan_of("a@x", "b@x", "A@x", "c@x", "b@x", None), "research", "SSO")
    shared = [finding.message for finding in made.findings if "with one sso_identity" in finding.message]
    assert [message.split(". ")[0] for message in shared] == [
        "2 user profiles are to be made in domain research with one sso_identity, a@x: u00, u02",
        "2 user profiles are to be made in domain research with one sso_identity, b@x: u01, u04",
    ]
    assert with_auth_mode(plan_of("a@x", "a@x", guessed=True), "research", "").findings == ()
    assert "with one" not in str(with_auth_mode(plan_of("a@x", "a@x"), "other", "SSO").findings)
