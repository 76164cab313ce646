"""The files that a plan was made from: names that tell an organization's from the fleet's."""

from __future__ import annotations

from dataclasses import replace

from engine.core.inputs import digest_of, of_organization, organization_input
from engine.core.plan import Plan
from engine.core.plan_json import plan_from_json
from engine.core.stale import why_stale

OWN = ("policies/a.toml", "a" * 64)
THEIRS = (organization_input(0, "a.toml"), "b" * 64)
PLAN = Plan("ml-platform", "2026-11-24T01:00:00Z", (), inputs=(THEIRS, OWN))


def test_the_digest_is_of_the_organizations_files_alone_and_independent_of_their_order() -> None:
    assert of_organization([OWN, THEIRS]) == (THEIRS,)
    other = (organization_input(1, "a.toml"), "b" * 64)
    assert of_organization([OWN, other, THEIRS]) == of_organization([THEIRS, other])
    assert digest_of(of_organization([OWN])) == ""
    assert PLAN.organization.startswith("sha256:")
    assert len(PLAN.organization) == len("sha256:") + 64


def test_the_digest_stands_in_the_document_and_comes_back_from_it() -> None:
    document = PLAN.to_json()
    assert document["organization"] == PLAN.organization
    assert plan_from_json(document).organization == PLAN.organization
    assert "organization" not in replace(PLAN, inputs=(OWN,)).to_json()


def test_a_plan_under_other_policies_of_the_organization_is_stale_and_another_plan() -> None:
    without = replace(PLAN, inputs=(OWN,))
    assert "organization//a.toml is gone" in why_stale(PLAN, without)
    assert "organization//a.toml is new" in why_stale(without, PLAN)
    assert PLAN.fingerprint != without.fingerprint
