"""What a full quota means for all that counts against it: told once, woken by whoever leaves, forgotten when open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.core.observed import ObservedDomain
from engine.executor.gate import GateState
from engine.executor.gatekeeper import GateKeeper
from tests.fleets import LANE, a_row
from tests.unit.executor.parts import full
from tests.unit.executor.test_ready import M5, a_queue, lab, park

if TYPE_CHECKING:
    from engine.core.observed import ObservedApp
    from engine.executor.kinds.apps import AppOperation
    from engine.executor.operation import AnyOperation
    from engine.executor.ready import ReadyQueue

STRANGER = "research/space/zed-lab/JupyterLab/default"


class Door:
    """The gates of one lane, with what they emit."""

    def __init__(self, queue: ReadyQueue, *in_flight: AnyOperation) -> None:
        self.events: list[Any] = []
        self.queue = queue
        self.keeper = GateKeeper(queue, self.events.append, LANE.region, set(in_flight))

    @property
    def told(self) -> list[str]:
        return [event.name for event in self.events]


def listed(*rows: ObservedApp) -> ObservedDomain:
    return ObservedDomain("research", 0.0, {row.key: row for row in rows})


def refused(door: Door, operation: AppOperation, value: int, now: float) -> str:
    """Answer a create with a full quota; return what a person is told to do about it."""
    gate = door.keeper.refuse(operation, full(value=value), now)
    door.keeper.leave(operation, now, accepted=False, refused_by=gate)
    return door.keeper.end_if_never(gate, full(value=value)).hint


def test_a_quota_of_nothing_is_told_once_however_many_calls_it_refuses() -> None:
    """Both were under way; the command that each names makes room for both, and for what has not been called yet."""
    first, second, third = (lab(name, rank) for rank, name in enumerate("abc"))
    queue = a_queue()
    queue.push(third)
    door = Door(queue, first, second)
    hints = [refused(door, operation, 0, 10.0 + operation.rank) for operation in (first, second)]
    assert door.told == ["bucket.ended"]
    assert hints[0] == hints[1]
    assert "Waiting does not help" in hints[0]
    assert "--desired-value 3" in hints[0]
    (gate,) = queue.gates.values()
    assert (gate.state, gate.wanted) == (GateState.ENDED, 3)


def test_what_leaves_a_full_bucket_lets_the_next_one_try_at_once() -> None:
    queue = a_queue()
    door = Door(queue)
    park(queue, lab("a", 0), 10.0)
    assert not door.keeper.note_departures(LANE, listed(a_row(STRANGER)), 10.1), "nobody knows what was there before"
    assert not door.keeper.note_departures(LANE, listed(a_row(STRANGER, "Deleting")), 10.2), "it takes its place still"
    assert queue.pop(10.3) is None
    assert door.keeper.note_departures(LANE, listed(), 10.4)
    assert queue.pop(10.4) is not None


@pytest.mark.parametrize("gone", [a_row(STRANGER, instance_type=M5), a_row(STRANGER, "Deleted")])
def test_what_took_no_place_in_a_full_bucket_wakes_nobody_when_it_goes(gone: ObservedApp) -> None:
    queue = a_queue()
    door = Door(queue)
    park(queue, lab("a", 0), 10.0)
    door.keeper.note_departures(LANE, listed(gone), 10.1)
    door.keeper.note_departures(LANE, listed(), 10.2)
    assert queue.pop(10.3) is None


def test_where_no_quota_is_full_nothing_is_remembered_of_who_is_there() -> None:
    """Else what left before the quota was full would be taken for a place that is free now."""
    queue = a_queue()
    door = Door(queue)
    assert not door.keeper.note_departures(LANE, listed(a_row(STRANGER)), 1.0)
    park(queue, lab("a", 0), 10.0)
    assert not door.keeper.note_departures(LANE, listed(), 10.1)
    assert queue.pop(10.2) is None


def test_a_gate_that_is_open_and_at_which_nothing_waits_is_forgotten() -> None:
    queue = a_queue(window_max=1)
    door = Door(queue)
    assert door.keeper.turned_away(5.0) == []
    operations = [lab(name, rank) for rank, name in enumerate("abcd")]
    for operation in operations:
        park(queue, operation, 10.0)
    for now in (10.6, 10.8):
        passing = queue.pop(now)
        assert passing is not None
        passing.sent_at = now
        door.keeper.leave(passing, now, accepted=True)
    (gate,) = queue.gates.values()
    assert (gate.state, queue.waiting_at(gate)) == (GateState.OPEN, 1)
    assert door.keeper.turned_away(10.9) == []
    assert list(queue.gates.values()) == [gate], "somebody still waits there"
    assert queue.pop(11.0) is operations[2]
    assert door.keeper.turned_away(11.0) == []
    assert queue.gates == {}
    assert door.told == ["bucket.probed", "bucket.reopened"]
