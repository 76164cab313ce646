"""The waits of the product that no test asks about, made short: for what they wait is there at once in a test.

Each bound is one of `engine.core.limits`, replaced where the product waits by it, and in one process: a command that
`tests.warm` forks, or the test's own while it runs a command in it. The product knows nothing of it. Tests of the
bounds themselves run in virtual time (`tests/unit/executor`); every process that is started `cold` keeps them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

BOUNDS: Final = {
    "engine.executor.watcher.SETTLE_TICK_MIN_SECONDS": 0.3,
    # What is made again within it is told from what was there before after a minute alone.
    "engine.executor.judge.GENERATION_TOLERANCE_SECONDS": 0.01,
    # Calls of a simulator on loopback are over at once, so a dead run's lane is free soon.
    "engine.executor.lease.LEASE_TTL_SECONDS": 6.0,
    "engine.executor.lease.LEASE_RENEW_SECONDS": 0.5,
    "engine.executor.lease.LEASE_RETRY_SECONDS": 0.5,
    "engine.executor.lease.LEASE_POLL_SECONDS": 0.5,
    "engine.core.lease.LEASE_GRACE_SECONDS": 2.0,
}


def be_hasty() -> None:
    """Make the waits of this process short, to its end."""
    for name, seconds in BOUNDS.items():
        where, _, bound = name.rpartition(".")
        module = import_module(where)
        assert seconds < getattr(module, bound)
        setattr(module, bound, seconds)
