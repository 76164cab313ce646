"""Apps that an earlier run made and did not wait for: what became of them counts as if it had waited.

Otherwise an app that fails in every run of a job with --no-wait would be made again for ever. What is found is noted in
the journal of a run, and in the memory of whatever plans now.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from engine.core.errors import CloudError, Rejected
from engine.core.identity import folded
from engine.core.limits import DESCRIBES_PER_SCAN_MAX_COUNT
from engine.core.observed import AppStatus
from engine.core.outcome import Outcome
from engine.core.service_errors import failure_from_reason
from engine.executor.kinds.failures import Described, app_in_logs, read_reason
from engine.executor.troubles import trouble_of
from engine.ports.history import LastFailure

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from engine.core.desired import DesiredApp, DesiredFleet
    from engine.core.observed import ObservedFleet
    from engine.executor.fleet_run import FleetRun
    from engine.ports.journal import Memory, Unseen

_UNREAD: Final = "the reason could not be read"


async def count_late_failures(run: FleetRun, fleet: DesiredFleet, observed: ObservedFleet) -> None:
    """Count those that Failed, each against the run that made it; one in service ends its row of failures.

    Of very many, the later ones take the reason of one like them.
    Raises StoppedError when the run is stopped meanwhile.
    """
    memory = run.memory
    seen = list(_seen_since(memory, fleet, observed))
    if not seen:
        return
    reasons: dict[Hashable, CloudError] = {}
    failures, last, unseen = dict(memory.failures), dict(memory.last_failures), dict(memory.unseen)
    for app, _, status in seen:
        if status is AppStatus.IN_SERVICE:  # the journal hears of it with what becomes of the app in this run
            failures.pop(app.key, None)
    late = [(app, left) for app, left, status in seen if status is AppStatus.FAILED]
    for number, (app, left) in enumerate(late):
        kind = (app.key.domain, app.key.app_type, app.fallback, replace(app.spec, tags=()))
        if number < DESCRIBES_PER_SCAN_MAX_COUNT:
            reasons[kind] = await _why(run, app)
        error = reasons.get(kind) or failure_from_reason(_UNREAD)
        counts = isinstance(error, Rejected)
        run.journal.note_seen_failed(app.key, trouble_of(error), counts=counts)
        del unseen[app.key]
        if counts:
            count, failed_hash = failures.get(app.key, (0, ""))
            failures[app.key] = (count + 1 if failed_hash == left.spec_hash else 1, left.spec_hash)
            last[app.key] = LastFailure(left.run_id, left.started, Outcome.FAILED.value, error.message)
    run.memory = replace(memory, failures=failures, last_failures=last, unseen=unseen)


def _seen_since(
    memory: Memory, fleet: DesiredFleet, observed: ObservedFleet
) -> Iterator[tuple[DesiredApp, Unseen, AppStatus]]:
    """Yield the declared apps that nobody waited for with the status of their own row, not that of an earlier one."""
    if not memory.unseen:
        return
    rows = {folded(key): row for domain in observed.domains.values() for key, row in domain.apps.items()}
    for app in fleet.apps:
        left, row = memory.unseen.get(app.key), rows.get(folded(app.key))
        if left is not None and row is not None and left.may_be(row.created_at):
            yield app, left, row.status


async def _why(run: FleetRun, app: DesiredApp) -> CloudError:
    try:
        reason = await read_reason(run.reach(app.key.domain), app.key)
    except CloudError as unread:
        return failure_from_reason(f"{_UNREAD}: {unread.message}")
    return Described(None, reason, app_in_logs(app.key), app.spec.names_image).error
