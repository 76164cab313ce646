"""Which ends of a run a channel is told of."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.change import Action
from engine.core.identity import Owner, parse_app_key
from engine.core.notice import has_changed, is_wanted
from engine.core.outcome import ApplyReport, AppResult, Outcome, OwnerResult
from engine.core.settings import NotifyChannel

KEY = parse_app_key("research/space/alice-lab/JupyterLab/default")


def report(*outcomes: Outcome, owners: tuple[OwnerResult, ...] = (), **more: Any) -> ApplyReport:
    apps = tuple(AppResult(KEY, Action.CREATE, outcome) for outcome in outcomes)
    return ApplyReport("r", "f", "", 1.0, apps, {}, owners=owners, **more)


@pytest.mark.parametrize(
    ("when", "of", "wanted"),
    [
        ("always", report(), True),
        ("changed", report(), False),
        ("changed", report(Outcome.UNCHANGED, Outcome.SKIPPED), False),
        ("changed", report(Outcome.UNCHANGED, Outcome.DELETED), True),
        ("incomplete", report(Outcome.FAILED), True),
        ("failed", report(Outcome.FAILED), False),
        ("failed", report(bug=True), True),
        ("denied", report(denied=True), True),
        ("interrupted", report(interrupted=True), True),
    ],
)
def test_a_channel_is_told_of_the_ends_that_it_names(when: str, of: ApplyReport, wanted: bool) -> None:
    assert is_wanted(NotifyChannel(frozenset({when, "denied" if when != "changed" else "changed"})), of) is wanted


def test_a_profile_that_was_made_is_a_change() -> None:
    made = OwnerResult(Owner("research", "user", "alice"), Action.CREATE, Outcome.CREATED)
    assert has_changed(report(owners=(made,)))
