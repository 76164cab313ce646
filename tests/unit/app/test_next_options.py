"""What the next run is allowed to destroy: what the last one has left."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.app.next_options import lifting
from engine.app.options import AppOptions
from engine.core.change import Action
from engine.core.identity import SPACE, Owner, parse_app_key
from engine.core.outcome import ApplyReport, AppResult, Outcome, OwnerResult
from engine.core.request import Request

GONE = (Outcome.DELETED, 1)
FAILED = (Outcome.FAILED, 3)
CUT_OFF = (Outcome.INTERRUPTED, 1)
NOT_SENT = (Outcome.INTERRUPTED, 0)


def report(*ends: tuple[Outcome, int], owner: Outcome | None = None) -> ApplyReport:
    """Return the report of a run that was to delete apps that ended so, and one space."""
    apps = tuple(
        AppResult(parse_app_key(f"research/user/u{number}/Canvas/default"), Action.DELETE, *end)
        for number, end in enumerate(ends)
    )
    made = AppResult(parse_app_key("research/user/new/Canvas/default"), Action.CREATE, Outcome.FAILED)
    owners = () if owner is None else (OwnerResult(Owner("research", SPACE, "s"), Action.DELETE, owner),)
    return ApplyReport("r", "f", "2026-11-30T00:00:00Z", 1.0, (*apps, made), {}, owners=owners)


@pytest.mark.parametrize(
    ("given", "made", "left"),
    [
        ("research/*=3", report(GONE, FAILED, FAILED), "research/*=2"),
        ("research/*=5", report(GONE, GONE, FAILED, NOT_SENT, owner=Outcome.SKIPPED), "research/*=3"),
        ("research/*=2", report(CUT_OFF, FAILED), "research/*=1"),
        ("research/*=2", report(GONE, owner=Outcome.DELETED), ""),
        ("research/user/u0/Canvas/default", report(GONE, FAILED), ""),
        ("research/user/u1/Canvas/default", report(GONE, FAILED), "research/user/u1/Canvas/default"),
        ("research/user/u0/Canvas/default research/user/u1*=1", report(GONE, FAILED), "research/user/u1*=1"),
        ("lab/*=3", report(GONE, FAILED), "lab/*=3"),
        ("research/*=3", report(), "research/*=3"),
        ("", report(GONE), ""),
    ],
)
def test_an_allowance_speaks_of_what_is_left(given: str, made: ApplyReport, left: str) -> None:
    options = AppOptions(Path("fleet.toml"), request=Request(allow_destructive=tuple(given.split())))
    assert " ".join(lifting(options, made).request.allow_destructive) == left
    again = ("offboard", "vision", *options.request.argv())
    asked = AppOptions(Path("fleet.toml"), request=options.request, again=again, lets_go=True)
    assert lifting(asked, made).again == ("offboard", "vision", *Request(allow_destructive=tuple(left.split())).argv())
