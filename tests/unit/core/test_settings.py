"""Every default that a policy may change, pinned: changing one is a change of the product."""

from __future__ import annotations

from dataclasses import asdict

from engine.core import settings
from engine.core.settings import Execution, Observe, Safety, Settings, Tolerance


def test_defaults_are_pinned() -> None:
    assert asdict(Settings()) == {
        "execution": {
            "create_rate": 2.0,
            "create_rate_max": 20.0,
            "read_rate": 5.0,
            "concurrency": 16,
            "settle_timeout": 1_200.0,
            "deadline": 10_800.0,
        },
        "backoffs": {
            "throttling": {"initial": 1.0, "max": 60.0, "factor": 2.0, "give_up_after": 900.0},
            "limit": {"initial": 5.0, "max": 300.0, "factor": 2.0, "give_up_after": 1_800.0},
            "transient": {"initial": 1.0, "max": 30.0, "factor": 2.0, "give_up_after": 300.0},
            "capacity": {"initial": 30.0, "max": 600.0, "factor": 2.0, "give_up_after": 3_600.0},
            "refused_s": 10.0,
            "unreadable_s": 30.0,
        },
        "observe": {"first_after": 5.0, "second_after": 10.0},
        "safety": {
            "replace_on_drift": False,
            "prune": False,
            "destroy_max": 10,
            "destroy_share_max": 0.3,
            "destroy_floor": 10,
            "quarantine_after": 3,
            "hours_stop_max": 500,
            "create_max": 5_000,
            "hourly_usd_max": None,
            "replace_wave": 10,
            "spare_active": 0.0,
            "freeze": (),
        },
        "tolerance": {"canary": True, "failures_max": 5, "failure_share_max": 0.5, "failure_floor": 10},
        "create_owners": False,
        "update_owners": False,
        "owners_look_every": 86_400.0,
        "assign_users": False,
        "prices": (),
        "notify": (),
    }


def test_defaults_lie_within_their_bounds() -> None:
    run, safety, observe, tolerance = Execution(), Safety(), Observe(), Tolerance()
    for value, bound in (
        (run.create_rate, settings.RATE_PER_SECOND),
        (run.create_rate_max, settings.RATE_PER_SECOND),
        (run.read_rate, settings.RATE_PER_SECOND),
        (run.concurrency, settings.CONCURRENCY),
        (run.settle_timeout, settings.SETTLE_TIMEOUT_SECONDS),
        (run.deadline, settings.DEADLINE_SECONDS),
        (observe.first_after, settings.OBSERVE_AFTER_SECONDS),
        (observe.second_after, settings.OBSERVE_AFTER_SECONDS),
        (safety.destroy_max, settings.COUNT),
        (safety.destroy_share_max, settings.SHARE),
        (safety.destroy_floor, settings.COUNT),
        (safety.quarantine_after, settings.QUARANTINE_AFTER),
        (safety.hours_stop_max, settings.COUNT),
        (safety.create_max, settings.COUNT),
        (safety.replace_wave, settings.WAVE_COUNT),
        (safety.spare_active, settings.SPARE_ACTIVE_SECONDS),
        (tolerance.failures_max, settings.FAILURES_MAX_COUNT),
        (tolerance.failure_share_max, settings.SHARE),
        (tolerance.failure_floor, settings.COUNT),
    ):
        assert bound.low <= value <= bound.high
