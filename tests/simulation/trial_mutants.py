"""Deliberate bugs about canaries and failures that are alike: who is sent beside whom, and who is given up."""

from __future__ import annotations

from typing import Any, Final
from unittest.mock import patch

from engine.core.outcome import Outcome
from engine.executor import trial
from engine.executor.lane import LaneRun
from engine.executor.ready import ReadyQueue
from engine.executor.trial import CanaryTrial, KindTrial


def canary_goes_in_company() -> Any:
    """Give every app of a shape that never ran here a place."""
    return patch.object(CanaryTrial, "has_place", property(lambda _: True))


def never_woken() -> Any:
    """Let nobody go who waits for a place."""
    return patch.object(ReadyQueue, "fill", lambda *_: None)


def tripped_is_sent() -> Any:
    """Say that a shape is given up, and send its apps all the same."""
    return patch.object(LaneRun, "give_up", lambda *_: 0)


def failed_canary_is_followed() -> Any:
    """Try one app of a shape after the other."""
    return patch.object(CanaryTrial, "judge", lambda canary, ended, *_: setattr(canary, "runs", ended.in_service))


def healthy_is_tripped() -> Any:
    """Give a shape up for whatever becomes of its canary."""

    def judge(canary: Any, ended: Any, outcome: Any, trouble: Any) -> Any:
        canary.runs = canary.runs or ended.in_service
        unwell = outcome in (Outcome.PARKED, Outcome.STILL_PENDING, Outcome.FAILED)
        return trial._tripped("it is not in service", trouble) if unwell and not canary.runs else None

    return patch.object(CanaryTrial, "judge", judge)


def kind_has_no_places() -> Any:
    """Send all of a kind at once."""
    return patch.object(KindTrial, "has_place", property(lambda _: True))


BUGS: Final = (
    ("a-canary-goes-in-company", "the first app of a shape goes alone", canary_goes_in_company),
    ("what-waits-is-never-woken", "what waits goes once its canary runs", never_woken),
    ("a-tripped-shape-is-sent", "what fails alike is given up", tripped_is_sent),
    ("a-failed-canary-is-followed", "one failure of a new shape", failed_canary_is_followed),
    ("a-healthy-shape-is-tripped", "capacity and quotas are no failures", healthy_is_tripped),
    ("a-kind-has-no-places", "few of a kind until one runs", kind_has_no_places),
)
