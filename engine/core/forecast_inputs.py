"""What a forecast rests on besides the plan: rates, quotas, and how long things took. Not here: the forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.core.change import Action
from engine.core.identity import Lane, QuotaBucket
from engine.core.settings import Execution

CREATE_PRIOR_SECONDS: Final = 187.0
DELETE_PRIOR_SECONDS: Final = 78.0


@dataclass(frozen=True, slots=True)
class Typical:
    """How long apps take that have no past: samples in seconds, sorted. `are_known` of a simulated world."""

    create: tuple[float, ...] = (CREATE_PRIOR_SECONDS,)
    delete: tuple[float, ...] = (DELETE_PRIOR_SECONDS,)
    are_known: bool = False


@dataclass(frozen=True, slots=True)
class ForecastInputs:
    """What is known besides the plan. Times are seconds, rates calls a second.

    `lanes` maps domains to their lanes; `learnt_rates` holds the lanes whose limit is known; `durations` the past
    times to InService by app type and instance type, and `owner_durations` those of profiles and spaces by kind and
    action; what is in neither takes what is `typical`. `room` holds the free places of the buckets whose quota is known
    (a negative number: waiting cannot help); `rows` the apps of each domain. `failures_max` of a kind are sent before
    one of them is in service, 0: all at once.
    """

    lanes: Mapping[str, Lane]
    execution: Execution = field(default_factory=Execution)
    limit_give_up_s: float = 1_800.0
    learnt_rates: Mapping[Lane, float] = field(default_factory=dict)
    durations: Mapping[tuple[str, str], Sequence[float]] = field(default_factory=dict)
    owner_durations: Mapping[tuple[str, Action], Sequence[float]] = field(default_factory=dict)
    typical: Typical = Typical()
    room: Mapping[QuotaBucket, int] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    failures_max: int = 0
