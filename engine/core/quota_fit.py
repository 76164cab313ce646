"""Whether what a plan creates fits the quotas: what is in use, what is wanted, what there is.

Pure. Use is counted over the whole account and region: from the listings of the fleet's own domains where it has no
others, else from a listing of all. Where that could not be had, what the fleet's domains show is the least that can be
in use, so `fits` is then `no` or unknown, never `yes`. A training plan tells its own use. Not here: asking for quotas
(`app.quotas`), or the service's refusals (`executor.gate`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import Final

from engine.core.buckets import bucket_of, has_limit
from engine.core.change import DESTROYING, MAKING
from engine.core.desired import AppSpec
from engine.core.identity import Lane, QuotaBucket
from engine.core.observed import ObservedApp, ObservedFleet
from engine.core.plan import Fits, Plan, QuotaLine
from engine.core.quota_text import quota_name
from engine.core.reserved import TrainingPlan


@dataclass(frozen=True, slots=True)
class QuotaValue:
    """The applied value of one quota in one lane, with its code."""

    code: str
    value: int


@dataclass(frozen=True, slots=True)
class LaneQuotas:
    """What is known of a lane: values by the quota's name, and whether the listings show all that the account has.

    `used` counts what is alive in the whole account, where that was listed for itself; None: the listings tell.
    `unread_because` is why this is not all.
    """

    values: Mapping[str, QuotaValue] = field(default_factory=dict)
    sees_all: bool = False
    used: Mapping[QuotaBucket, int] | None = None
    unread_because: str = ""


@dataclass(frozen=True, slots=True)
class QuotaFit:
    """The lines of a plan, whether one more app fits each bucket, and the free places where they are known."""

    lines: tuple[QuotaLine, ...]
    one_more: Mapping[QuotaBucket, Fits]
    room: Mapping[QuotaBucket, int]

    def __or__(self, other: QuotaFit) -> QuotaFit:
        """Return both together."""
        return QuotaFit((*self.lines, *other.lines), {**self.one_more, **other.one_more}, {**self.room, **other.room})


NO_FIT: Final = QuotaFit((), {}, {})
_UNREAD: Final = TrainingPlan("", "")
RUNNING_APPS: Final = "Maximum number of running Studio apps allowed per account"


def wanted_buckets(plan: Plan, lanes: Mapping[str, Lane]) -> Counter[QuotaBucket]:
    """Count what the plan creates and replaces, by the bucket of the first instance type; only those with a limit."""
    wanted: Counter[QuotaBucket] = Counter()
    for change in plan.changes:
        lane = lanes.get(change.key.domain)
        if lane is None or change.after is None or change.action not in MAKING:
            continue
        bucket = bucket_of(lane, change.key.app_type, change.after.spec)
        if has_limit(bucket):
            wanted[bucket] += 1
    return wanted


def wanted_quotas(plan: Plan, lanes: Mapping[str, Lane]) -> dict[Lane, set[str]]:
    """Name the quotas that may decide about what the plan creates and replaces in each lane, fallbacks included."""
    wanted: defaultdict[Lane, set[str]] = defaultdict(set)
    for lane, buckets in _tried(plan, lanes):
        for bucket in buckets:
            wanted[lane] |= {quota_name(bucket.app_type, bucket.instance_type), RUNNING_APPS}
    return wanted


def _wanted_with_fallbacks(
    plan: Plan, lanes: Mapping[str, Lane], known: Mapping[Lane, LaneQuotas]
) -> Counter[QuotaBucket]:
    """Count what the plan makes in the bucket of each instance type that a run would try, up to one that is not 0."""
    wanted: Counter[QuotaBucket] = Counter()
    for lane, buckets in _tried(plan, lanes):
        for bucket in buckets:
            wanted[bucket] += 1
            name = quota_name(bucket.app_type, bucket.instance_type)
            found = known[lane].values.get(name) if lane in known else None
            if found is None or found.value > 0:
                break
    return wanted


def _tried(plan: Plan, lanes: Mapping[str, Lane]) -> Iterator[tuple[Lane, Iterator[QuotaBucket]]]:
    """Yield the buckets of each app that is made, in the order in which a run tries them, up to one without a limit."""
    for change in plan.changes:
        lane = lanes.get(change.key.domain)
        if lane is None or change.after is None or change.action not in MAKING:
            continue
        spec = change.after.spec
        bucket = partial(bucket_of, lane, change.key.app_type, spec)
        yield lane, takewhile(has_limit, map(bucket, (spec.instance_type, *change.after.fallback)))


def quota_fit(
    plan: Plan, observed: ObservedFleet, lanes: Mapping[str, Lane], known: Mapping[Lane, LaneQuotas]
) -> QuotaFit:
    """Join what the plan wants with what is in use and with the quotas; a line for each bucket in which it creates.

    What finds a quota of 0 is wanted of its fallbacks too, as a run tries them.
    """
    wanted = _wanted_with_fallbacks(plan, lanes, known)
    counted = {lane for lane, quotas in known.items() if quotas.used is not None}
    used = {bucket: count for bucket, count in _used(_rows(observed), lanes).items() if _lane_of(bucket) not in counted}
    for quotas in known.values():
        used |= quotas.used or {}
    freed = _freed(plan, lanes)
    lines: list[QuotaLine] = []
    one_more: dict[QuotaBucket, Fits] = {}
    room: dict[QuotaBucket, int] = {}
    nothing = LaneQuotas()
    for bucket, count in sorted(wanted.items()):
        if bucket.training_plan:  # the service counts its use
            continue
        name = quota_name(bucket.app_type, bucket.instance_type)
        quotas = known.get(_lane_of(bucket), nothing)
        found = quotas.values.get(name)
        in_use = used.get(bucket, 0)
        left = in_use - freed[bucket]
        value = None if found is None else found.value
        lines.append(
            QuotaLine(
                str(bucket),
                name,
                value,
                in_use if quotas.sees_all else None,
                count,
                fits_in(value, left + count, sees_all=quotas.sees_all),
                "" if found is None else found.code,
            )
        )
        one_more[bucket] = fits_in(value, in_use + 1, sees_all=quotas.sees_all)
        if value is not None and (quotas.sees_all or value < left + count):
            room[bucket] = -1 if value < 1 else max(value - left, 0)
    return QuotaFit((*lines, *_whole_accounts(wanted_buckets(plan, lanes), used, freed, known)), one_more, room)


def reserved_fit(plan: Plan, lanes: Mapping[str, Lane], reserved: Mapping[str, TrainingPlan]) -> QuotaFit:
    """Join what the plan makes on training plans with the instances that these have free; a line for each of them.

    `reserved` are those that were read, by ARN.
    """
    freed = _freed(plan, lanes)
    lines: list[QuotaLine] = []
    one_more: dict[QuotaBucket, Fits] = {}
    room: dict[QuotaBucket, int] = {}
    for bucket, count in sorted(wanted_buckets(plan, lanes).items()):
        if not bucket.training_plan:
            continue
        found = reserved.get(bucket.training_plan, _UNREAD)
        free, total = found.available, found.total
        fits, used = Fits.UNKNOWN, None
        if free is not None:
            fits = Fits.YES if count <= free + freed[bucket] else Fits.NO
            one_more[bucket] = Fits.YES if free > 0 else Fits.NO
            room[bucket] = -1 if total == 0 else free + freed[bucket]
            used = None if total is None else max(total - free, 0)
        lines.append(QuotaLine(str(bucket), "", total, used, count, fits, period=found.period))
    return QuotaFit(tuple(lines), one_more, room)


def _freed(plan: Plan, lanes: Mapping[str, Lane]) -> Counter[QuotaBucket]:
    """Count what the plan deletes and replaces, by bucket."""
    freed: Counter[QuotaBucket] = Counter()
    for change in plan.changes:
        lane = lanes.get(change.key.domain)
        if lane is not None and change.before is not None and change.action in DESTROYING:
            freed[bucket_of(lane, change.key.app_type, change.before.spec)] += 1
    return freed


def _whole_accounts(
    wanted: Mapping[QuotaBucket, int],
    used: Mapping[QuotaBucket, int],
    freed: Mapping[QuotaBucket, int],
    known: Mapping[Lane, LaneQuotas],
) -> Iterable[QuotaLine]:
    """Yield a line for each lane whose quota of all running apps is too small; one that is not says nothing new."""
    new_in, now_in, gone_in = map(_by_lane, (wanted, used, freed))
    for lane, quotas in sorted(known.items(), key=lambda item: item[0]):
        found = quotas.values.get(RUNNING_APPS)
        new, now, gone = new_in[lane], now_in[lane], gone_in[lane]
        if found is not None and new and now - gone + new > found.value:
            told = now if quotas.sees_all else None
            yield QuotaLine(f"{lane}/all apps", RUNNING_APPS, found.value, told, new, Fits.NO, found.code)


def fits_in(value: int | None, needed: int, *, sees_all: bool) -> Fits:
    """Return whether so many fit a quota; `sees_all`: they are all that there are, and not only the least."""
    if value is None:
        return Fits.UNKNOWN
    if needed > value:
        return Fits.NO
    return Fits.YES if sees_all else Fits.UNKNOWN


def _lane_of(bucket: QuotaBucket) -> Lane:
    return Lane(bucket.account, bucket.region)


def _by_lane(counts: Mapping[QuotaBucket, int]) -> Counter[Lane]:
    found: Counter[Lane] = Counter()
    for bucket, count in counts.items():
        found[_lane_of(bucket)] += count
    return found


def _rows(observed: ObservedFleet) -> Iterable[ObservedApp]:
    for domain in observed.domains.values():
        yield from domain.apps.values()


def _used(rows: Iterable[ObservedApp], lanes: Mapping[str, Lane]) -> dict[QuotaBucket, int]:
    """Count what is alive; Pending and Deleting apps are taken to count as the service counts them."""
    return count_used(
        (lane, row.key.app_type, row.spec)
        for row in rows
        if (lane := lanes.get(row.key.domain)) is not None and row.status.is_alive
    )


def count_used(alive: Iterable[tuple[Lane, str, AppSpec]]) -> dict[QuotaBucket, int]:
    """Count live apps by bucket; each is told by its lane, its type and its spec."""
    return dict(Counter(bucket_of(*app) for app in alive))
