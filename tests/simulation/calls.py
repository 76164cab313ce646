"""One call on its way to the simulated service, as the watch sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.core.desired import AppSpec, Tags
    from engine.core.identity import Lane
    from engine.ports.cloud import AppName
    from tests.simulation.owner_watch import OwnerId

LATE: Final = "late"  # the answer is lost, and the call is carried out some seconds after that


@dataclass(slots=True)
class Call:
    """One call. `lane` is where it is made, `sent_at` the loop's time when it left.

    `app` and `spec` are of a call about an app, `owner` and `tags` of one about a user profile or a space, `user` and
    `arn` of one that assigns a user to an application.
    """

    operation: str
    lane: Lane
    domain_id: str
    sent_at: float
    app: AppName | None = None
    spec: AppSpec | None = None
    arn: str = ""
    arrived: bool = False
    owner: OwnerId | None = None
    tags: Tags = ()
    user: str = ""
