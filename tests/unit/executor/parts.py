"""Operations, errors and settings for the executor's tests, in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.core.change import Action, Change, Reason
from engine.core.errors import QuotaExceeded, QuotaFacts
from engine.core.ownership import WhoseAre
from engine.core.settings import Backoff
from engine.executor.kinds.apps import AppOperation
from engine.executor.operation import Phase
from tests.fleets import LAB, LANE, an_app

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.identity import AppKey
    from engine.core.observed import ObservedApp

BACKOFF = Backoff(initial=1.0, max=8.0, factor=2.0, give_up_after=60.0)
QUOTA = "Studio JupyterLab Apps running on ml.t3.medium instances"


def an_operation(
    key: str = LAB,
    instance_type: str | None = "ml.t3.medium",
    *,
    rank: int = 0,
    phase: Phase = Phase.CREATE,
    action: Action = Action.CREATE,
    before: ObservedApp | None = None,
    prior: ObservedApp | None = None,
    **app: Any,
) -> AppOperation:
    desired = an_app(key, instance_type, **app)
    change = Change(desired.key, action, Reason.ABSENT, before=before, after=desired)
    return AppOperation(rank, change, LANE, phase, prior=prior)


def decisive(keys: Iterable[AppKey]) -> WhoseAre:
    """Ask whose these apps are, since it decides something."""
    return WhoseAre(tuple(keys), ())


def full(quota: str = QUOTA, value: int | None = 4, **facts: Any) -> QuotaExceeded:
    return QuotaExceeded(
        "full", facts=QuotaFacts(quota, value, value, 1, **facts), service_code="ResourceLimitExceeded"
    )
