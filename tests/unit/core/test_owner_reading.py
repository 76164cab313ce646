"""Profiles and spaces that could not be read are named, and what was read is not."""

from __future__ import annotations

from engine.core.facts import Unknown
from engine.core.identity import Owner
from engine.core.observed import ObservedOwner
from engine.core.outcome import ApplyReport, RunResult
from engine.core.owner_reading import unread_findings

ALICE = Owner("research", "user", "alice")
LAB = Owner("research", "space", "alice-lab")


def test_each_that_could_not_be_read_is_named_with_what_lets_it_be_read() -> None:
    known: dict[Owner, ObservedOwner | Unknown | None] = {
        ALICE: Unknown("DescribeUserProfile is denied"),
        LAB: ObservedOwner(LAB, "InService", 1.0, settings={}),
    }
    (finding,) = unread_findings([ALICE, LAB], known, meant=True)
    assert (finding.rule, finding.enforcement, finding.key) == ("uncompared", "skip", "research/user/alice")
    assert "user profile alice was not compared with the fleet file: DescribeUserProfile is denied. " in finding.message
    assert "sagemaker:DescribeUserProfile and sagemaker:ListUserProfiles" in finding.message
    half = ObservedOwner(LAB, "InService", 1.0, unread_because="DescribeSpace is denied")
    (finding,) = unread_findings([LAB], {LAB: half}, meant=False)
    assert (finding.key, finding.enforcement) == ("research/space/alice-lab", "advisory")
    tags = ObservedOwner(LAB, "InService", 1.0, settings={}, unread_because="ListTags is denied")
    assert unread_findings([ALICE, LAB], {LAB: tags, ALICE: None}, meant=True) == (), "that is said with the update"


def test_a_run_that_was_to_keep_them_as_declared_and_could_not_look_is_incomplete() -> None:
    for update, result in ((True, RunResult.INCOMPLETE), (False, RunResult.CONVERGED)):
        findings = unread_findings([ALICE], {ALICE: Unknown("denied")}, meant=update)
        report = ApplyReport("r", "f", "now", 1.0, (), {}, findings=findings)
        assert report.result is result
