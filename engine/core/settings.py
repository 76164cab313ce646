"""What a policy may set about how a run goes, with every default and every bound in one place.

The pydantic models of `config` read their defaults and bounds from here; the executor takes these values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from engine.core.calendars import Calendar
from engine.core.limits import REFUSED_RETRY_MAX_SECONDS, UNREADABLE_RETRY_MAX_SECONDS

SECOND: Final = 1.0
MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86400.0

STORAGE_PRICE: Final = "ebs-gb-month"  # in [prices]: USD for a GB of a space's volume and a month


@dataclass(frozen=True, slots=True)
class Bound:
    """The closed range that a setting must lie in."""

    low: float
    high: float


RATE_PER_SECOND: Final = Bound(0.01, 10_000.0)
CONCURRENCY: Final = Bound(1, 256)
SETTLE_TIMEOUT_SECONDS: Final = Bound(1 * SECOND, 1 * DAY)
DEADLINE_SECONDS: Final = Bound(1 * SECOND, 7 * DAY)
BACKOFF_INITIAL_SECONDS: Final = Bound(0.001, 1 * HOUR)
BACKOFF_MAX_SECONDS: Final = Bound(0.001, 6 * HOUR)
BACKOFF_FACTOR: Final = Bound(1.0, 10.0)
GIVE_UP_AFTER_SECONDS: Final = Bound(0.0, 7 * DAY)
OBSERVE_AFTER_SECONDS: Final = Bound(0.1, 1 * HOUR)
COUNT: Final = Bound(0, 1_000_000)
OWNERS_LOOK_EVERY_SECONDS: Final = Bound(1 * MINUTE, 400 * 24 * HOUR)
SHARE: Final = Bound(0.0, 1.0)
SPARE_ACTIVE_SECONDS: Final = Bound(0.0, 30 * DAY)
WAVE_COUNT: Final = Bound(1, 1_000_000)
QUARANTINE_AFTER: Final = Bound(1, 100)
FAILURES_MAX_COUNT: Final = Bound(1, 1_000_000)
HOURLY_USD: Final = Bound(0.0, 10_000_000.0)
PRIORITY_WEIGHT: Final = Bound(-1_000_000.0, 1_000_000.0)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Times in seconds. `give_up_after` counts from the first failure of its kind, not from the start."""

    initial: float
    max: float
    factor: float
    give_up_after: float


@dataclass(frozen=True, slots=True)
class Backoffs:
    """One back-off for each class of trouble that passes by itself.

    `refused_s` bounds, in seconds, how long reads are tried again where nobody listens, and `unreadable_s` where
    somebody answers who is not the service. No policy sets them: commands that only look do not try the first again.
    """

    throttling: Backoff = Backoff(1 * SECOND, 60 * SECOND, 2.0, 15 * MINUTE)
    limit: Backoff = Backoff(5 * SECOND, 5 * MINUTE, 2.0, 30 * MINUTE)
    transient: Backoff = Backoff(1 * SECOND, 30 * SECOND, 2.0, 5 * MINUTE)
    capacity: Backoff = Backoff(30 * SECOND, 10 * MINUTE, 2.0, 1 * HOUR)
    refused_s: float = REFUSED_RETRY_MAX_SECONDS
    unreadable_s: float = UNREADABLE_RETRY_MAX_SECONDS


@dataclass(frozen=True, slots=True)
class Execution:
    """`[execution]`: rates are calls a second, the rest seconds."""

    create_rate: float = 2.0
    create_rate_max: float = 20.0
    read_rate: float = 5.0
    concurrency: int = 16
    settle_timeout: float = 20 * MINUTE
    deadline: float = 3 * HOUR


@dataclass(frozen=True, slots=True)
class Observe:
    """`[observe]`: seconds between an unknown create and the two scans that may clear it."""

    first_after: float = 5 * SECOND
    second_after: float = 10 * SECOND


@dataclass(frozen=True, slots=True)
class Safety:
    """`[safety]`: what a run may destroy, create and spend. `hourly_usd_max` None: no limit.

    `spare_active` is in seconds; 0: nobody is spared. In `freeze` nothing is deleted or replaced.
    """

    replace_on_drift: bool = False
    prune: bool = False
    destroy_max: int = 10
    destroy_share_max: float = 0.3
    destroy_floor: int = 10
    quarantine_after: int = 3
    hours_stop_max: int = 500
    create_max: int = 5_000
    hourly_usd_max: float | None = None
    replace_wave: int = 10
    spare_active: float = 0.0
    freeze: tuple[Calendar, ...] = ()


@dataclass(frozen=True, slots=True)
class NotifyChannel:
    """One `[[notify]]`: of which ends of a run it is told, and one of a command, an SNS topic and a variable's name."""

    when: frozenset[str]
    command: tuple[str, ...] = ()
    sns: str = ""
    url_env: str = ""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """`[tolerance]`: when creates that fail alike keep the others from being sent."""

    canary: bool = True
    failures_max: int = 5
    failure_share_max: float = 0.5
    failure_floor: int = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them. `prices` is USD per hour by region ("" is all) and type.

    `create_owners`, `update_owners` and `assign_users` are those of `[owners]`; `owners_look_every` is how many seconds
    pass before a run compares all profiles and spaces again. A type is an instance type, or an app type for apps that
    name no instance type.
    """

    execution: Execution = Execution()
    backoffs: Backoffs = Backoffs()
    observe: Observe = Observe()
    safety: Safety = Safety()
    tolerance: Tolerance = Tolerance()
    create_owners: bool = False
    assign_users: bool = False
    update_owners: bool = False
    owners_look_every: float = 24 * HOUR
    prices: tuple[tuple[str, str, float], ...] = field(default=())
    notify: tuple[NotifyChannel, ...] = ()
