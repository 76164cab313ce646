"""Why apps ended Failed: one DescribeApp for each kind of app, since a listing does not tell the reason.

A Failed row is the outcome and its reason a detail: when more apps fail at once than may be asked about, the others
take the reason of one like them. Not here: what follows from a reason (`retry`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Final

from engine.core.errors import (
    AlreadyGone,
    CloudError,
    NotFound,
    OutcomeUnknown,
    Throttled,
    Unreachable,
)
from engine.core.limits import DESCRIBES_PER_SCAN_MAX_COUNT, STATUS_REASON_ASK_MAX_SECONDS
from engine.core.service_errors import failure_from_reason
from engine.executor.calls import StoppedError
from engine.executor.rows import observed_app
from engine.executor.troubles import no_reason
from engine.ports.cloud import app_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable, Iterable

    from engine.core.identity import AppKey
    from engine.core.observed import ObservedApp
    from engine.executor.kinds.apps import AppOperation
    from engine.executor.reach import Reach

    Failed = tuple[AppOperation, ObservedApp]


_REASONS: Final = "reasons of failed apps"


@dataclass(frozen=True, slots=True)
class Described:
    """What DescribeApp said: the row, None where there is no such app, and the failure's reason."""

    row: ObservedApp | None
    reason: str = ""
    app: str = ""  # as `OWNER/TYPE/NAME`
    own_image: bool = False  # the app was made with an image that the fleet names
    unread: bool = False  # the question was refused, so nothing is known of the row

    @property
    def error(self) -> CloudError:
        """What a Failed app ended with."""
        return self._as_said(self.reason) if self.reason else no_reason(self.app)

    def as_of(self, key: AppKey) -> CloudError:
        """Return what an app like `key` ended with, whose own reason was not read."""
        told = f"{self.reason.strip().rstrip('.')} (as {key})"  # what was read loses its full stop, too
        return self._as_said(told) if self.reason else no_reason(self.app)

    def _as_said(self, reason: str) -> CloudError:
        return failure_from_reason(reason, own_image=self.own_image, app=self.app)


class Failures:
    """Asks why apps of one domain failed."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def reasons(self, failed: list[Failed]) -> AsyncGenerator[tuple[AppOperation, ObservedApp, CloudError], None]:
        """Yield each Failed app with its reason, or with that of one like it; some wait for the next scan."""
        kinds: dict[Hashable, list[Failed]] = {}
        for operation, row in failed:
            kinds.setdefault(_kind(operation), []).append((operation, row))
        asked = list(_in_turn(kinds.values()))[:DESCRIBES_PER_SCAN_MAX_COUNT]
        read: dict[Hashable, tuple[AppKey, Described]] = {}
        for operation, row in asked:
            described = await self.describe(operation)
            if described is not None:
                read[_kind(operation)] = (operation.key, described)
                yield operation, row, described.error
        known = {operation.key for operation, _ in asked}
        for operation, row in failed:
            like = read.get(_kind(operation))
            if like is not None and operation.key not in known:
                yield operation, row, like[1].as_of(like[0])

    async def describe(self, operation: AppOperation) -> Described | None:
        """Read one app; None where it was not answered, so that it has to be asked again.

        Raises the CloudError after which nothing in the lane can be asked.
        """
        reach = self._reach
        name = app_name(reach.domain_id, operation.key)
        try:
            detail = await reach.ask_once("DescribeApp", lambda cloud: cloud.describe_app(name))
        except (StoppedError, Throttled, Unreachable, OutcomeUnknown):
            return None
        except (NotFound, AlreadyGone):
            return Described(None)
        except CloudError as unread:
            if unread.ends_lane:
                raise
            return Described(None, f"the reason could not be read: {unread.message}", unread=True)
        row = observed_app(operation.key.domain, detail.row)
        return Described(row, detail.failure_reason, app_in_logs(operation.key), operation.app.spec.names_image)


async def read_reason(reach: Reach, key: AppKey) -> str:
    """Return why an app of an earlier run failed, empty where the service gives no reason.

    One that is not answered in time ends the reading of all of them in the lane. Raises CloudError and StoppedError.
    """
    name = app_name(reach.domain_id, key)
    detail = await reach.optional(
        "DescribeApp", lambda cloud: cloud.describe_app(name), STATUS_REASON_ASK_MAX_SECONDS, _REASONS
    )
    return detail.failure_reason


def app_in_logs(key: AppKey) -> str:
    """Return the part of the names of an app's log streams that names the app."""
    return f"{key.owner}/{key.app_type}/{key.app_name}"


def _kind(operation: AppOperation) -> Hashable:
    """Return what apps have in common that fail for one reason: all that is sent but the tags."""
    return operation.key.app_type, operation.instance_type, replace(operation.app.spec, tags=())


def _in_turn(kinds: Iterable[list[Failed]]) -> Iterable[Failed]:
    """Return one of each kind, then a second one of each, and so on."""
    return (one for one in chain.from_iterable(zip_longest(*kinds)) if one is not None)
