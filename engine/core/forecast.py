"""When a run will be done, what holds it up, and how many calls it takes: from rates, quotas and past durations.

Pure arithmetic over a plan. A lane sends its calls at the rate that it learnt, or doubles from `create_rate` to
`create_rate_max` as the throttle does until it meets a limit; each app then takes as long as others of its kind took.
Not here: asking for any of this, or watching a run.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from typing import Any, Final

from engine.core.buckets import bucket_of
from engine.core.change import DESTROYING, MAKING, Action, Change, OwnerChange
from engine.core.desired import AppSpec
from engine.core.forecast_inputs import ForecastInputs
from engine.core.identity import USER, AppKey, Lane, QuotaBucket
from engine.core.limits import LIST_PAGE_MAX_ROWS, SETTLE_TICK_MAX_SECONDS, SETTLE_TICK_MIN_SECONDS
from engine.core.shape import Kind, shape_of

OWNER_PRIOR_SECONDS: Final = 10.0  # of a profile or a space, until a listing shows it InService
LEARNT_RATE_SHARE: Final = 0.93  # at its limit a lane falls by a tenth and climbs, and was remembered near the top
CURVE_POINTS: Final = 10
_ADD_TAGS: Final = "AddTags"
_OWNER_CALLS: Final = {
    Action.CREATE: "Create",
    Action.UPDATE: "Update",
    Action.DELETE: "Delete",
    Action.ADOPT: _ADD_TAGS,
}
_SLOTS_MAX_COUNT: Final = 50  # of the changes of one bucket, in a run of few lanes
_SLOTS_MIN_COUNT: Final = 4
_LANES_IN_DETAIL_COUNT: Final = 40  # more of them are looked at more coarsely: their errors cancel out
_BISECTIONS: Final = 40
_STRETCH: Final = (0.2, 5.0)
_TICK_SHARE_OF_AGE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Forecast:
    """The course of a run. `seconds` counts from the first call to the last app's end.

    `critical` is the bucket that ends last. `parked` apps exceed their quota: they wait to the end, and the others are
    done after `fitting_seconds`; the quota of `hopeless` ones among them is 0, so they fail at once. `curve` tells at
    how many seconds each tenth of the changes is done. `rate_is_learnt` and `durations_are_known` say what it assumes:
    without them the configured rate, and the usual duration. A forecast that was read back knows of no hopeless ones.
    """

    seconds: float
    critical: str
    parked: int
    calls: tuple[tuple[str, int], ...]
    curve: tuple[float, ...]
    rate_is_learnt: bool
    durations_are_known: bool
    fitting_seconds: float = 0.0
    hopeless: int = field(default=0, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return `forecast` of `plan --format json`."""
        return {
            "seconds": self.seconds,
            "critical": self.critical,
            "parked": self.parked,
            "calls": dict(self.calls),
            "curve": list(self.curve),
            "rate_is_learnt": self.rate_is_learnt,
            "durations_are_known": self.durations_are_known,
            "fitting_seconds": self.fitting_seconds,
        }

    def time_left_s(self, elapsed_s: float, done: int, total: int) -> float:
        """Return the seconds that are left when `done` of `total` changes have ended after `elapsed_s`.

        What came late or early so far is taken to go on at that pace.
        """
        if done >= total:
            return 0.0
        points = (0.0, *self.curve)
        place = done / total * CURVE_POINTS
        low = int(place)
        expected_s = points[low] + (points[low + 1] - points[low]) * (place - low)
        if done == 0 or expected_s <= 0.0:
            return max(self.seconds - elapsed_s, 0.0)
        stretch = min(max(elapsed_s / expected_s, _STRETCH[0]), _STRETCH[1])
        return max((self.seconds - expected_s) * stretch, 0.0)


@dataclass(frozen=True, slots=True)
class _Bunch:
    """Changes of one bucket: when their calls are sent, and how long each then takes (sorted samples)."""

    bucket: str
    slots: tuple[tuple[float, float], ...]  # seconds, and how many changes
    durations: tuple[float, ...]

    def done_by(self, at_s: float) -> float:
        """Return how many are expected to be done."""
        return sum(count * _share(self.durations, at_s - sent_s) for sent_s, count in self.slots)

    def end_s(self) -> float:
        """Return the time by which all are done as likely as not."""
        low, high = self.slots[-1][0] + self.durations[0], self.slots[-1][0] + self.durations[-1]
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            logs = 0.0
            for sent_s, count in self.slots:
                share = _share(self.durations, middle - sent_s)
                logs += count * math.log(share) if share > 0.0 else -math.inf
            low, high = (low, middle) if logs >= -math.log(2) else (middle, high)
        return high


def forecast_of(changes: Sequence[Change], owners: Sequence[OwnerChange], inputs: ForecastInputs) -> Forecast | None:
    """Return the course of the run that makes these changes; None where there are none, or nothing could be called."""
    by_lane: defaultdict[Lane, list[Change]] = defaultdict(list)
    for change in changes:
        if (lane := inputs.lanes.get(change.key.domain)) is not None:
            by_lane[lane].append(change)
    written: defaultdict[Lane, list[tuple[Action, str]]] = defaultdict(list)
    for where, action, kind in _written_owners(owners, inputs):
        written[where].append((action, kind))
    if not (by_lane or written):
        return None
    bunches: list[_Bunch] = []
    parked = hopeless = 0
    ends = [(0.0, "")]
    alone = 0
    lanes = sorted(by_lane.keys() | written.keys())
    slots_max = max(_SLOTS_MIN_COUNT, min(_SLOTS_MAX_COUNT, _SLOTS_MAX_COUNT * _LANES_IN_DETAIL_COUNT // len(lanes)))
    for lane in lanes:
        its = written[lane]
        if lane not in by_lane:
            alone += len(its)
            bunches.append(_owners_bunch(lane, its, inputs, slots_max))
            continue
        made, over, parked_until = _lane_bunches(lane, by_lane[lane], inputs, its, slots_max)
        bunches += made
        parked += sum(over)
        hopeless += over[1]
        ends += parked_until
    fitting = [(bunch.end_s(), bunch.bucket) for bunch in bunches]
    seconds, critical = max([*ends, *fitting])
    seconds = min(seconds, inputs.execution.deadline)
    fitting_s = min(max(fitting, default=(0.0, ""))[0], seconds)
    total = sum(map(len, by_lane.values())) + alone
    tenths = (total * tenth / CURVE_POINTS for tenth in range(1, CURVE_POINTS))
    return Forecast(
        round(seconds, 1),
        critical,
        parked,
        _calls(owners, by_lane, inputs, seconds),
        (*(round(_time_of(bunches, count, seconds), 1) for count in tenths), round(seconds, 1)),
        rate_is_learnt=inputs.learnt_rates.keys() >= set(lanes),
        durations_are_known=inputs.typical.are_known
        or all(_kind(change.key.app_type, _spec(change)) in inputs.durations for change in _creating(by_lane)),
        fitting_seconds=round(fitting_s, 1),
        hopeless=hopeless,
    )


def forecast_from_json(entry: Mapping[str, Any] | None) -> Forecast | None:
    """Read what `to_json` gave; None for None. Raises KeyError, TypeError or ValueError for anything else."""
    if entry is None:
        return None
    return Forecast(
        float(entry["seconds"]),
        str(entry["critical"]),
        int(entry["parked"]),
        tuple((str(name), int(count)) for name, count in entry["calls"].items()),
        tuple(float(point) for point in entry["curve"]),
        rate_is_learnt=bool(entry["rate_is_learnt"]),
        durations_are_known=bool(entry["durations_are_known"]),
        fitting_seconds=float(entry.get("fitting_seconds", 0.0)),
    )


def sending_s(count: float, start: float, ceiling: float, *, limit_is_known: bool) -> float:
    """Return the seconds in which `count` calls are sent from a rate of `start`, which doubles each second at first."""
    if limit_is_known or start >= ceiling:
        return count / min(start, ceiling)
    doubling_s = math.log2(ceiling / start)
    meanwhile = (ceiling - start) / math.log(2)
    if count <= meanwhile:
        return math.log2(1.0 + count * math.log(2) / start)
    return doubling_s + (count - meanwhile) / ceiling


def _sent_s(lane: Lane, inputs: ForecastInputs) -> Callable[[float], float]:
    """Return what tells after how many seconds a lane has sent so many calls."""
    learnt = inputs.learnt_rates.get(lane)
    start = inputs.execution.create_rate if learnt is None else learnt * LEARNT_RATE_SHARE
    return partial(sending_s, start=start, ceiling=inputs.execution.create_rate_max, limit_is_known=learnt is not None)


def _owners_bunch(lane: Lane, owners: Sequence[tuple[Action, str]], inputs: ForecastInputs, slots_max: int) -> _Bunch:
    """Return the changes of profiles and spaces of a lane in which no app changes."""
    sent_s, slots = _sent_s(lane, inputs), min(len(owners), slots_max)
    times = tuple((sent_s(len(owners) * (slot + 1) / slots), len(owners) / slots) for slot in range(slots))
    kinds = {kind for _, kind in owners}
    stages: defaultdict[str, float] = defaultdict(float)
    for action, kind in set(owners):
        if action is not Action.ADOPT:
            stages[kind] = max(stages[kind], _owner_s(kind, action, inputs))
    bucket = f"{lane}/{'user profiles' if kinds == {USER} else 'spaces'}"
    return _Bunch(bucket, times, (sum(stages.values()),))


def _owner_s(kind: str, action: Action, inputs: ForecastInputs) -> float:
    """Return how long a profile or a space takes, as the middle one of those of past runs did."""
    known = inputs.owner_durations.get((kind, action), ())
    return median(known) if known else OWNER_PRIOR_SECONDS


def _lane_bunches(
    lane: Lane, changes: list[Change], inputs: ForecastInputs, owners: Sequence[tuple[Action, str]], slots_max: int
) -> tuple[list[_Bunch], tuple[int, int], list[tuple[float, str]]]:
    """Share out a lane's calls over its buckets; give the bunches, how many are parked and hopeless, and their ends."""
    sent_s = _sent_s(lane, inputs)
    grouped: defaultdict[tuple[Action, tuple[str, str], QuotaBucket, bool], int] = defaultdict(int)
    waiting = _waiting(lane, changes, inputs.failures_max)
    for change in changes:
        grouped[change.action, *_tried(change, lane, inputs), change.key in waiting] += 1
    writes = sum(count * (2 if action is Action.DELETE_THEN_CREATE else 1) for (action, *_), count in grouped.items())
    writes += len(owners)
    made = {kind for action, kind in owners if action is Action.CREATE}
    owners_s = sum(_owner_s(kind, Action.CREATE, inputs) for kind in made)  # a profile, then its space, then the app
    bunches, over, ends = [], [0, 0], []
    left: dict[QuotaBucket, int] = {}  # kinds of apps may share a bucket
    for (action, kind, bucket, waits), count in sorted(grouped.items()):
        room = left.get(bucket, inputs.room.get(bucket, count)) if action is Action.CREATE else count
        fitting = min(count, max(room, 0))
        if bucket in inputs.room and action is Action.CREATE:
            left[bucket] = room - fitting
        if fitting < count:
            over[room < 0] += count - fitting
            # Calls are shared out fairly, so the quota is full when that share of all of them has been sent.
            full_s = sent_s(writes * fitting / count)
            ends.append((full_s + (inputs.limit_give_up_s if room >= 0 else 0.0), str(bucket)))
        if fitting:
            slots = min(fitting, slots_max)
            times = tuple((sent_s(writes * (slot + 1) / slots), fitting / slots) for slot in range(slots))
            first_s = owners_s if action is Action.CREATE else 0.0
            durations = _durations(action, kind, inputs)
            first_s += durations[len(durations) // 2] if waits else 0.0  # until one like them is in service
            takes = tuple(first_s + one for one in durations)
            bunches.append(_Bunch(str(bucket), times, takes))
    return bunches, (over[0], over[1]), ends


def _waiting(lane: Lane, changes: Iterable[Change], failures_max: int) -> set[AppKey]:
    """Return what is sent once another one like it is in service."""
    kinds: Counter[Kind] = Counter()
    waiting = set()
    for change in changes:
        if change.action in MAKING and change.after is not None:
            kind = shape_of(lane, change.key.app_type, change.after.spec).kind
            kinds[kind] += 1
            if change.canary is not None or kinds[kind] > failures_max > 0:
                waiting.add(change.key)
    return waiting


def _durations(action: Action, kind: tuple[str, str], inputs: ForecastInputs) -> tuple[float, ...]:
    if action is Action.ADOPT:
        return (0.0,)
    deleted = _shown(inputs.typical.delete)
    if action is Action.DELETE:
        return deleted
    known = _past(sorted(inputs.durations.get(kind, ()))) or _shown(inputs.typical.create)
    deleted_s = sum(deleted) / len(deleted)
    return known if action is Action.CREATE else tuple(one + deleted_s for one in known)


def _shown(samples: tuple[float, ...]) -> tuple[float, ...]:
    """Return when a listing shows what takes so long: the next one that comes. Past durations hold that already."""
    return _past([one + _tick_s(one) / 2 for one in samples])


def _tick_s(age_s: float) -> float:
    return min(max(SETTLE_TICK_MIN_SECONDS, _TICK_SHARE_OF_AGE * age_s), SETTLE_TICK_MAX_SECONDS)


def _past(samples: list[float]) -> tuple[float, ...]:
    """Return past durations; their mean, where all that sets them apart is how soon a listing showed their end."""
    if not samples:
        return ()
    if samples[-1] - samples[0] <= _tick_s(samples[-1]):
        return (sum(samples) / len(samples),)
    return tuple(samples)


def _spec(change: Change) -> AppSpec:
    spec = change.after.spec if change.after is not None else None
    if spec is None or change.action is Action.DELETE:
        spec = change.before.spec if change.before is not None else None
    return spec or AppSpec()


def _tried(change: Change, lane: Lane, inputs: ForecastInputs) -> tuple[tuple[str, str], QuotaBucket]:
    """Return the kind that a new app will be, and its bucket: the first fallback's whose quota is not 0."""
    spec, app_type = _spec(change), change.key.app_type
    bucket = bucket_of(lane, app_type, spec)
    if change.action is Action.CREATE and change.after is not None:
        for fallback in change.after.fallback:
            if inputs.room.get(bucket, 0) >= 0:
                break
            spec = replace(spec, instance_type=fallback)
            bucket = bucket_of(lane, app_type, spec)
    return _kind(app_type, spec), bucket


def _kind(app_type: str, spec: AppSpec) -> tuple[str, str]:
    return app_type, spec.instance_type or ""


def _creating(by_lane: Mapping[Lane, list[Change]]) -> list[Change]:
    return [change for changes in by_lane.values() for change in changes if change.action in MAKING]


def _share(durations: Sequence[float], after_s: float) -> float:
    """Return the share that is done `after_s` seconds after its call, between the samples on a straight line."""
    if after_s >= durations[-1]:
        return 1.0
    above = bisect_right(durations, after_s)
    if above == 0:
        return 0.0
    low, high = durations[above - 1], durations[above]
    return (above - 1 + (after_s - low) / (high - low)) / (len(durations) - 1)


def _time_of(bunches: Sequence[_Bunch], count: float, end_s: float) -> float:
    """Return when `count` changes are expected to be done; the end, where they never all are."""
    low, high = 0.0, end_s
    alike = Counter((bunch.slots, bunch.durations) for bunch in bunches)  # lanes that are filled by one template
    kinds = [(_Bunch("", *times), many) for times, many in alike.items()]
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        done = sum(many * bunch.done_by(middle) for bunch, many in kinds)
        low, high = (low, middle) if done >= count else (middle, high)
    return high


def _written_owners(owners: Sequence[OwnerChange], inputs: ForecastInputs) -> list[tuple[Lane, Action, str]]:
    """Return the lane, the action and the kind of each profile and space that is made, updated or deleted."""
    return [
        (inputs.lanes[one.owner.domain], one.action, one.owner.kind)
        for one in owners
        if one.action in _OWNER_CALLS and one.owner.domain in inputs.lanes
    ]


def _calls(
    owners: Sequence[OwnerChange], by_lane: Mapping[Lane, list[Change]], inputs: ForecastInputs, seconds: float
) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter(
        _ADD_TAGS if action is Action.ADOPT else f"{_OWNER_CALLS[action]}{'UserProfile' if kind == USER else 'Space'}"
        for _, action, kind in _written_owners(owners, inputs)
    )
    domains: Counter[str] = Counter()
    for changes in by_lane.values():
        for change in changes:
            domains[change.key.domain] += 1
            counts["CreateApp"] += change.action in MAKING
            counts["DeleteApp"] += change.action in DESTROYING
            counts[_ADD_TAGS] += change.action is Action.ADOPT
    for domain, changed in domains.items():
        pages = max(1, -(-(inputs.rows.get(domain, 0) + changed) // LIST_PAGE_MAX_ROWS))
        counts["ListApps"] += _scans(seconds) * min(pages, changed)
    return tuple(sorted((name, count) for name, count in counts.items() if count))


def _scans(seconds: float) -> int:
    """Return how many listings follow a domain for so long: they become rarer as what they wait for grows older."""
    at_s, count = 0.0, 0
    while at_s < seconds:
        if at_s * _TICK_SHARE_OF_AGE >= SETTLE_TICK_MAX_SECONDS:
            return count + math.ceil((seconds - at_s) / SETTLE_TICK_MAX_SECONDS)
        at_s += max(SETTLE_TICK_MIN_SECONDS, _TICK_SHARE_OF_AGE * at_s)
        count += 1
    return count
