"""A bad night with as many apps as one likes, put into a journal by the same sink that a real run uses.

For the browser check and the tests of the report: made in a moment, the same each time, and with every kind of trouble.
The picture in the README is of a real run (`pictures`), not of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.adapters.state.journal import RunHeader, SqliteJournal
from engine.adapters.state.run_words import run_words
from engine.adapters.state.timeline import Timeline
from engine.core.change import Action
from engine.core.identity import AppKey, Lane
from engine.core.outcome import ApplyReport, AppResult, Outcome
from engine.core.trouble import Trouble
from engine.ports import events

if TYPE_CHECKING:
    from engine.adapters.state.state_dir import StateDir

LANE: Final = Lane("111122223333", "eu-west-1")
STARTED: Final = 1_795_500_000.0
FLEET: Final = "ml-platform"
TYPES: Final = ("ml.t3.medium", "ml.m5.large", "ml.m5.xlarge")
SCARCE: Final = "ml.g5.xlarge"
HOSTILE: Final = "<script>alert(1)<img src=x onerror=alert(2)>'\"&{{7*7}}"  # no slash: it would be no key
FULL: Final = Trouble(
    "ResourceLimitExceeded",
    "The account-level service limit 'Studio JupyterLab Apps running on ml.g5.xlarge instances' is 40 Apps",
    "Ask for a higher quota, or name a fallback type",
)
REJECTED: Final = Trouble("ValidationException", "The image version does not exist", "Correct image_version_arn")
NIGHTS: Final = ("20261123T010000Z-aaaaaa", "20261124T010000Z-bbbbbb")


class Clock:
    """Seconds that go forward when the night says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def write_nights(state: StateDir, apps: int, *, hostile: bool = True) -> str:
    """Write two nights of `apps` apps each into the journal; give the name of the last run."""
    for number, run_id in enumerate(NIGHTS):
        write_night(state, run_id, apps, number=number, hostile=hostile)
    return NIGHTS[-1]


def write_night(state: StateDir, run_id: str, apps: int, *, number: int = 1, hostile: bool = True) -> None:
    """Write one night. Every seventh app wants the scarce type, every ninetieth is rejected."""
    started = STARTED + number * 86_400.0
    journal = SqliteJournal.open(state, RunHeader(run_id, FLEET, "0.1.0", started), wall=lambda: started)
    clock = Clock()
    timeline = Timeline(journal, clock=clock, first_rates={LANE: {"writes": 2.0, "reads": 5.0}})
    results: list[AppResult] = []
    happenings: list[tuple[float, int, events.Event]] = []
    try:
        results += (_app(index, number, apps, happenings, hostile=hostile) for index in range(apps))
        _lane(apps, happenings)
        happenings.sort(key=lambda entry: entry[:2])
        timeline.emit(events.RunStarted(FLEET, "0.1.0", apps))
        for at_s, _, event in happenings:
            clock.now = at_s
            timeline.emit(event)
        for result in results:
            journal.conclude(result, "s", started + clock.now, once=False, counts_as_failure=False)
        report = ApplyReport(
            run_id, FLEET, "", clock.now, tuple(results), {"CreateApp": {"ok": apps, "throttled": apps // 30}},
            notes=("Made up for tests",),
        )  # fmt: skip
        timeline.finish(run_words(report, price=lambda *_: 0.25, asked=(), reserved={}))
        journal.finish(report.result.value, int(report.exit_code), started + clock.now)
    finally:
        journal.close()


def _app(
    index: int, number: int, apps: int, happenings: list[tuple[float, int, events.Event]], *, hostile: bool
) -> AppResult:
    scarce = index % 7 == 3
    kind = SCARCE if scarce else TYPES[index % 3]
    owner = HOSTILE if hostile and index == 5 else f"user-{index:05d}-lab"
    key = AppKey("research", "space", owner, "JupyterLab", "default")
    at_s = 1.0 + index / 18.0

    def happen(after_s: float, event: events.Event) -> float:
        happenings.append((after_s, len(happenings), event))
        return after_s

    happen(at_s, events.AppCreateStarted(key, 1, kind))
    if (index + number) % 90 == 7:
        happen(at_s + 0.2, events.CallAnswered("CreateApp", "rejected", 0.2))
        happen(at_s + 0.2, events.AppFailed(key, REJECTED.code, REJECTED.message, REJECTED.hint))
        return AppResult(key, Action.CREATE, Outcome.FAILED, 1, 0.2, kind, "", REJECTED)
    if scarce and index > apps * 0.8:
        ended = happen(apps / 18.0 + 40.0, events.AppParked(key, FULL.code, FULL.message, FULL.hint))
        return AppResult(key, Action.CREATE, Outcome.PARKED, 4, ended - at_s, kind, "", FULL)
    tried = 1
    if index % 30 == 2:
        happen(at_s + 0.1, events.CallAnswered("CreateApp", "throttled", 0.1))
        happen(at_s + 0.1, events.AppRetried(key, 1, 2.0, "ThrottlingException", "Rate exceeded", "r"))
        happen(at_s + 2.1, events.AppCreateStarted(key, 2, kind))
        tried = 2
    accepted = happen(at_s + (2.3 if tried == 2 else 0.2), events.CallAnswered("CreateApp", "ok", 0.2))
    happen(accepted, events.AppCreated(key, tried, 0.2, kind))
    took_s = 8.0 + (index * 37 % 23)
    happen(accepted + took_s, events.AppInService(key, took_s))
    return AppResult(key, Action.CREATE, Outcome.CREATED, tried, took_s, kind, f"arn:{index}")


def _lane(apps: int, happenings: list[tuple[float, int, events.Event]]) -> None:
    """Tell of the rate that climbs and falls, of the listings, and of the one bucket that is full."""
    end_s = apps / 18.0 + 40.0
    bucket = f"{LANE}/JupyterLab/{SCARCE}"

    def happen(at_s: float, event: events.Event) -> None:
        happenings.append((at_s, len(happenings), event))

    rate = 2.0
    for second in range(1, int(end_s)):
        rate = rate * 0.9 if second % 30 == 5 else min(rate * 2 if second < 5 else rate + 0.3, 20.0)
        happen(float(second), events.LaneRateChanged(LANE, rate))
        if second % 3 == 0:
            happen(float(second), events.CallAnswered("ListApps", "ok", 0.1))
    happen(end_s * 0.3, events.BucketParked(bucket, 5.0, apps // 20, FULL.message, 40, 40))
    happen(end_s * 0.4, events.BucketReopened(bucket, end_s * 0.1))
    happen(end_s * 0.7, events.BucketParked(bucket, 5.0, apps // 30, FULL.message, 40, 40))
    happen(end_s * 0.8, events.BucketParked(bucket, 9.0, apps // 30, FULL.message, 40, 40))
